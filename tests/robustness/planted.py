"""Runs the trials that fail on purpose, and prints what was seen of each: for the tests.

python -m tests.robustness.planted
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.robustness.campaign import Campaign
from tests.robustness.findings import Findings
from tests.robustness.kinds import Case, Kind, list_seeds
from tests.robustness.watch import run_batch_watched

PLANTED = Kind("planted", 1.0, "trials.planted:planted_seeds", "trials.planted:open_trial")
CASES = 80
SEED = 0
CPU_SECONDS = 4.0


def main() -> None:
    """Once each; then a campaign, which goes on after each that kills its process."""
    seen: dict[str, list[str]] = {}
    for number in range(CASES):
        name = Case(PLANTED, SEED, number).draw().name
        if name not in seen:
            (end,) = run_batch_watched(PLANTED, SEED, number, 1, 600, CPU_SECONDS)
            seen[name] = [end.verdict.word, *(fault.kind for fault in end.verdict.faults)]
        if len(seen) == len(list_seeds(PLANTED)):
            break
    with TemporaryDirectory() as folder:
        campaign = Campaign(SEED, [PLANTED], Findings(Path(folder)), print_nothing, CPU_SECONDS)
        campaign.run(600, 12)
        kept = [file.name for file in Path(folder).rglob("*.plan")]
    sys.stdout.write(json.dumps({"seen": seen, "campaign": campaign.summary(), "kept": kept}))


def print_nothing(_line: str) -> None:
    pass


if __name__ == "__main__":
    main()
