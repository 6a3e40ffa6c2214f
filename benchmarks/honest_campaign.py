"""False alarms: honest files from a seed, each judged by ``verify``, which must not object.

    python benchmarks/honest_campaign.py --seed 6 --count 100

Where it does object, the oracle of the faulty files looks for a picture that differs: where it
finds one, the alarm is right and the file is not honest. Results lie in ``--results``, and what is
there is not judged again. The table is printed as Markdown. Needs the extra `test`.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnx
import torch
from campaign import run_campaign
from fault_campaign import RESULTS, save_weights, verified
from faults.fault import Edit, Sight
from faults.oracle import open_judge, witness
from faults.sights import CONTENTS
from honest.draw import Honest, draw

from subpixel.graph.metadata import read_spec, with_spec
from subpixel.nets.checkpoints.checkpoint import CheckpointFile


@dataclass(frozen=True)
class Row:
    """How one honest file fared."""

    index: int
    network: str
    road: str
    writings: list[str]
    claim: str
    against: str
    """The reference: another file, or the checkpoint."""
    alarm: str | None
    """What ``verify`` objects to; None: nothing."""
    witness: str | None
    """Where it objects: pictures that differ indeed; None: none was found."""
    seconds: float
    """What ``verify`` took."""


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--seed", type=int, default=1, help="another gives other files")
    options.add_argument("--count", type=int, default=100, help="how many files")
    options.add_argument("--jobs", type=int, default=1, help="how many at a time")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    given = options.parse_args()
    file = given.results / f"honest-{given.seed}.json"
    work = partial(judged, given.seed)
    print(table(run_campaign(Row, work, given.count, file, told, given.jobs)))


def judged(seed: int, index: int) -> Row:
    """Draw one honest file and give it to ``verify``."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    honest = draw(seed, index)
    with tempfile.TemporaryDirectory() as name:
        candidate, reference = saved(honest, Path(name))
        began = time.monotonic()
        objects, verdict = verified(candidate, reference)
        seconds = time.monotonic() - began
    return Row(
        index,
        honest.network,
        honest.road,
        list(honest.writings),
        honest.claim,
        reference.suffix,
        verdict if objects else None,
        difference(honest) if objects else None,
        round(seconds, 2),
    )


def saved(honest: Honest, folder: Path) -> tuple[Path, Path | CheckpointFile]:
    """The file, and its reference: its weights where there are any, else the original."""
    candidate, original = folder / "candidate.onnx", folder / "original.onnx"
    onnx.save(honest.candidate, candidate)
    if honest.weights is not None:
        return candidate, save_weights(honest.weights, folder / "original.pth")
    onnx.save(honest.original, original)
    return candidate, original


def difference(honest: Honest) -> str | None:
    """Pictures on which the two files differ by more than a code value, if there are any; of
    those that the file says it takes."""
    spec = read_spec(honest.candidate) or read_spec(honest.original)
    assert spec is not None, "hosts carry their facts"
    judge = open_judge(with_spec(honest.original, spec), honest.candidate)
    size = spec.fixed_size
    sights = tuple(Sight(*size, content) for content in CONTENTS) if size else ()
    found = witness(judge, Edit(honest.candidate, frozenset(), sights))
    return None if found is None else str(found)


def told(row: Row) -> str:
    parts = (row.network, row.road, *row.writings, row.claim, f"against {row.against}")
    what = ", ".join(part for part in parts if part)
    if row.alarm is None:
        return f"{row.index}: {what}: passed ({row.seconds:.1f} s)"
    whose = f"differs at {row.witness}" if row.witness else "no picture differs"
    return f"{row.index}: {what}: ALARM ({row.alarm}; {whose})"


def table(rows: Sequence[Row]) -> str:
    """By network, road, rewriting and claim: how many were judged, how many alarms there were."""
    groups: tuple[tuple[str, Callable[[Row], Sequence[str]]], ...] = (
        ("network", lambda row: [row.network.split(",")[0]]),
        ("export", lambda row: [row.road or "as the reference"]),
        ("rewriting", lambda row: row.writings),
        ("facts", lambda row: [row.claim]),
        ("against", lambda row: [row.against]),
    )
    lines = ["| | | files | alarms |", "|---|---|---|---|"]
    lines += [
        _line(title, name, [row for row in rows if name in names_of(row)])
        for title, names_of in groups
        for name in sorted({name for row in rows for name in names_of(row)})
    ]
    lines.append(_line("all", "", rows))
    return "\n".join([*lines, "", *(f"- {told(row)}" for row in rows if row.alarm)])


def _line(title: str, name: str, rows: Sequence[Row]) -> str:
    return f"| {title} | {name} | {len(rows)} | {sum(row.alarm is not None for row in rows)} |"


if __name__ == "__main__":
    main()
