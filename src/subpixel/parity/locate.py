"""The part of a graph that is to blame, by bisection over splices."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

from subpixel.parity.cases import Case
from subpixel.parity.compare import CaseResult, Report, Tolerance, compare
from subpixel.parity.search import first_failing
from subpixel.parity.splice import Cut, Splice
from subpixel.runtime.op import Pixels

SHARE = 0.5
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

    before: Cut
    after: Cut
    whole: CaseResult
    """The picture with everything up to ``after`` from the bad graph."""
    alone: CaseResult
    """The picture with this part alone from the bad graph."""
    mended: bool
    """Whether the bad graph's picture is right once everything up to ``after`` is right."""

    @property
    def guilty(self) -> bool:
        """Whether this part by itself makes the difference."""
        return not self.alone.passed or size(self.alone) >= SHARE * size(self.whole)


def size(result: CaseResult) -> float:
    """The largest difference of pixels; where nothing could be compared, larger than any."""
    return sys.float_info.max if result.max_abs is None else result.max_abs


@dataclass(frozen=True, eq=False)
class Trial:
    """A splice under judgement on one case."""

    splice: Splice
    case: Case
    tolerance: Tolerance
    _pushed: dict[int, CaseResult] = field(default_factory=dict)

    @cached_property
    def expected(self) -> Pixels:
        return self.splice.right()

    def judged(self, picture: Callable[[], Pixels]) -> CaseResult:
        """``picture`` against the right one."""
        channels = self.splice.pixels.shape[1]
        report = compare(
            lambda _: self.expected,
            lambda _: picture(),
            (self.case,),
            channels,
            self.tolerance,
        )
        return report.results[0]

    def pushed(self, cut: int) -> CaseResult:
        """The picture with everything up to the cut of that number from the bad graph."""
        if cut not in self._pushed:
            place = self.splice.cuts[cut]
            self._pushed[cut] = self.judged(lambda: self.splice.pushed(place))
        return self._pushed[cut]

    def shows(self, failure: CaseResult) -> bool:
        """Whether the bad graph, run apart, is off by as much as the file was."""
        return size(self.pushed(len(self.splice.cuts) - 1)) >= SHARE * size(failure)

    def parts(self, report: Report) -> list[Part]:
        """Where the picture goes wrong, from the first such place to the last looked for.

        Each bisection finds where half of the difference is made; what was there before is
        looked into in turn, until it is within tolerance.
        """
        found: list[Part] = []
        end = len(self.splice.cuts) - 1
        while end > 0 and (not found or not self.pushed(end).passed):
            report("bisecting the graph", 0, 0)
            step = first_failing(end, partial(self._exceeds, SHARE * size(self.pushed(end))))
            found.insert(0, self._part(step))
            end = step - 1
        return found

    def _exceeds(self, limit: float, cut: int) -> bool:
        return size(self.pushed(cut)) > limit

    def _part(self, step: int) -> Part:
        before, after = self.splice.cuts[step - 1 : step + 1]
        return Part(
            before,
            after,
            self.pushed(step),
            self.judged(lambda: self.splice.alone(before, after)),
            self.judged(lambda: self.splice.mended(after)).passed,
        )

    def growth(self) -> tuple[Growth, ...]:
        """The difference at some cuts, evenly spread."""
        last = len(self.splice.cuts) - 1
        steps = sorted({round(1 + i * (last - 1) / (TABLE - 1)) for i in range(TABLE)})
        return tuple(self._growth(step) for step in steps)

    def _growth(self, step: int) -> Growth:
        result, cut = self.pushed(step), self.splice.cuts[step]
        name = self.splice.bad.nodes[cut.nodes - 1].name
        return Growth(cut.nodes, name, result.max_abs, result.max_codes)
