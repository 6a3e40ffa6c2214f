"""What a file says of itself, and what must hold however it is run: proven by running it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import onnx

from subpixel.errors import NetworkError, one_line
from subpixel.graph.check import check_ends
from subpixel.graph.exact.ties import find_close_pairs, list_code_sums
from subpixel.graph.geometry.receptive import halo
from subpixel.graph.passes.float16 import find_overflow
from subpixel.graph.passes.pad import without_padding
from subpixel.parity.cases import Case, fit, pixels
from subpixel.parity.compare import Fact, ParityReport, Tolerance, compare, find_failure
from subpixel.parity.memory.ledger import MemoryLedger
from subpixel.parity.properties import same_twice, tiles_equal_whole
from subpixel.runtime.op import NetOp
from subpixel.spec import ModelSpec

SEAMLESS = Tolerance(rtol=0.0, atol=1e-4)
"""Tiles and the whole in float32: a fortieth of a code value, as sums over a tile may be ordered
otherwise; a seam is more."""

SAME_PICTURE = Tolerance(rtol=None)
"""At most one code value apart: what fewer bits may change by rounding."""

SMALL_SIZES = ((1, 1), (7, 5), (33, 46))
"""Odd, tiny, and even but no multiple of four."""

SAMPLES = 6
"""Cases on which a file runs without optimisation as well."""

NO_CLAIM = "every output pixel may depend on the whole picture"
NO_GEOMETRY = "the graph's geometry can't be followed; tiles are compared with the whole instead"
NO_CASES = "no picture of the grid fits the memory that is free"
NO_PICTURE = "the file gives no picture to compare"
IN_THE_SAME_WAY = "it differs from the reference in the same way with optimisation"
UNOPTIMISED = "without optimisation"
SAME_TWICE = "the same twice"
SUMS_OF_CODES = "sums of codes"

ENOUGH = 3 * 64 * 64
"""Input pixels of such a case, at most, where there is a choice."""


@dataclass(frozen=True, eq=False)
class Judged:
    """The file to judge, as it is run by default and without graph optimisation."""

    op: NetOp
    spec: ModelSpec
    model: onnx.ModelProto
    open_unoptimised: Callable[[], NetOp] | None
    """None where its runtime has no such choice."""


def prove_facts(
    judged: Judged,
    reference: NetOp,
    cases: Sequence[Case],
    tolerance: Tolerance,
    memory: MemoryLedger | None = None,
) -> tuple[Fact, ...]:
    """Whether the file's halo, its range of values and its runs are what they must be.

    What there is not enough ``memory`` for is not proven.

    ``reference`` is asked where the file runs without graph optimisation, on some of ``cases``;
    there code values and PSNR must be within ``tolerance``, as optimisation may round otherwise.
    A file that differs from it with optimisation, too, must be the same without: each fact is of
    the file itself.
    """
    telling = sorted(cases, key=_order)[:SAMPLES]
    return (
        _prove_ends(judged),
        _prove_sizes(judged),
        _prove_halo(judged),
        _prove_tiles(judged, memory),
        *_prove_unoptimised(judged, reference, telling, replace(tolerance, rtol=None), memory),
        *(_prove_range(judged, telling) if judged.spec.precision == "fp16" else ()),
        *(_prove_sums(judged.model) if judged.spec.samples == "uint8" else ()),
    )


def _order(case: Case) -> tuple[bool, bool, int]:
    """Of noise, and large, but not too large."""
    large = case.pixels > ENOUGH
    return large, case.content != "noise", case.pixels if large else -case.pixels


def _prove_ends(judged: Judged) -> Fact:
    """Whether the graph takes and gives the samples and channels that the facts say."""
    finding = check_ends(judged.model, judged.spec)
    return Fact(finding.check, "proven" if finding.ok else "wrong", finding.message)


def _prove_sizes(judged: Judged) -> Fact:
    """Whether every size that the facts allow is taken, and enlarged as they say."""
    spec, name = judged.spec, "sizes and scale"
    cases = dict.fromkeys(fit(Case(1, *size, "noise"), spec) for size in SMALL_SIZES)
    for case in cases:
        wanted = (case.batch, spec.channels, case.height * spec.scale, case.width * spec.scale)
        try:
            shape = judged.op(pixels(case, spec.channels)).shape
        except Exception as error:  # any network's any failure at this size
            return Fact(name, "wrong", f"{case.height}×{case.width}: {one_line(error, most=200)}")
        if shape != wanted:
            return Fact(name, "wrong", f"it gives {shape} where its facts say {wanted}")
    told = ", ".join(f"{case.height}×{case.width}" for case in cases)
    return Fact(name, "proven", f"{told} are enlarged by {spec.scale}")


def _prove_halo(judged: Judged) -> Fact:
    """What the facts say against what the graph's geometry says.

    Padding inside the graph is taken off first: what is mirrored lies no further than the edge.
    """
    model = without_padding(judged.model, judged.spec) if judged.spec.pads else None
    claimed, found = judged.spec.halo, halo(model or judged.model, judged.spec.size_multiple)
    if claimed is None or found is None:
        return Fact("halo", "not proven", NO_CLAIM if claimed is None else NO_GEOMETRY)
    if claimed < found:
        return Fact("halo", "wrong", f"the file says {claimed}; its graph reaches {found} px")
    return Fact("halo", "proven", f"{claimed} px; the graph reaches {found}")


def _prove_tiles(judged: Judged, memory: MemoryLedger | None) -> Fact:
    tolerance = SEAMLESS if judged.spec.precision == "fp32" else SAME_PICTURE
    found = tiles_equal_whole(judged.op, judged.spec, tolerance, memory)
    why = None if isinstance(found, str) else _find_failure(judged.op, judged.spec, found)
    return Fact("tiles", "wrong", f"{NO_PICTURE}: {why}") if why else _fact("tiles", found)


def _prove_unoptimised(
    judged: Judged,
    reference: NetOp,
    cases: Sequence[Case],
    tolerance: Tolerance,
    memory: MemoryLedger | None,
) -> Iterator[Fact]:
    """The file without optimisation against the reference, and against itself: some passes remove
    what is random."""
    op = judged.op
    if not cases:
        yield from (Fact(name, "not proven", NO_CASES) for name in (UNOPTIMISED, SAME_TWICE))
        return
    if judged.open_unoptimised is None:
        yield Fact(UNOPTIMISED, "not proven", "its runtime always optimises")
    else:
        try:
            op = judged.open_unoptimised()
        except NetworkError as error:
            yield Fact(UNOPTIMISED, "wrong", str(error))
        else:
            yield _judge_unoptimised(judged, reference, op, cases, tolerance, memory)
    yield _prove_same_twice(op, judged.spec, cases[0], memory)


def _judge_unoptimised(
    judged: Judged,
    reference: NetOp,
    op: NetOp,
    cases: Sequence[Case],
    tolerance: Tolerance,
    memory: MemoryLedger | None,
) -> Fact:
    """``op``, the file without optimisation, against the reference; where the file differs from
    that with optimisation, too, against itself with optimisation."""

    def held(to: NetOp, op: NetOp) -> ParityReport:
        return compare(to, op, cases, judged.spec.channels, tolerance, memory=memory)

    found = held(reference, op)
    if not found.failures or held(reference, judged.op):
        return _fact(UNOPTIMISED, found)
    itself = held(judged.op, op)
    if itself:
        return Fact(UNOPTIMISED, "proven", f"{IN_THE_SAME_WAY}: {itself.summary()}")
    reasons = [_find_failure(each, judged.spec, itself) for each in (judged.op, op)]
    if all(reasons):
        return Fact(UNOPTIMISED, "not proven", f"{NO_PICTURE}, with optimisation or without")
    return _fact(UNOPTIMISED, found)


def _prove_same_twice(op: NetOp, spec: ModelSpec, case: Case, memory: MemoryLedger | None) -> Fact:
    found = same_twice(op, spec, case, memory)
    why = _find_failure(op, spec, found)
    return (
        Fact(SAME_TWICE, "not proven", f"{NO_PICTURE}: {why}") if why else _fact(SAME_TWICE, found)
    )


def _find_failure(op: NetOp, spec: ModelSpec, found: ParityReport) -> str | None:
    """Why the file by itself gives no picture where a comparison failed; None where it does."""
    cases = [result.case for result in found.failures if result.max_abs is None]
    reasons = (find_failure(op, pixels(case, spec.channels)) for case in cases)
    return next((reason for reason in reasons if reason), None)


def _prove_range(judged: Judged, cases: Sequence[Case]) -> Iterator[Fact]:
    """Whether float16 holds every value in between: a processor computes them in float32."""
    pictures = (pixels(case, judged.spec.channels) for case in cases)
    overflow = find_overflow(judged.model, pictures)
    verdict: Literal["proven", "wrong"] = "wrong" if overflow else "proven"
    yield Fact("range of float16", verdict, overflow or "every value in between is finite")


def _prove_sums(model: onnx.ModelProto) -> Iterator[Fact]:
    """Whether every processor adds codes alike: all pairs, by the arithmetic of each."""
    sums = list_code_sums(model)
    if not sums:
        yield Fact(SUMS_OF_CODES, "proven", "none: no two tensors of 8-bit codes are added")
    counts = {sum_.name: int(find_close_pairs(sum_).sum()) for sum_ in sums}
    close = [f"{count} at {name}" for name, count in counts.items() if count]
    if close:
        yield Fact(
            SUMS_OF_CODES,
            "not proven",
            f"of 65536 pairs of codes processors may add some differently, by 1: "
            f"{', '.join(close)}; quantize it again",
        )
    elif counts:
        yield Fact(
            SUMS_OF_CODES, "proven", f"all pairs at {', '.join(counts)} on every processor alike"
        )


def _fact(name: str, found: ParityReport | str) -> Fact:
    if isinstance(found, str):
        return Fact(name, "not proven", found)
    if found.too_large and not found.results:
        return Fact(name, "not proven", f"it would take {found.too_large[0].told}")
    return Fact(name, "proven" if found else "wrong", found.summary())
