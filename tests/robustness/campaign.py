"""Kinds of input in turn, each for its share of the time."""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from tests.robustness.case import CaseEnd
from tests.robustness.findings import Findings
from tests.robustness.kinds import Case, Kind, list_seeds
from tests.robustness.watch import CPU_LIMIT, run_batch_watched

BATCH_CASES = 500
"""Cases of one process."""

BATCH_SECONDS = 60.0

MIN_SECONDS = 2.0
"""Of one process: opening a network takes part of it."""


@dataclass
class Tally:
    """What was done of one kind."""

    cases: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    longest: float = 0.0
    """Seconds of processor time of one case."""
    verdicts: Counter[str] = field(default_factory=Counter)

    def add(self, end: CaseEnd) -> None:
        self.cases += 1
        self.cpu += end.cpu
        self.peak = max(self.peak, end.peak)
        self.longest = max(self.longest, end.cpu)
        self.verdicts[end.verdict.word] += 1


@dataclass
class Campaign:
    """Cases of a seed, by kinds."""

    seed: int
    kinds: Sequence[Kind]
    findings: Findings
    say: Callable[[str], None]
    cpu_limit: float = CPU_LIMIT
    """Seconds of processor time of a case."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    next_numbers: dict[str, int] = field(default_factory=dict)

    def run(self, seconds: float, most: int | None = None) -> None:
        """For so many seconds, or until each kind has ``most`` cases."""
        import_libraries(self.kinds)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            kind = self._choose(most)
            if kind is None:
                return
            slice_ = max(MIN_SECONDS, min(BATCH_SECONDS, kind.share * seconds / 2))
            self._run_batch(kind, min(left, slice_), most)

    def run_case(self, number: int) -> CaseEnd:
        """One case by itself."""
        import_libraries(self.kinds)
        (kind,) = self.kinds
        (end,) = run_batch_watched(kind, self.seed, number, 1, 3600, self.cpu_limit)
        return end

    def summary(self) -> dict[str, object]:
        """As JSON; the peak is in MB."""
        rows = {
            name: {
                "cases": tally.cases,
                "per second": round(tally.cases / max(tally.seconds, 0.001), 1),
                "longest": round(tally.longest, 1),
                "peak": tally.peak >> 20,
                **dict(tally.verdicts),
            }
            for name, tally in self.tallies.items()
        }
        total = sum(tally.cases for tally in self.tallies.values())
        return {
            "seed": self.seed, "cases": total, "kinds": rows,
            "findings": sum(self.findings.causes.values()), "causes": self.findings.list_causes(),
        }  # fmt: skip

    def _choose(self, most: int | None) -> Kind | None:
        """The kind that lags behind its share most."""
        open_kinds = [k for k in self.kinds if most is None or self._tally(k).cases < most]
        return min(open_kinds, key=lambda k: self._tally(k).seconds / k.share, default=None)

    def _run_batch(self, kind: Kind, seconds: float, most: int | None) -> None:
        tally, start = self._tally(kind), self.next_numbers.get(kind.name, 0)
        count = BATCH_CASES if most is None else min(BATCH_CASES, most - tally.cases)
        began = time.monotonic()
        for end in run_batch_watched(kind, self.seed, start, count, seconds, self.cpu_limit):
            tally.add(end)
            self.next_numbers[kind.name] = end.number + 1
            for line in self.findings.add(Case(kind, self.seed, end.number), end):
                self.say(line)
        tally.seconds += time.monotonic() - began

    def _tally(self, kind: Kind) -> Tally:
        return self.tallies.setdefault(kind.name, Tally())


def import_libraries(kinds: Sequence[Kind]) -> None:
    """Once, so that each forked process has them; nothing that starts a thread."""
    for name in dict.fromkeys(name for kind in kinds for name in kind.libraries):
        import_module(name)
    for kind in kinds:
        list_seeds(kind)
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise SystemExit("a library started a thread: what is forked now could wait for ever")


def write_summary(campaign: Campaign, folder: Path) -> Path:
    """Beside the findings."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"summary-{campaign.seed}.json"
    file.write_text(json.dumps(campaign.summary(), indent=1))
    return file
