"""The part of a graph that is to blame, by bisection over splices."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

from subpixel.parity.bisect.splice import GraphCut, Splice
from subpixel.parity.bisect.suspect import node_name
from subpixel.parity.cases import Case
from subpixel.parity.compare import CaseResult, OnProgress, Tolerance, compare
from subpixel.runtime.op import Pixels


def bracket_turn(count: int, fails: Callable[[int], bool | None]) -> tuple[int, int]:
    """The narrowest known bracket of the turn from passing to failing in the steps 0 … ``count``.

    Step 0 is known to pass and step ``count`` to fail; neither is asked for. ``fails`` gives None
    for a step that can't be judged: it is no evidence for either side, and the steps next to it
    are asked instead. Without such steps the bracket is one step wide, and ``fails`` is called
    for about log₂(count) steps; steps between the ends of a wider bracket can't be judged. Where
    the answers go to and fro, it is one of the places where a step that fails follows one that
    passes.
    """
    low, high = 0, count
    while (answer := _nearest_answer(low, high, fails)) is not None:
        step, failed = answer
        low, high = (low, step) if failed else (step, high)
    return low, high


def _nearest_answer(
    low: int, high: int, fails: Callable[[int], bool | None]
) -> tuple[int, bool] | None:
    """The step nearest to the middle, between ``low`` and ``high``, that can be judged."""
    middle = (low + high) // 2
    for step in sorted(range(low + 1, high), key=lambda step: abs(step - middle)):
        failed = fails(step)
        if failed is not None:
            return step, failed
    return None


CULPRIT_SHARE = 0.5
"""What of the whole difference a part must make by itself to be its culprit."""

TABLE = 8
"""Rows of the table of growth."""


@dataclass(frozen=True)
class Growth:
    """How far the picture is off when the first ``nodes`` nodes of the bad graph stay in it."""

    nodes: int
    node: str
    """The last of them."""
    max_abs: float | None
    """Of pixels in 0 … 1; None where there is no picture."""
    max_codes: int | None


@dataclass(frozen=True)
class Part:
    """The nodes between two cuts, and what they do."""

    before: GraphCut
    after: GraphCut
    whole: CaseResult
    """The picture with everything up to ``after`` from the bad graph."""
    alone: CaseResult | None
    """The picture with this part alone from the bad graph; None where it doesn't run apart."""
    mended: bool | None
    """Whether the bad graph's picture is right once everything up to ``after`` is right; None
    where what comes after doesn't run apart."""

    @property
    def guilty(self) -> bool:
        """Whether this part by itself makes the difference, as far as that can be told."""
        if self.alone is None:
            return True
        return not self.alone.passed or max_difference(
            self.alone
        ) >= CULPRIT_SHARE * max_difference(self.whole)


def max_difference(result: CaseResult) -> float:
    """The largest difference of pixels; where nothing could be compared, larger than any."""
    return sys.float_info.max if result.max_abs is None else result.max_abs


@dataclass(frozen=True, eq=False)
class SpliceTrial:
    """A splice under judgement on one case."""

    splice: Splice
    case: Case
    tolerance: Tolerance
    _pushed: dict[int, CaseResult | None] = field(default_factory=dict)

    @cached_property
    def right_picture(self) -> Pixels:
        return self.splice.right()

    def judge(self, picture: Callable[[], Pixels]) -> CaseResult:
        """``picture`` against the right one."""
        channels = self.splice.pixels.shape[1]
        report = compare(
            lambda _: self.right_picture,
            lambda _: picture(),
            (self.case,),
            channels,
            self.tolerance,
        )
        return report.results[0]

    def push(self, cut: int) -> CaseResult | None:
        """The picture with everything up to the cut of that number from the bad graph.

        None where one of the graphs doesn't run when cut there: that is no evidence.
        """
        if cut not in self._pushed:
            self._pushed[cut] = self._judge_pushed(self.splice.cuts[cut])
        return self._pushed[cut]

    def _judge_pushed(self, place: GraphCut) -> CaseResult | None:
        result = self.judge(lambda: self.splice.push(place))
        return result if result.max_abs is not None or self.splice.runs_cut_at(place) else None

    @property
    def whole(self) -> CaseResult:
        """The picture by the bad graph."""
        return self.judge_at(len(self.splice.cuts) - 1)

    def judge_at(self, cut: int) -> CaseResult:
        """:meth:`push` at a cut that can be judged, as the last one always can."""
        result = self.push(cut)
        assert result is not None, "such a cut is not a place to begin at"
        return result

    def shows(self, failure: CaseResult) -> bool:
        """Whether the bad graph, run apart, is off by as much as the file was.

        Of a file that gave no picture at all it is enough that the graph's is wrong.
        """
        if failure.max_abs is None:
            return not self.whole.passed
        return max_difference(self.whole) >= CULPRIT_SHARE * max_difference(failure)

    def parts(self, report: OnProgress) -> list[Part]:
        """Where the picture goes wrong, from the first such place to the last looked for.

        Each bisection finds where half of the difference is made; what was there before is
        looked into in turn, until it is within tolerance.
        """
        found: list[Part] = []
        end = len(self.splice.cuts) - 1
        while end > 0 and (not found or not self.judge_at(end).passed):
            report("bisecting the graph", 0, 0)
            limit = CULPRIT_SHARE * max_difference(self.judge_at(end))
            before, after = bracket_turn(end, partial(self._exceeds, limit))
            found.insert(0, self._part(before, after))
            end = before
        return found

    def _exceeds(self, limit: float, cut: int) -> bool | None:
        result = self.push(cut)
        return None if result is None else max_difference(result) > limit

    def _part(self, low: int, high: int) -> Part:
        before, after = self.splice.cuts[low], self.splice.cuts[high]
        return Part(
            before,
            after,
            self.judge_at(high),
            self._judge_alone(before, after),
            self._judge_mend(after),
        )

    def _judge_alone(self, before: GraphCut, after: GraphCut) -> CaseResult | None:
        result = self.judge(lambda: self.splice.alone(before, after))
        if result.max_abs is None and not self.splice.runs_between(before, after):
            return None
        return result

    def _judge_mend(self, after: GraphCut) -> bool | None:
        result = self.judge(lambda: self.splice.mend(after))
        if result.max_abs is None and not self.splice.runs_from(after):
            return None
        return result.passed

    def growth(self) -> tuple[Growth, ...]:
        """The difference at some cuts, evenly spread."""
        last = len(self.splice.cuts) - 1
        steps = sorted({round(1 + i * (last - 1) / (TABLE - 1)) for i in range(TABLE)})
        results = [(step, self.push(step)) for step in steps]
        return tuple(self._growth(step, result) for step, result in results if result)

    def _growth(self, step: int, result: CaseResult) -> Growth:
        cut = self.splice.cuts[step]
        name = node_name(self.splice.bad.nodes[cut.nodes - 1])
        return Growth(cut.nodes, name, result.max_abs, result.max_codes)
