"""What the page takes from npm: few files, of pinned versions, none of which is committed."""

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import ProviderError
from subpixel.system.files.cache import cache_folder
from subpixel.system.files.hashing import hash_file

PAGE = Path(__file__).parent / "page"
"""The page's own files: plain modules, as they are served."""

LOCK = PAGE / "package-lock.json"
LICENCES = "LICENCES.txt"


@dataclass(frozen=True)
class VendorPackage:
    """An npm package, the files of it that the page loads, and its licence."""

    name: str
    files: tuple[str, ...]
    """Beneath its folder ``dist``."""
    licence: str
    """SPDX."""
    copyright: str


NPM_PACKAGES = (
    VendorPackage(
        "onnxruntime-web",
        (
            "ort.wasm.min.mjs",
            "ort-wasm-simd-threaded.mjs",
            "ort-wasm-simd-threaded.wasm",
            "ort.webgpu.min.mjs",
            "ort-wasm-simd-threaded.asyncify.mjs",
            "ort-wasm-simd-threaded.asyncify.wasm",
        ),
        "MIT",
        "Copyright (c) Microsoft Corporation",
    ),
    VendorPackage(
        "img-comparison-slider", ("index.js", "styles.css"), "MIT", "Copyright (c) Sneas"
    ),
)

MIT_TEXT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def vendor_files() -> tuple[str, ...]:
    """The names of all of them, as the page knows them."""
    return tuple(name for package in NPM_PACKAGES for name in package.files)


def find_vendor() -> Path:
    """The folder that holds them: the package's own, or one in the cache, filled by ``npm ci``.

    Raises :class:`ProviderError` where neither is there and npm isn't, or fails.
    """
    for folder in (PAGE / "vendor", vendor_folder()):
        if _has_all_files(folder):
            return folder
    fill_vendor(vendor_folder())
    return vendor_folder()


def fill_vendor(folder: Path) -> None:
    """Fetch the pinned versions by ``npm ci``, whose lock file has their hashes, into ``folder``.

    Raises :class:`ProviderError` where npm isn't installed, or fails.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        _install(Path(scratch))
        new = Path(scratch) / "vendor"
        new.mkdir()
        for package in NPM_PACKAGES:
            for name in package.files:
                shutil.copyfile(_dist(Path(scratch), package) / name, new / name)
        (new / LICENCES).write_text(_write_licences(), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)


def _has_all_files(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (*vendor_files(), LICENCES))


def vendor_folder() -> Path:
    """Where they are kept in the user's cache; one folder for each lock file."""
    return cache_folder() / "page" / hash_file(LOCK)[:16]


def _install(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PAGE / name, folder / name)
    npm = shutil.which("npm")
    if npm is None:
        raise ProviderError(
            "the page needs onnxruntime-web, which npm fetches, and npm isn't installed: install "
            "Node.js, or take a wheel of subpixel, which holds the page whole"
        )
    command = [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ProviderError(f"npm could not fetch what the page needs: {done.stderr.strip()}")


def _dist(folder: Path, package: VendorPackage) -> Path:
    return folder / "node_modules" / package.name / "dist"


def _write_licences() -> str:
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    heads = [
        f"{package.name} {locked[f'node_modules/{package.name}']['version']}, {package.licence}\n"
        f"{package.copyright}\nFiles: {', '.join(package.files)}\n"
        for package in NPM_PACKAGES
    ]
    return "\n".join([*heads, "The MIT licence:\n", MIT_TEXT])
