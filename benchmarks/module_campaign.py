"""Attack the export: networks whose own code branches, each given to ``subpixel.export``.

    python benchmarks/module_campaign.py --seed 6 --count 38

What is published is compared with the module on pictures of many sizes and contents, up to
512 × 512, wherever the file says that it takes them. It escapes where a code value is more than
one off; what isn't published is refused, which is right too. Results lie in ``--results``, and
what is there is not done again. Needs the extra `test`.
"""

import argparse
import itertools
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from campaign import run_campaign
from faults.fault import Sight
from faults.modules import WRITERS, Written, write
from faults.sights import CONTENTS, Picture, pixels

import subpixel
from subpixel.errors import SubpixelError
from subpixel.runtime.session import Session
from subpixel.spec import Exporter, ModelSpec

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "build" / "faults"

SIDES = (37, 45, 64, 85, 90, 128, 170, 231, 300, 411, 512)
"""Heights and widths of the pictures, each with the next and with itself."""


EXPORTERS: tuple[Exporter, ...] = ("trace", "dynamo")
"""In turn over the rounds of kinds: each alone must not be believed, and together they take
minutes."""

SPEC = ModelSpec("written", 1, "rgb", "rgb", purpose="restoration")


@dataclass(frozen=True)
class Row:
    """How one module fared."""

    index: int
    kind: str
    published: bool
    way: str
    """How it was exported and what its facts rule out, or why it was refused."""
    escaped: str | None
    """Pictures on which the published file is wrong; None: none was found."""
    codes: float
    """Largest difference of code values there."""
    seconds: float


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--seed", type=int, default=1, help="another gives other networks")
    options.add_argument("--count", type=int, default=2 * len(WRITERS), help="how many")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    given = options.parse_args()
    print(table(run(given.seed, given.count, given.results / f"modules-{given.seed}.json")))


def run(seed: int, count: int, file: Path) -> list[Row]:
    """The rows of a campaign, those in ``file`` taken from there, each written as it comes."""
    return run_campaign(Row, partial(judged, seed), count, file, told)


def judged(seed: int, index: int) -> Row:
    """Export one module and look for a picture on which the published file is wrong."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    exporter = EXPORTERS[(index // len(WRITERS)) % len(EXPORTERS)]
    return published(write(seed, index), index, exporter)


def published(written: Written, index: int, exporter: Exporter, *, isolated: bool = True) -> Row:
    """What :func:`subpixel.export` makes of a module; in a process of its own, or here."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "network.onnx"
        try:
            report = subpixel.export(
                written.module, out, spec=SPEC, exporter=exporter, isolated=isolated
            )
        except SubpixelError as error:
            seconds = time.monotonic() - began
            return Row(index, written.kind, False, str(error)[:300], None, 0.0, seconds)
        seconds = round(time.monotonic() - began, 1)
        way = f"{report.tried[-1].attempt}"
        if not report:
            return Row(index, written.kind, False, way, None, 0.0, seconds)
        way += limits(report.spec)
        sight, codes = worst(written.module, Session(out, threads=1), report.spec)
    escaped = None if codes <= 1 else str(sight)
    return Row(index, written.kind, True, way, escaped, codes, seconds)


def limits(spec: ModelSpec) -> str:
    """What the file doesn't take, by its own facts."""
    parts = {
        f"{spec.fixed_size} alone": spec.fixed_size,
        f"sides up to {spec.size_maximum}": spec.size_maximum,
        f"batches of {spec.fixed_batch}": spec.fixed_batch,
    }
    return "".join(f"; {text}" for text, fact in parts.items() if fact)


def worst(module: torch.nn.Module, session: Session, spec: ModelSpec) -> tuple[Sight, float]:
    """The pictures that differ most, and by how many code values."""
    found = [(sight, _codes_apart(module, session, sight)) for sight in sights(spec)]
    return max(found, key=lambda one: one[1])


def sights(spec: ModelSpec) -> Iterator[Sight]:
    """Pictures that the file says it takes, those of its greatest size among them."""
    sizes = [*itertools.pairwise(SIDES), *zip(SIDES, SIDES, strict=True)]
    sizes += [(height, width) for width, height in sizes[: len(SIDES) - 1]]
    if spec.size_maximum:
        greatest = min(spec.size_maximum, max(SIDES))
        sizes += [(greatest, SIDES[0]), (SIDES[0], greatest), (greatest, greatest)]
    batch = spec.fixed_batch or 1
    for height, width in dict.fromkeys(_fitted(size, spec) for size in sizes):
        yield Sight(height, width, "photo", batch)
    height, width = _fitted((61, 47), spec)
    for content in CONTENTS:
        yield Sight(height, width, content, batch)
    if spec.fixed_batch is None:
        yield from (Sight(height, width, "photo", count) for count in (2, 5))


def _fitted(size: tuple[int, int], spec: ModelSpec) -> tuple[int, int]:
    """The size that the file takes next to this one, not a larger one where it need not be."""
    if spec.fixed_size:
        return spec.fixed_size
    height, width = (min(side, spec.size_maximum or side) for side in size)
    if spec.pads:
        return height, width
    step = spec.size_multiple
    least = -(-spec.size_minimum // step) * step
    height, width = (max(least, side // step * step) for side in (height, width))
    return (min(height, width),) * 2 if spec.square else (height, width)


def _codes_apart(module: torch.nn.Module, session: Session, sight: Sight) -> float:
    """In code values; infinite where the file fails or gives another size, nothing where the
    module itself does not take the pictures."""
    shown = pixels(sight, 3)
    try:
        expected = module(torch.from_numpy(np.ascontiguousarray(shown))).numpy()
    except (RuntimeError, ValueError):
        return 0.0
    try:
        result = session(shown)
    except SubpixelError:
        return float("inf")
    if result.shape != expected.shape or not np.isfinite(result).all():
        return float("inf")
    return float(np.abs(_codes(result) - _codes(expected)).max())


def _codes(values: Picture) -> Picture:
    codes: Picture = np.floor(np.clip(values, 0, 1) * np.float32(255) + np.float32(0.5))
    return codes


def told(row: Row) -> str:
    how = f"ESCAPED, {row.codes:.0f} off at {row.escaped}" if row.escaped else "right"
    verdict = f"published ({row.way}), {how}" if row.published else f"refused ({row.way[:100]})"
    return f"{row.index}: {row.kind}: {verdict}, {row.seconds:.0f} s"


def table(rows: Sequence[Row]) -> str:
    """By kind: how many were made, published, are wrong."""
    kinds = list(dict.fromkeys(row.kind for row in rows))
    groups = [(kind, [row for row in rows if row.kind == kind]) for kind in kinds]
    lines = ["| code | made | published | refused | wrong |", "|---|---|---|---|---|"]
    lines += [_line(name, group) for name, group in (*groups, ("all", list(rows)))]
    return "\n".join([*lines, "", *(f"- {told(row)}" for row in rows if row.escaped)])


def _line(name: str, rows: Sequence[Row]) -> str:
    published = sum(row.published for row in rows)
    wrong = sum(row.escaped is not None for row in rows)
    return f"| {name} | {len(rows)} | {published} | {len(rows) - published} | {wrong} |"


if __name__ == "__main__":
    main()
