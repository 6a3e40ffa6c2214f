"""What ``subpixel tune`` found, in the user's cache.

It holds for one network under certain versions on one machine. All of that is the key; where any
part of it has changed, nothing is loaded.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from subpixel.errors import one_line
from subpixel.network.checks.forms import find_fault
from subpixel.network.locate import locate
from subpixel.network.tuning import TunedSettings, Tuning, parse_tuning
from subpixel.runtime.devices import DEVICES, provider_options
from subpixel.runtime.opening import available_devices
from subpixel.strict_json import JsonError, read_value
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.cache import cache_folder
from subpixel.system.files.hashing import hash_file
from subpixel.system.files.json_files import read_json_file
from subpixel.system.files.targets import make_folder
from subpixel.system.processors import cores, graphics_names, processor_name
from subpixel.system.versions import package_version
from subpixel.zoo import manifest

TUNING_PACKAGES = (
    *("subpixel", "onnxruntime", "onnxruntime-gpu", "openvino", "numpy"),
    *("onnxruntime-ep-webgpu", "onnxruntime-ep-openvino"),
    *("onnxruntime-ep-nv-tensorrt-rtx", "onnxruntime-qnn"),
)
"""Those whose versions decide how fast a network runs, and what it computes."""

TUNING_FORMAT = 4
"""Of what is stored: raised when a setting says more, or something else, than before."""

HASH_DIGITS = 16
"""Hexadecimal digits of a hash that go into a file's name."""


@dataclass(frozen=True)
class TuningKey:
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
    format: int = TUNING_FORMAT

    @property
    def digest(self) -> str:
        """sha256 of all of it."""
        return _hash_text(json.dumps(asdict(self), sort_keys=True))


def tuning_key(file: Path) -> TuningKey:
    """What a tuning of this network holds for, on this machine as it is."""
    return TuningKey(
        model=hash_file(file),
        versions={name: package_version(name) for name in TUNING_PACKAGES},
        devices=available_devices(),
        options={name: provider_options(name, cache_folder()) for name in DEVICES},
        processor=processor_name(),
        graphics=graphics_names(),
        cores=cores(),
        processors=os.cpu_count(),
    )


def store_tuning(tuning: Tuning, key: TuningKey) -> Path:
    """Write ``tuning`` to the user's cache, in place of an older one, whole or not at all.

    Raises :class:`~subpixel.errors.SubpixelError` where the cache can't be written.
    """
    file = _tuning_file(key)
    make_folder(file.parent)
    text = json.dumps(asdict(tuning), default=str)
    content = {"key": asdict(key), "sha256": _hash_text(text), "tuning": json.loads(text)}
    write_bytes(file, json.dumps(content, indent=1).encode(), overwrite=True)
    return file


