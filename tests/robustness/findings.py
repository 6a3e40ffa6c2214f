"""What was found: counted by cause, the first files of each kept with a line how to repeat it."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.robustness.case import CaseEnd, Fault
from tests.robustness.kinds import Case

KEPT_EACH = 3
"""Files that are kept of what has one cause."""


@dataclass
class Findings:
    """All findings of a campaign."""

    folder: Path
    """Where files are kept, in a folder for each kind of fault."""
    causes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By the kind of input, the kind of fault and its signature."""
    repeats: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def add(self, case: Case, end: CaseEnd) -> list[str]:
        """Keep what has not been seen; a line for each new cause."""
        lines = []
        for fault in end.verdict.faults:
            cause = (case.kind.name, fault.kind, fault.signature)
            self.causes[cause] += 1
            if self.causes[cause] <= KEPT_EACH:
                file = self._keep(case, end, fault)
            if self.causes[cause] == 1:
                self.repeats[cause] = repeat_line(case)
                lines.append(f"{fault.kind} in {case.kind.name}: {fault.signature}\n  {file}")
                lines.append(f"  {repeat_line(case)}")
        return lines

    def _keep(self, case: Case, end: CaseEnd, fault: Fault) -> Path:
        folder = self.folder / fault.kind
        folder.mkdir(parents=True, exist_ok=True)
        drawn = case.draw()
        name = f"{case.kind.name}-{case.seed}-{case.number}"
        file = folder / f"{name}{drawn.suffix}"
        file.write_bytes(drawn.data)
        facts = {
            "repeat": repeat_line(case), "made of": drawn.name, "fault": fault.kind,
            "signature": fault.signature, "peak": end.peak, "cpu": end.cpu, "detail": fault.detail,
        }  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(facts, indent=1))
        return file

    def list_causes(self) -> list[dict[str, object]]:
        """The most frequent first."""
        return [
            {"count": count, "input": cause[0], "fault": cause[1], "signature": cause[2],
             "repeat": self.repeats[cause]}
            for cause, count in self.causes.most_common()
        ]  # fmt: skip


def repeat_line(case: Case) -> str:
    return (
        f"python -m tests.robustness --seed {case.seed} --only {case.kind.name} "
        f"--case {case.number}"
    )
