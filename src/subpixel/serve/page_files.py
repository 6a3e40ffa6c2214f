"""The web page as a folder of files, which any server of files can serve."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from subpixel.errors import NetworkError, UsageError
from subpixel.network.identify import is_ort_file, read_declared_spec
from subpixel.serve.vendor import LICENCES, PAGE, find_vendor, vendor_files
from subpixel.spec import ModelSpec
from subpixel.system.files.hashing import hash_file
from subpixel.system.files.targets import make_folder

SOURCES = (
    *("*.html", "*.css", "*.svg", "*.webmanifest", "service_worker.js"),
    *("app/*.js", "files/*.js", "work/*.js"),
)
"""The page's own files beneath :data:`~subpixel.serve.vendor.PAGE`."""

FIRST_VISIT = ("ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm", "ort.wasm.min.mjs")
"""Of the runtime, what is fetched at once; the other half is for graphics cards, and fetched where
it is asked for."""

PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "connect-src 'self' blob:",
        "form-action 'none'",
        "base-uri 'none'",
    )
)
"""What the page may load and where it may connect to: nothing but where it comes from."""

HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Content-Security-Policy": PAGE_POLICY,
}
"""What a server should send with the page: a browser gives it threads then, and holds its worker to
:data:`PAGE_POLICY`, from the first visit on; without, from the second."""


@dataclass(frozen=True)
class PageNetwork:
    """A network as the page lists it: its file's facts, and the file as it is fetched."""

    spec: ModelSpec
    file: str
    content: bytes

    @property
    def row(self) -> dict[str, object]:
        """Its row of ``networks.json``."""
        digest = hashlib.sha256(self.content).hexdigest()
        return asdict(self.spec) | {
            "file": self.file,
            "bytes": len(self.content),
            "sha256": digest,
        }


def write_page(folder: Path, networks: Sequence[Path]) -> None:
    """Write the page with these network files into ``folder``, made if need be.

    The files state their facts, as those that subpixel exported do; the first is the one that the
    page chooses. All that the page loads lies in the folder. Raises :class:`UsageError` for no
    network or two of one name, :class:`NetworkError` for a file that can't be run in a page, and
    what :func:`~subpixel.serve.vendor.find_vendor` raises.
    """
    rows = [_read_network(file) for file in networks]
    _expect_own_names(rows)
    vendor = find_vendor()
    make_folder(folder)
    for pattern in SOURCES:
        for file in PAGE.glob(pattern):
            _copy_file(file, folder / file.relative_to(PAGE))
    for name in (*vendor_files(), LICENCES):
        _copy_file(vendor / name, folder / "vendor" / name)
    (folder / "networks").mkdir(exist_ok=True)
    for row in rows:
        (folder / "networks" / row.file).write_bytes(row.content)
    listing = json.dumps([row.row for row in rows], indent=1)
    (folder / "networks.json").write_text(listing + "\n", encoding="utf-8")
    _write_release(folder, rows)


def list_page_networks() -> tuple[Path, ...]:
    """The bundled networks for the page: in 8-bit integers and in float32, the default first."""
    from subpixel.zoo import manifest
    from subpixel.zoo.family import POINTS

    names = (*(point.name for point in POINTS), "fast")
    rows = [
        row
        for name in names
        for row in manifest.read_manifest()
        if row.name.removesuffix(manifest.INT8) == name
    ]
    rows.sort(key=lambda row: not row.name.endswith(manifest.INT8))
    return tuple(manifest.verify_bundled(row) for row in rows)


def _read_network(file: Path) -> PageNetwork:
    if not file.is_file():
        raise NetworkError(f"{file}: there is no such file")
    spec = read_declared_spec(file)
    if spec is None or is_ort_file(file):
        raise NetworkError(
            f"{file} states no facts about itself: make an ONNX file of it that does, with "
            "subpixel export or subpixel adopt"
        )
    if spec.precision not in ("fp32", "int8"):
        raise NetworkError(f"{file} is {spec.precision}; a page runs fp32 and int8")
    if spec.fixed_batch not in (None, 1):
        raise NetworkError(f"{file} takes {spec.fixed_batch} pictures at once; a page has one")
    return _with_rgb(file, spec)


def _with_rgb(file: Path, spec: ModelSpec) -> PageNetwork:
    """A luma network becomes one for RGB, as everywhere."""
    if spec.interface == "rgb":
        return PageNetwork(spec, file.name, file.read_bytes())
    from subpixel.graph.metadata import load_model, with_spec
    from subpixel.graph.passes.wrap import rgb_from_luma, spec_on_rgb

    model = with_spec(rgb_from_luma(load_model(file), spec.scale), spec_on_rgb(spec))
    return PageNetwork(spec_on_rgb(spec), file.name, model.SerializeToString())


def _expect_own_names(rows: Sequence[PageNetwork]) -> None:
    if not rows:
        raise UsageError("a page needs a network; name at least one file")
    names = [row.file for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two network files are called {twice[0]}; give them names of their own")


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write_release(folder: Path, networks: Sequence[PageNetwork]) -> None:
    """``release.js``: what the service worker fetches at the first visit, and then in the
    background, and what it keeps when it is asked for; under a name that changes with any of the
    files."""
    own = [file.relative_to(PAGE).as_posix() for pattern in SOURCES for file in PAGE.glob(pattern)]
    shell = [name for name in own if name != "service_worker.js"]
    runtime = [f"vendor/{name}" for name in (*FIRST_VISIT, "index.js", "styles.css")]
    first = [f"networks/{row.file}" for row in networks if _is_like(row.spec, networks[0].spec)]
    files = sorted([*shell, "networks.json", *runtime, *first])
    lists = {"files": files, "later": _list_later(networks, first), "asked": _list_asked()}
    all_files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = [hash_file(path) for path in all_files if path.name != "release.js"]
    version = hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]
    release = json.dumps({"version": version, "policy": PAGE_POLICY, **lists}, indent=1)
    (folder / "release.js").write_text(f"self.RELEASE = {release};\n", encoding="utf-8")


def _list_later(networks: Sequence[PageNetwork], first: Sequence[str]) -> list[str]:
    """The networks that are not needed at once, those of the first one's scale first."""
    near = sorted(networks, key=lambda row: row.spec.scale != networks[0].spec.scale)
    return [name for row in near if (name := f"networks/{row.file}") not in first]


def _list_asked() -> list[str]:
    """The runtime for graphics cards."""
    own = (*FIRST_VISIT, "index.js", "styles.css")
    return [f"vendor/{name}" for name in vendor_files() if name not in own]


def _is_like(spec: ModelSpec, first: ModelSpec) -> bool:
    """Whether a photo may go through this network without another choice than the first one's: by
    its compression, one of several of a scale."""
    return (spec.scale, spec.samples) == (first.scale, first.samples)
