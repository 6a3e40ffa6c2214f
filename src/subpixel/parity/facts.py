"""What a file says of itself, and what must hold however it is run: proven by running it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import onnx

from subpixel.errors import NetworkError
from subpixel.graph.half import find_overflow
from subpixel.graph.receptive import halo
from subpixel.parity.cases import Case, pixels
from subpixel.parity.compare import Exact, Fact, ParityReport, Tolerance, compare
from subpixel.parity.properties import same_twice, tiled_equals_whole
from subpixel.runtime.op import NetOp
from subpixel.spec import ModelSpec

SEAMLESS = Tolerance(rtol=0.0, atol=1e-4)
"""Tiles and the whole in float32: a fortieth of a code value, as sums over a tile may be ordered
otherwise; a seam is more."""

SEAMLESS_REDUCED = Tolerance(rtol=None)

SAMPLES = 6
"""Cases on which a file runs without optimisation as well."""

UNOPTIMISED = "without optimisation"

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
    exact: Exact | None = None,
) -> tuple[Fact, ...]:
    """Whether the file's halo, its range of values and its runs are what they must be.

    ``reference`` and ``exact`` (the same in float64) are asked where the file runs without graph
    optimisation, on some of ``cases``.
    """
    telling = sorted(cases, key=_order)
    unoptimised = _open_unoptimised(judged)
    facts = [
        _prove_halo(judged),
        _prove_tiles(judged),
        unoptimised
        if isinstance(unoptimised, Fact)
        else _prove_unoptimised(
            unoptimised, judged.spec, reference, telling[:SAMPLES], tolerance, exact
        ),
        _prove_repetition(
            judged.op if isinstance(unoptimised, Fact) else unoptimised, judged.spec, telling[0]
        ),
        *(_prove_range(judged, telling[:SAMPLES]) if judged.spec.precision == "fp16" else ()),
    ]
    return tuple(facts)


def _order(case: Case) -> tuple[bool, bool, int]:
    """Of noise, and large, but not too large."""
    large = case.pixels > ENOUGH
    return large, case.content != "noise", case.pixels if large else -case.pixels


def _prove_halo(judged: Judged) -> Fact:
    """What the facts say against what the graph's geometry says."""
    claimed, found = judged.spec.halo, halo(judged.model, judged.spec.size_multiple)
    if claimed is None or found is None:
        why = (
            "every output pixel may depend on the whole picture"
            if claimed is None
            else (
                "the graph's geometry can't be followed at every size; tiles are compared with the "
                "whole instead"
            )
        )
        return Fact("halo", "not proven", why)
    if claimed < found:
        return Fact("halo", "wrong", f"the file says {claimed}; its graph reaches {found} px")
    return Fact("halo", "proven", f"{claimed} px; the graph reaches {found}")


def _prove_tiles(judged: Judged) -> Fact:
    tolerance = SEAMLESS if judged.spec.precision == "fp32" else SEAMLESS_REDUCED
    return _fact("tiles", tiled_equals_whole(judged.op, judged.spec, tolerance))


def _open_unoptimised(judged: Judged) -> NetOp | Fact:
    """The file without optimisation, or why there is no such thing."""
    if judged.open_unoptimised is None:
        return Fact(UNOPTIMISED, "not proven", "its runtime always optimises")
    try:
        return judged.open_unoptimised()
    except NetworkError as error:
        return Fact(UNOPTIMISED, "wrong", str(error))


def _prove_unoptimised(
    unoptimised: NetOp,
    spec: ModelSpec,
    reference: NetOp,
    cases: Sequence[Case],
    tolerance: Tolerance,
    exact: Exact | None,
) -> Fact:
    local = spec.halo is not None
    found = compare(
        reference, unoptimised, cases, spec.channels, tolerance, exact=exact, local=local
    )
    return _fact(UNOPTIMISED, found)


def _prove_repetition(op: NetOp, spec: ModelSpec, case: Case) -> Fact:
    """Best without optimisation: some passes remove what is random."""
    return _fact("the same twice", same_twice(op, spec, case))


def _prove_range(judged: Judged, cases: Sequence[Case]) -> Iterator[Fact]:
    """Whether float16 holds every value in between: a processor computes them in float32."""
    pictures = (pixels(case, judged.spec.channels) for case in cases)
    overflow = find_overflow(judged.model, pictures)
    verdict: Literal["proven", "wrong"] = "wrong" if overflow else "proven"
    yield Fact("range of float16", verdict, overflow or "every value in between is finite")


def _fact(name: str, found: ParityReport | str) -> Fact:
    if isinstance(found, str):
        return Fact(name, "not proven", found)
    return Fact(name, "proven" if found else "wrong", found.summary())
