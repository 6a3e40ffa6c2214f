"""Mutated files of every kind that is read, put through what a user would do with them.

    python -m tests.robustness --seed 7 --seconds 600
    python -m tests.robustness --seed 7 --only pictures --case 1234

Each case is a function of the seed, its kind and its number, and runs in a process that is watched.
Findings are: a death by a signal, a hang, an exception that is none of subpixel's, memory over the
budget, a damaged file that passes for a lack of memory, files left or half-written, and messages on
stderr that aren't ours. The first files of each cause are kept, with a line how to repeat them.
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VIPS_CONCURRENCY"), "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from tests.robustness.campaign import Campaign, write_summary
from tests.robustness.case import FAULTS
from tests.robustness.findings import Findings
from tests.robustness.kinds import KINDS, Kind, find_kind


def main() -> None:
    options = _parse_options()
    kinds = [find_kind(name) for name in options.only] if options.only else list(KINDS)
    campaign = Campaign(options.seed, kinds, Findings(options.keep), say=_say)
    if options.case is not None:
        sys.exit(_repeat(campaign, options.case))
    campaign.run(options.seconds, options.count)
    file = write_summary(campaign, options.keep)
    _say(file.read_text())
    sys.exit(bool(campaign.findings.causes))


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.robustness",
        description=__doc__,
        epilog="findings: " + "; ".join(f"{kind}: {what}" for kind, what in FAULTS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--count", type=int, help="at most so many cases of each kind")
    parser.add_argument("--only", nargs="+", choices=[kind.name for kind in KINDS])
    parser.add_argument("--case", type=int, help="one case, of the kind that --only names")
    parser.add_argument(
        "--keep", type=Path, default=Path("build/robustness"), help="the folder of findings"
    )
    options = parser.parse_args()
    if options.case is not None and len(options.only or ()) != 1:
        parser.error("--case goes with --only and one kind")
    return options


def _repeat(campaign: Campaign, number: int) -> bool:
    """The file is kept whether there is a finding or not."""
    from tests.robustness.kinds import Case

    kind: Kind = campaign.kinds[0]
    drawn = Case(kind, campaign.seed, number).draw()
    campaign.findings.folder.mkdir(parents=True, exist_ok=True)
    file = campaign.findings.folder / f"{kind.name}-{campaign.seed}-{number}{drawn.suffix}"
    file.write_bytes(drawn.data)
    end = campaign.run_case(number)
    details = [fault.detail for fault in end.verdict.faults]
    _say(f"{file}, made of {drawn.name}\n{json.dumps(end.to_json(), indent=1)}")
    _say("\n".join(details))
    return bool(end.verdict.faults)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
