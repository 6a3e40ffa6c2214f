"""Attack the proof: faulty files from a seed, each judged by ``verify``.

    python benchmarks/fault_campaign.py --seed 6 --count 500
    python benchmarks/fault_campaign.py --seed 6 --count 500 --bisect 60   # and is the node named?
    python benchmarks/fault_campaign.py --seed 6 --count 50 --kind "size branch"

A fault counts where it changes a picture of up to 512 × 512 pixels by more than one code value
(:mod:`faults.oracle` searches for one); the others are harmless and stand apart. Results lie in
``--results``, and what is there is not judged again. The table is printed as Markdown. Needs the
extra `test`.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnx
import torch
from campaign import run_campaign
from faults.fault import Fault, Kind
from faults.generator import draw
from faults.hosts import host
from faults.kinds import KINDS
from torch import Tensor

from subpixel.errors import SubpixelError
from subpixel.nets.checkpoints.checkpoint import CheckpointFile, parse_choice
from subpixel.parity.bisect.bisect import bisect
from subpixel.parity.verify import verify

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "build" / "faults"


@dataclass(frozen=True)
class Row:
    """How one fault fared."""

    index: int
    family: str = ""
    kind: str = ""
    host: str = ""
    witness: str | None = None
    """Pictures that it changes; None: it is harmless."""
    caught: bool = False
    verdict: str = ""
    against: str = ""
    """The reference: another file, or the checkpoint."""
    named: bool | None = None
    """Whether bisection names a right node; None: it was not asked."""
    blamed: str = ""
    seconds: float = 0.0
    """What ``verify`` took."""

    @property
    def made(self) -> bool:
        """Whether there was a place for it."""
        return bool(self.kind)

    @property
    def harmful(self) -> bool:
        return self.witness is not None


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--seed", type=int, default=1, help="another gives other faults")
    options.add_argument("--count", type=int, default=500, help="how many faults")
    options.add_argument("--kind", help="this kind or family alone")
    options.add_argument("--bisect", type=int, default=0, help="how many are given to bisect")
    options.add_argument("--jobs", type=int, default=1, help="how many at a time")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    given = options.parse_args()
    kinds = [kind for kind in KINDS if given.kind in (None, kind.name, kind.family)]
    if not kinds:
        families = ", ".join(dict.fromkeys(kind.family for kind in KINDS))
        options.error(f"--kind {given.kind!r} is no kind; the families are {families}")
    file = given.results / f"seed-{given.seed}{f'-{given.kind}' if given.kind else ''}.json"
    every = max(1, given.count // given.bisect) if given.bisect else 0
    rows = run(kinds, given.seed, given.count, every, given.jobs, file)
    print(table(rows))


def run(
    kinds: Sequence[Kind], seed: int, count: int, every: int, jobs: int, file: Path
) -> list[Row]:
    """The rows of a campaign, those in ``file`` taken from there, each written as it comes."""
    return run_campaign(
        Row, partial(judged, seed, kinds=kinds, every=every), count, file, told, jobs
    )


def told(row: Row) -> str:
    if not row.made:
        return f"{row.index}: no place for it"
    how = "caught" if row.caught else "MISSED" if row.harmful else "passed"
    harm = row.witness or "harmless"
    return f"{row.index}: {row.family}, {row.kind}, {row.host}: {how} ({harm}, {row.seconds:.1f} s)"


def judged(seed: int, index: int, *, kinds: Sequence[Kind], every: int) -> Row:
    """Draw one fault and give it to ``verify``; every so many that are caught, to ``bisect``."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    fault = draw(seed, index, kinds)
    if fault is None:
        return Row(index)
    with tempfile.TemporaryDirectory() as name:
        bad, good = saved(fault, Path(name), checkpoint=bool(index % 2))
        began = time.monotonic()
        caught, verdict = verified(bad, good)
        seconds = time.monotonic() - began
        asked = every and index % every == 0 and caught and fault.witness and fault.nodes
        blamed = blame(bad, good) if asked else None
    return Row(
        index,
        fault.kind.family,
        fault.kind.name,
        fault.host,
        None if fault.witness is None else str(fault.witness),
        caught,
        verdict,
        good.suffix,
        None if blamed is None else blamed in fault.nodes,
        blamed or "",
        round(seconds, 2),
    )


def saved(fault: Fault, folder: Path, *, checkpoint: bool) -> tuple[Path, Path | CheckpointFile]:
    """The faulty file and its reference: the honest file, or its weights where asked for and to
    be had."""
    bad, good, whole = folder / "bad.onnx", folder / "good.onnx", host(fault.host)
    onnx.save(fault.faulty, bad)
    if checkpoint and whole.checkpoint and fault.reference is whole.model:
        return bad, save_weights(whole.module.state_dict(), folder / "good.pth")
    onnx.save(fault.reference, good)
    return bad, good


def save_weights(weights: Mapping[str, Tensor], file: Path) -> CheckpointFile:
    """A checkpoint in the usual settings: photographs tell none of random weights."""
    torch.save(dict(weights), file)
    return CheckpointFile(file, choice=parse_choice(["default"]))


def verified(bad: Path, good: Path | CheckpointFile) -> tuple[bool, str]:
    """Whether ``verify`` objects, and what it says."""
    try:
        report = verify(bad, good, threads=1)
    except SubpixelError as error:
        return True, f"refused: {error}"
    return not report, report.summary()


def blame(bad: Path, good: Path | CheckpointFile) -> str:
    """The node that bisection names; what it says instead."""
    try:
        found = bisect(bad, good)
    except SubpixelError as error:
        return f"refused: {error}"
    return found.node or found.summary()


def table(rows: Sequence[Row]) -> str:
    """By family: how many were made, change a picture, are caught, are named."""
    families = list(dict.fromkeys(row.family for row in rows if row.made))
    lines = [
        "| family | kinds | made | harmless | harmful | caught | | named |",
        "|---|---|---|---|---|---|---|---|",
        *(_line(family, [row for row in rows if row.family == family]) for family in families),
        _line("all", [row for row in rows if row.made]),
    ]
    missed = [f"- {told(row)}" for row in rows if row.harmful and not row.caught]
    return "\n".join(lines + (["", f"Missed ({len(missed)}):", "", *missed] if missed else []))


def _line(name: str, rows: Sequence[Row]) -> str:
    kinds = len({row.kind for row in rows})
    harmful = [row for row in rows if row.harmful]
    caught = sum(row.caught for row in harmful)
    asked = [row for row in harmful if row.named is not None]
    named = f"{sum(bool(row.named) for row in asked)} of {len(asked)}" if asked else "–"
    rate = f"{caught / len(harmful):.1%}" if harmful else "–"
    return (
        f"| {name} | {kinds} | {len(rows)} | {len(rows) - len(harmful)} | {len(harmful)} | "
        f"{caught} | {rate} | {named} |"
    )


if __name__ == "__main__":
    main()
