"""What a case is, and what came of one."""

from dataclasses import asdict, dataclass
from typing import Any

FAULTS = {
    "crash": "the process died of a signal, or ended by itself",
    "hang": "it took more processor time than it may, or never ended",
    "exception": "an exception that is none of subpixel's",
    "memory": "the process held more than its budget",
    "shortage": "a damaged file passed for a lack of memory",
    "leftover": "a file was left that nobody asked for",
    "half-written": "what lies under the final name is no whole file",
    "noise": "something that isn't ours stands on stderr",
}
"""What counts as a finding."""


@dataclass(frozen=True)
class Fault:
    """Something that must not happen."""

    kind: str
    """A key of :data:`FAULTS`."""
    signature: str
    """Equal for what probably has one cause."""
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """What came of a case."""

    word: str
    """``ok``, ``refused`` by an error of ours, ``stopped`` by a limit that is there for it,
    ``left`` (too large to go on with)."""
    detail: str = ""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class CaseEnd:
    """A case that a child has done, as it tells its parent."""

    number: int
    verdict: Verdict
    peak: int
    """Most bytes that the process held."""
    seconds: float
    cpu: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> "CaseEnd":
        verdict = values["verdict"]
        faults = tuple(Fault(**fault) for fault in verdict["faults"])
        return CaseEnd(**values | {"verdict": Verdict(**verdict | {"faults": faults})})