def load_tuning(
    model: str | Path = manifest.DEFAULT_NETWORK,
    *,
    scale: int | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> Tuning | None:
    """What ``subpixel tune`` found for ``model`` on this machine; None where it was not run, or
    where the network, a version or the machine has changed since.

    What can't be read, or is no tuning, is left alone, and ``warn`` gets a line; so it does of rows
    whose file is not this network in that row's precision. Raises what
    :func:`~subpixel.network.locate.locate` raises.
    """
    try:
        names = _list_folder()
        if not names:
            return None
        network = locate(model, scale)
        if not network.is_file() or not _has_tuning(network, names):
            return None  # without the rest of the key, which takes longer to gather
        key = tuning_key(network)
        file = _tuning_file(key)
        if file.name not in names:
            return None
        return _load_file(file, key, network, warn)
    except OSError as error:
        warn(f"{tuning_folder()} can't be read ({_reason(error)}); what tune found is not used")
        return None


@dataclass(frozen=True)
class StoredTuning:
    """A tuning in the user's cache."""

    file: Path
    tuning: Tuning
    current: bool
    """Whether it is for this machine as it is now; else nothing uses it."""


def list_tunings() -> tuple[tuple[StoredTuning, ...], tuple[str, ...]]:
    """All tunings in the user's cache, by their networks, and a line on each damaged one."""
    try:
        names = _list_folder()
    except OSError as error:
        return (), (f"{tuning_folder()} can't be read ({_reason(error)})",)
    tunings: list[StoredTuning] = []
    faults: list[str] = []
    for name in names:
        try:
            tunings.append(_read_stored(tuning_folder() / name))
        except (OSError, JsonError) as error:
            faults.append(_damage(tuning_folder() / name, error))
    return tuple(sorted(tunings, key=lambda stored: stored.tuning.default.file)), tuple(faults)


def tuning_folder() -> Path:
    """The folder of all tunings, which need not exist."""
    return cache_folder() / "tuning"


def _list_folder() -> list[str]:
    """The names of all tunings, sorted; none where there is no folder."""
    try:
        return sorted(file.name for file in tuning_folder().iterdir() if file.suffix == ".json")
    except FileNotFoundError:
        return []


def _has_tuning(network: Path, names: Sequence[str]) -> bool:
    digits = hash_file(network)[:HASH_DIGITS]
    return any(name.startswith(f"{digits}-") for name in names)


def _load_file(
    file: Path, key: TuningKey, network: Path, warn: Callable[[str], None]
) -> Tuning | None:
    try:
        tuning = _read_tuning(file, key)
    except (OSError, JsonError) as error:
        warn(f"{_damage(file, error)}; run subpixel tune again")
        return None
    return None if tuning is None else _bind(tuning, key, network, warn)


def _read_tuning(file: Path, key: TuningKey) -> Tuning | None:
    """None for a file of another key."""
    content = _read_tuning_file(file)
    if content.key != json.loads(json.dumps(asdict(key))):
        return None
    if content.sha256 != _hash_text(json.dumps(content.tuning)):
        raise JsonError("its checksum differs")
    return parse_tuning(content.tuning)


def _read_stored(file: Path) -> StoredTuning:
    tuning = parse_tuning(_read_tuning_file(file).tuning)
    network = tuning.default.file
    current = network.is_file() and _tuning_file(tuning_key(network)) == file
    return StoredTuning(file, tuning, current)


@dataclass(frozen=True)
class _Content:
    """What a file holds."""

    key: object
    sha256: str
    tuning: object


def _read_tuning_file(file: Path) -> _Content:
    return read_value(read_json_file(file), _Content, "its content")


def _damage(file: Path, error: Exception) -> str:
    return f"{file} is damaged and not used ({_reason(error)})"


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or one_line(error)


def _hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _tuning_file(key: TuningKey) -> Path:
    return tuning_folder() / f"{key.model[:HASH_DIGITS]}-{key.digest[:HASH_DIGITS]}.json"


def _bind(
    tuning: Tuning, key: TuningKey, network: Path, warn: Callable[[str], None]
) -> Tuning | None:
    """Without the rows that aren't of this network as it is; None where the default is none."""
    faults = {row: _find_row_fault(row, key, network) for row in (tuning.default, *tuning.rows)}
    for line in sorted({f"{row.file} {fault}" for row, fault in faults.items() if fault}):
        warn(f"{line}, and not used; run subpixel tune again")
    if faults[tuning.default]:
        return None
    return replace(tuning, rows=tuple(row for row in tuning.rows if not faults[row]))


def _find_row_fault(row: TunedSettings, key: TuningKey, network: Path) -> str | None:
    setting = row.setting
    if setting.precision is None or setting.device not in key.devices or setting.batch is None:
        return f"is to run in {setting.label or 'no setting'}, which this machine has not"
    if (setting.threads or 1) > (key.processors or 1):
        return f"is to run in {setting.threads} threads, which this machine has not"
    return find_fault(row.file, row.sha256, network, setting.device, setting.precision)
