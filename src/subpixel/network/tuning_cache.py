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
from subpixel.network.locate import locate
from subpixel.network.tuning import Tuning, parse_tuning
from subpixel.runtime.devices import DEVICES, provider_options
from subpixel.runtime.opening import available_devices
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.cache import cache_folder
from subpixel.system.files.hashing import hash_file
from subpixel.system.files.targets import make_folder
from subpixel.system.processors import cores, graphics_names, processor_name
from subpixel.system.versions import package_version
from subpixel.zoo import manifest

TUNING_PACKAGES = ("subpixel", "onnxruntime", "onnxruntime-gpu", "openvino", "numpy")
"""Those whose versions decide how fast a network runs, and what it computes."""

TUNING_FORMAT = 3
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

    What can't be read is left alone, and ``warn`` gets a line; so it does of networks made for it
    that are gone. Raises what :func:`~subpixel.network.locate.locate` raises.
    """
    if not tuning_folder().is_dir():
        return None
    network = locate(model, scale)
    if not network.is_file() or not _has_tuning(network):
        return None  # without the rest of the key, which takes longer to gather
    key = tuning_key(network)
    file = _tuning_file(key)
    if not file.is_file():
        return None
    try:
        tuning = _read_tuning(file, key)
    except (OSError, ValueError, KeyError, TypeError) as error:
        warn(f"{file} is damaged and not used ({one_line(error)}); run subpixel tune again")
        return None
    return None if tuning is None else _without_lost_files(tuning, warn)


@dataclass(frozen=True)
class StoredTuning:
    """A tuning in the user's cache."""

    file: Path
    tuning: Tuning
    current: bool
    """Whether it is for this machine as it is now; else nothing uses it."""


def list_tunings() -> tuple[tuple[StoredTuning, ...], tuple[str, ...]]:
    """All tunings in the user's cache, by their networks, and a line on each damaged one."""
    tunings: list[StoredTuning] = []
    faults: list[str] = []
    for file in sorted(tuning_folder().glob("*.json")):
        try:
            tuning = parse_tuning(json.loads(file.read_bytes())["tuning"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            faults.append(f"{file} is damaged and not used ({one_line(error)})")
            continue
        network = tuning.default.file
        current = network.is_file() and _tuning_file(tuning_key(network)) == file
        tunings.append(StoredTuning(file, tuning, current))
    return tuple(sorted(tunings, key=lambda stored: stored.tuning.default.file)), tuple(faults)


def tuning_folder() -> Path:
    """The folder of all tunings, which need not exist."""
    return cache_folder() / "tuning"


def _has_tuning(network: Path) -> bool:
    return any(tuning_folder().glob(f"{hash_file(network)[:HASH_DIGITS]}-*.json"))


def _read_tuning(file: Path, key: TuningKey) -> Tuning | None:
    """None for a file of another key."""
    content = json.loads(file.read_bytes())
    if content["key"] != json.loads(json.dumps(asdict(key))):
        return None
    if content["sha256"] != _hash_text(json.dumps(content["tuning"])):
        raise ValueError("its checksum differs")
    return parse_tuning(content["tuning"])


def _hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _tuning_file(key: TuningKey) -> Path:
    return tuning_folder() / f"{key.model[:HASH_DIGITS]}-{key.digest[:HASH_DIGITS]}.json"


def _without_lost_files(tuning: Tuning, warn: Callable[[str], None]) -> Tuning:
    """Without the rows whose network is not what it was."""
    files = {row.file: row.sha256 for row in tuning.rows}
    lost = {file for file, sha256 in files.items() if not _is_unchanged(file, sha256)}
    for file in sorted(lost):
        warn(f"{file} is gone or changed and not used; run subpixel tune again")
    return replace(tuning, rows=tuple(row for row in tuning.rows if row.file not in lost))


def _is_unchanged(file: Path, sha256: str) -> bool:
    return file.is_file() and hash_file(file) == sha256
