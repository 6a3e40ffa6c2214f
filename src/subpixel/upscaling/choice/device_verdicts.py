"""What contests between devices showed, in the user's cache, each for one network and one machine
as they are: where either has changed, nothing is loaded."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from subpixel.errors import SubpixelError
from subpixel.network.tuning_cache import HASH_DIGITS, tuning_key
from subpixel.spec import Precision
from subpixel.strict_json import JsonError, Within, read_value
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.cache import cache_folder
from subpixel.system.files.json_files import read_json_file
from subpixel.system.files.targets import make_folder

MAX_CONTEST_RATIO = 1e6
"""The most that a verdict in the user's cache may say."""


@dataclass(frozen=True)
class DeviceVerdict:
    """What came of a contest between the processor and another device."""

    rival: str
    """The other device."""
    faster: bool
    """Whether ``auto`` is to take it."""
    ratio: Annotated[float | None, Within(0, MAX_CONTEST_RATIO)]
    """How many times as fast as the processor it was; None where it can't run the network."""
    reason: str
    """In one line."""


@dataclass(frozen=True)
class Contest:
    """Who ran what, where."""

    network: Path
    """The file that was named; another form of it may have run."""
    precision: Precision
    """What the processor computed in."""
    rival: str

    @property
    def digest(self) -> str:
        """Of all that the verdict holds for."""
        parts = (tuning_key(self.network).digest, self.precision, self.rival)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class StoredVerdict:
    """A verdict in the user's cache."""

    contest: Contest
    digest: str
    verdict: DeviceVerdict
    current: bool = False
    """Whether it is for this machine and this network as they are now; else nothing uses it."""


def load_verdict(contest: Contest) -> DeviceVerdict | None:
    """What was stored for ``contest``; None where nothing was, or what is there is damaged."""
    digest = contest.digest
    try:
        stored = _read_verdict(_verdict_file(digest))
    except (OSError, JsonError):
        return None
    return stored.verdict if stored.digest == digest else None


def store_verdict(contest: Contest, verdict: DeviceVerdict) -> None:
    """Write it to the user's cache; where that can't be written, the next process has its own
    contest."""
    digest = contest.digest
    text = json.dumps(asdict(StoredVerdict(contest, digest, verdict)), default=str, indent=1)
    try:
        make_folder(_verdict_folder())
        write_bytes(_verdict_file(digest), text.encode(), overwrite=True)
    except (OSError, SubpixelError):
        return


def list_verdicts() -> tuple[StoredVerdict, ...]:
    """All that can be read in the user's cache, by their networks."""
    verdicts: list[StoredVerdict] = []
    for file in sorted(_verdict_folder().glob("*.json")):
        try:
            stored = _read_verdict(file)
            network = stored.contest.network
            current = network.is_file() and stored.contest.digest == stored.digest
        except (OSError, JsonError):
            continue
        verdicts.append(replace(stored, current=current))
    return tuple(sorted(verdicts, key=lambda stored: stored.contest.network))


def _read_verdict(file: Path) -> StoredVerdict:
    return read_value(read_json_file(file), StoredVerdict, "the verdict")


def _verdict_file(digest: str) -> Path:
    return _verdict_folder() / f"{digest[:HASH_DIGITS]}.json"


def _verdict_folder() -> Path:
    return cache_folder() / "devices"
