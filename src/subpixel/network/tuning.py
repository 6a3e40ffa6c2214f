"""How a network runs fastest on this machine: found by ``subpixel tune``, kept in the user's cache.

What was found holds for one network under certain versions on one machine. All of that is the
key; where any part of it has changed, nothing is found.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.errors import ProviderError, SubpixelError, UsageError, one_line
from subpixel.network.flatness import Flatness
from subpixel.network.network import Network, locate, open_network
from subpixel.runtime.devices import DEVICES, Arithmetic, find_device
from subpixel.runtime.opening import available_devices
from subpixel.runtime.provider_options import provider_options
from subpixel.spec import Precision
from subpixel.system.atomic import write_bytes
from subpixel.system.cache import cache_folder
from subpixel.system.processors import cores, graphics_names, processor_name
from subpixel.system.versions import package_version
from subpixel.zoo import manifest

PACKAGES = ("subpixel", "onnxruntime", "onnxruntime-gpu", "openvino", "numpy")
"""Those whose versions decide how fast a network runs, and what it computes."""

FORMAT = 2
"""Of what is kept: raised when a setting says more, or something else, than before."""

ADAPTIVE = 1.0
"""Code values of 8 bits that interpolated flat parts may be from the network."""

SHORT = 16
"""Hexadecimal digits of a hash that go into a file's name."""


@dataclass(frozen=True)
class Setting:
    """One way to run a network."""

    device: str
    """A key of :data:`~subpixel.runtime.devices.DEVICES`."""
    precision: Precision | None = None
    """What is computed in; None: what the file says. ``"int8"`` is a file of its own."""
    tile: int | None = None
    """As in :class:`~subpixel.upscaling.upscaler.Upscaler`."""
    threads: int | None = None
    """As in :class:`~subpixel.upscaling.upscaler.Upscaler`."""
    captured: bool = False
    """Whether CUDA graphs are replayed."""
    batch: int = 1
    """As in :class:`~subpixel.upscaling.upscaler.Upscaler`."""
    adaptive: bool = False
    """Whether flat parts are interpolated, within :data:`ADAPTIVE` of the network."""

    @property
    def name(self) -> str:
        parts = [self.device, self.precision or "", "CUDA graphs" if self.captured else ""]
        parts += ["" if self.tile is None else f"tile {self.tile}"]
        parts += ["" if self.batch == 1 else f"batch {self.batch}"]
        parts += ["" if self.threads is None else f"{self.threads} threads"]
        parts += ["adaptive" if self.adaptive else ""]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Row:
    """A setting that keeps the floor, and what was measured of it."""

    setting: Setting
    file: Path
    """The network's file in that precision."""
    sha256: str
    """Of the file."""
    ratio: float
    """How many times as fast as the default setting: the median of interleaved rounds."""
    seconds_per_megapixel: float
    """Of the input."""
    opening: float
    """Seconds until the network is open."""
    psnr: float
    """PSNR in dB between 8-bit pictures of a photograph and the fp32 file's; may be infinite."""
    task_loss: float | None = None
    """By how many dB the PSNR on a benchmark set is lower; None where it was not measured."""
    flatness: Flatness | None = None
    """What passes for flat, as measured, where the setting is adaptive."""


@dataclass(frozen=True)
class Wish:
    """What the user asks for by name, None where anything will do: it goes before all tuning."""

    device: str | None = None
    precision: Precision | None = None
    tile: int | None = None
    threads: int | None = None
    adaptive: bool | None = None


ANYTHING = Wish()


@dataclass(frozen=True)
class Key:
    """What a tuning holds for."""

    model: str
    """sha256 of the network's file."""
    versions: Mapping[str, str | None]
    devices: Sequence[str]
    """The devices that there are."""
    options: Mapping[str, Mapping[str, str]]
    """What each device's provider is told."""
    processor: str
    graphics: Sequence[str]
    cores: int
    processors: int | None
    """Logical ones."""
    format: int = FORMAT

    @property
    def digest(self) -> str:
        return _digest(json.dumps(asdict(self), sort_keys=True))


@dataclass(frozen=True)
class Tuning:
    """What was found: the default's row, and the others, the best first."""

    floor_db: float
    default: Row
    rows: tuple[Row, ...]

    def choose(self, wish: Wish = ANYTHING, *, deep: bool = False) -> Row | None:
        """The best row that fits ``wish``, with the tile and threads that it names; else None.

        ``deep`` pictures, of more than 8 bits, are computed in fp32 alone, and as a whole unless
        ``wish`` says ``adaptive``. A tile that is named goes through by itself: batches were
        measured in tiles of another size.
        """
        for row in self.rows:
            if _fits(row.setting, wish, deep):
                return replace(row, setting=_wished(row.setting, wish))
        return None

    def for_work(self, megapixels: float) -> "Tuning":
        """Without the rows whose opening takes longer than they save on so much work."""
        limit = _seconds(self.default, megapixels)
        return replace(self, rows=tuple(r for r in self.rows if _seconds(r, megapixels) <= limit))


def _fits(setting: Setting, wish: Wish, deep: bool) -> bool:
    return (
        wish.device in (None, setting.device)
        and wish.precision in (None, setting.precision)
        and (setting.precision == "fp32" or not deep)
        and not (setting.adaptive and (deep or wish.adaptive is False))
    )


def _seconds(row: Row, megapixels: float) -> float:
    return row.opening + megapixels * row.seconds_per_megapixel


