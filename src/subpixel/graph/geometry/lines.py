"""One spatial axis of a tensor, and the network's input samples that each of its samples needs.

The exact receptive field, in integers. A tensor's axis is shift-invariant in steps: moving on by
``period`` samples of the tensor is moving on by ``advance`` samples of the network's input. What
one period needs therefore says it all.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

AxisName = Literal["height", "width"]
Taps = Callable[[int], Iterable[int]]
"""The samples of an operation's input axis that make the given sample of its output axis."""


class NotLocalError(Exception):
    """A tensor depends on the whole picture, or on it in a way that isn't understood."""


@dataclass(frozen=True)
class Line:
    """The input samples that each sample of a tensor's axis needs, as the span of them.

    Sample ``o`` needs ``first[o] … last[o]`` for ``0 ≤ o < period``, and every further period
    the same, ``advance`` input samples on. ``first > last`` means none.
    """

    axis: AxisName
    first: tuple[int, ...] = (0,)
    last: tuple[int, ...] = (0,)
    advance: int = 1
    excess: int = 0
    """The axis is ``scale`` times the input's length plus this, for lengths that are multiples
    of ``advance``."""
    fixed: int | None = None
    """The length, where the network allows only one."""

    @property
    def period(self) -> int:
        return len(self.first)

    @property
    def scale(self) -> Fraction:
        """Samples of this axis per sample of the network's input."""
        return Fraction(self.period, self.advance)

    @property
    def _extent(self) -> tuple[AxisName, Fraction, int, int | None]:
        return self.axis, self.scale, self.excess, self.fixed

    def span(self, sample: int) -> tuple[int, int]:
        """First and last input sample that ``sample`` needs."""
        turns, phase = divmod(sample, self.period)
        return self.first[phase] + turns * self.advance, self.last[phase] + turns * self.advance

    def through(self, taps: Taps, length: Callable[[int], int], steps: tuple[int, int]) -> "Line":
        """The axis after an operation.

        ``steps`` (in, out): moving on by so many samples of the operation's output is moving on
        by so many of its input. ``length`` gives the output's length for an input's length, and
        is asked only for lengths that leave the operation no rest.
        """
        step_in, step_out = steps
        repeats = self.period // math.gcd(self.period, step_in)
        period = step_out * repeats
        advance = self.advance * step_in * repeats // self.period
        excess = length(self.excess)
        needs = [
            _hull([_tile_span(o, period, advance, excess), *map(self.span, taps(o))])
            for o in range(period)
        ]
        first, last = zip(*needs, strict=True)
        fixed = None if self.fixed is None else length(self.fixed)
        return Line(self.axis, first, last, advance, excess, fixed)

    def enlarge(self, times: int) -> "Line":
        """Each sample becomes ``times`` samples: nearest neighbour, depth to space."""
        return self.through(lambda o: [o // times], lambda n: n * times, (1, times))

    def gather(self, times: int) -> "Line":
        """``times`` neighbours become one sample: space to depth."""
        return self.through(
            lambda o: range(o * times, (o + 1) * times),
            lambda n: _split_exactly(n, times),
            (times, 1),
        )

    def join(self, other: "Line") -> "Line":
        """The axis of an elementwise operation of two tensors."""
        if self._extent != other._extent:
            raise NotLocalError(f"two tensors differ in {self.axis}")
        advance = math.lcm(self.advance, other.advance)
        needs = [_hull([self.span(o), other.span(o)]) for o in range(int(self.scale * advance))]
        first, last = zip(*needs, strict=True)
        return Line(self.axis, first, last, advance, self.excess, self.fixed)

    def mirror(self) -> "Line":
        """The axis as a padding that repeats or mirrors its samples may read it.

        A mirrored sample looks the other way, so both sides take the greater reach.
        """
        if self.advance != 1:
            raise NotLocalError("mirrored padding below the input's resolution")
        reach = max(0, -min(self.first), max(self.last))
        return Line(
            self.axis, (-reach,) * self.period, (reach,) * self.period, 1, self.excess, self.fixed
        )

    @property
    def halo(self) -> int:
        """Greatest distance of a needed input sample from the one that a sample lies in."""
        if self.scale.denominator != 1 or self.excess:
            raise NotLocalError(f"the output's {self.axis} is no whole multiple of the input's")
        places = [o // int(self.scale) for o in range(self.period)]
        return max(
            max(place - first, last - place)
            for place, first, last in zip(places, self.first, self.last, strict=True)
        )


def _tile_span(sample: int, period: int, advance: int, excess: int) -> tuple[int, int]:
    """The input samples that a tile must hold for ``sample`` to exist in the tile at all.

    A sample that a later shift moves elsewhere must not fall off the tile's edge on its way.
    Tiles begin and end at multiples of ``advance``.
    """
    from_left = advance * (sample // period) + advance - 1
    from_right = advance * (-((excess - sample - 1) // period) - 1)
    return from_left, from_right


def _split_exactly(length: int, parts: int) -> int:
    if length % parts:
        raise NotLocalError(f"a length of {length} doesn't split into {parts} equal parts")
    return length // parts


def _hull(spans: list[tuple[int, int]]) -> tuple[int, int]:
    return min(first for first, _ in spans), max(last for _, last in spans)
