"""The bundled networks: the manifest's facts on each, and its verified file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from subpixel.errors import NetworkError, UsageError, one_line
from subpixel.strict_json import read_value

FOLDER = Path(__file__).parent
AUTO = "auto"
"""The name that leaves the network to each picture; what ``upscale`` uses by default."""
DEFAULT_NETWORK = "balanced"
"""The network for what shows no damage."""
DENOISE = "denoise"
"""The network for JPEGs."""
DRAWING = "drawing"
"""The name for what is drawn, as screenshots and logos; a point of the family."""
INT8 = "-int8"
"""The suffix of the names of networks in 8-bit integers."""


@dataclass(frozen=True)
class BundledNetwork:
    """One row of ``manifest.toml``: one network at one scale."""

    name: str
    scale: int
    file: str
    sha256: str
    licence: str
    training_data: str
    steps: int
    """Training steps, warm start not counted."""
    parameters: int
    multiply_adds: int
    """Per low-resolution pixel, colour included."""
    psnr: Mapping[str, float] = field(default_factory=dict)
    """Y-PSNR in dB by benchmark set, by the protocol of :mod:`subpixel.measure.evaluate`."""
    bicubic_psnr: Mapping[str, float] = field(default_factory=dict)
    """The same for bicubic interpolation."""

    @property
    def path(self) -> Path:
        return FOLDER / self.file


@dataclass(frozen=True)
class _Manifest:
    network: tuple[BundledNetwork, ...]


def read_manifest() -> tuple[BundledNetwork, ...]:
    """Every bundled network, in the manifest's order."""
    import tomllib  # imported only where a network is named

    try:
        with (FOLDER / "manifest.toml").open("rb") as stream:
            return read_value(tomllib.load(stream), _Manifest, "the manifest").network
    except (OSError, ValueError) as error:  # JsonError and TOML's own are such
        raise NetworkError(
            f"{FOLDER / 'manifest.toml'} is damaged ({one_line(error)}); install subpixel again"
        ) from error


def network_names() -> tuple[str, ...]:
    """The bundled networks' names, sorted."""
    return tuple(sorted({row.name for row in read_manifest()}))


def list_scales(name: str) -> tuple[int, ...]:
    """The scales of the network ``name``, sorted; none where there is no such network."""
    return tuple(sorted(row.scale for row in read_manifest() if row.name == name))


def has_int8(name: str, scale: int) -> bool:
    """Whether the bundled network ``name`` has a file in 8-bit integers beside its own."""
    return any((row.name, row.scale) == (f"{name}{INT8}", scale) for row in read_manifest())


def find_bundled(name: str, scale: int) -> BundledNetwork:
    """The network ``name`` at ``scale``; raises :class:`UsageError`, naming what there is, for
    another."""
    rows, scales = read_manifest(), list_scales(name)
    if not scales:
        raise UsageError(
            f"no bundled network is called {name!r}; there are {', '.join(network_names())}"
        )
    if scale not in scales:
        raise UsageError(f"{name} has no scale {scale}; it has {', '.join(map(str, scales))}")
    return next(row for row in rows if (row.name, row.scale) == (name, scale))


def find_integers(file: Path) -> BundledNetwork | None:
    """The bundled network in 8-bit integers whose file this is; None for any other file."""
    if file.parent != FOLDER:
        return None
    rows = (row for row in read_manifest() if row.name.endswith(INT8))
    return next((row for row in rows if row.file == file.name), None)


def verify_bundled(row: BundledNetwork) -> Path:
    """The network's file, checked against the manifest's sha256."""
    from subpixel.system.files.hashing import hash_file  # hashlib: not for every --help

    digest = hash_file(row.path)
    if digest != row.sha256:
        raise NetworkError(
            f"{row.path} is damaged: its sha256 is {digest[:16]}…, the manifest says "
            f"{row.sha256[:16]}…; install subpixel again"
        )
    return row.path