def _wished(setting: Setting, wish: Wish) -> Setting:
    return replace(
        setting,
        tile=setting.tile if wish.tile is None else wish.tile,
        threads=setting.threads if wish.threads is None else wish.threads,
        batch=setting.batch if wish.tile is None else 1,
        adaptive=setting.adaptive if wish.adaptive is None else wish.adaptive,
    )


def open_setting(
    setting: Setting,
    file: Path,
    scale: int | None = None,
    convention: Convention = UNKNOWN_CONVENTION,
) -> Network:
    """The network of ``file``, run as ``setting`` says; ``scale`` must be its own, if given.
    ``convention`` is what is known of a third-party file.

    Raises :class:`ProviderError` where it would be computed in another precision, and what
    :func:`~subpixel.network.network.open_network` raises.
    """
    arithmetic = _arithmetic(setting)
    network = open_network(
        file,
        scale=scale,
        device=setting.device,
        threads=setting.threads,
        side_by_side=setting.tile != 0,
        arithmetic=arithmetic,
        captured=setting.captured,
        convention=convention,
    )
    computed = network.spec.precision if arithmetic == "fp32" else arithmetic
    if setting.precision not in (None, computed):
        raise ProviderError(
            f"{setting.device} would compute {file.name} in {computed}, not in "
            f"{setting.precision}: name another device or precision, or make a file of that "
            "precision with subpixel quantize"
        )
    return network


def _arithmetic(setting: Setting) -> Arithmetic:
    choice = find_device(setting.device).runtime == "openvino"
    return setting.precision if choice and setting.precision in ("bf16", "fp16") else "fp32"


def file_in(model: str | Path, scale: int | None, precision: Precision | None) -> Path:
    """The file to open for ``precision``: a bundled network has one of its own for int8.

    Raises what :func:`~subpixel.network.network.locate` raises, and :class:`UsageError` where there
    is none.
    """
    file = locate(model, scale)
    if precision != "int8" or str(model).endswith(manifest.INT8):
        return file
    if file == Path(model) or str(model) not in manifest.network_names():
        raise UsageError(
            f"{model} may be of any precision; make an int8 file of it with subpixel quantize and "
            "name that, or run subpixel tune"
        )
    return locate(f"{model}{manifest.INT8}", scale)


def key_of(file: Path) -> Key:
    """What a tuning of this network holds for, on this machine as it is."""
    return Key(
        model=sha256_of(file),
        versions={name: package_version(name) for name in PACKAGES},
        devices=available_devices(),
        options={name: provider_options(name, cache_folder()) for name in DEVICES},
        processor=processor_name(),
        graphics=graphics_names(),
        cores=cores(),
        processors=os.cpu_count(),
    )


def remember(tuning: Tuning, key: Key) -> Path:
    """Keep ``tuning`` in the user's cache, in place of an older one, whole or not at all.

    Raises :class:`~subpixel.errors.SubpixelError` where the cache can't be written.
    """
    file = _file(key)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SubpixelError(f"{file.parent} can't be made: {error.strerror}") from error
    found = json.dumps(asdict(tuning), default=str)
    kept = {"key": asdict(key), "sha256": _digest(found), "tuning": json.loads(found)}
    write_bytes(file, json.dumps(kept, indent=1).encode(), overwrite=True)
    return file


def remembered(
    model: str | Path = manifest.DEFAULT_NETWORK,
    *,
    scale: int | None = None,
    complain: Callable[[str], None] = warnings.warn,
) -> Tuning | None:
    """What ``subpixel tune`` found for ``model`` on this machine; None where it was not run, or
    where the network, a version or the machine has changed since.

    What can't be read is left alone, and ``complain`` is told in a line; so are networks made for
    it that are gone.
    """
    if not _folder().is_dir():
        return None
    network = locate(model, scale)
    if not network.is_file() or not any(_folder().glob(f"{sha256_of(network)[:SHORT]}-*.json")):
        return None  # as a rule, and found out at once
    key = key_of(network)
    file = _file(key)
    if not file.is_file():
        return None
    try:
        found = json.loads(file.read_bytes())
        if found["key"] != json.loads(json.dumps(asdict(key))):
            return None
        if found["sha256"] != _digest(json.dumps(found["tuning"])):
            raise ValueError("its checksum differs")
        tuning = _tuning(found["tuning"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        complain(f"{file} is damaged and not used ({one_line(error)}); run subpixel tune again")
        return None
    return _with_files(tuning, complain)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _folder() -> Path:
    return cache_folder() / "tuning"


def _file(key: Key) -> Path:
    return _folder() / f"{key.model[:SHORT]}-{key.digest[:SHORT]}.json"


def sha256_of(file: Path) -> str:
    """Hexadecimal, of the file's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _tuning(found: Mapping[str, Any]) -> Tuning:
    rows = tuple(_row(row) for row in found["rows"])
    return Tuning(float(found["floor_db"]), _row(found["default"]), rows)


def _row(found: Mapping[str, Any]) -> Row:
    flat = found["flatness"]
    return Row(
        **{
            **found,
            "file": Path(found["file"]),
            "setting": Setting(**found["setting"]),
            "flatness": None if flat is None else Flatness(**flat),
        }
    )


def _with_files(tuning: Tuning, complain: Callable[[str], None]) -> Tuning:
    """Without the rows whose network is not what it was."""
    files = {row.file: row.sha256 for row in tuning.rows}
    lost = {file for file, sha256 in files.items() if not _is(file, sha256)}
    for file in sorted(lost):
        complain(f"{file} is gone or changed and not used; run subpixel tune again")
    return replace(tuning, rows=tuple(row for row in tuning.rows if row.file not in lost))


def _is(file: Path, sha256: str) -> bool:
    return file.is_file() and sha256_of(file) == sha256
