"""The exact receptive field along one spatial axis, in integers.

A :class:`Line` records which samples of the network's input each sample of a tensor's axis depends
on. The axis is shift-invariant in steps: a shift by ``period`` samples of the tensor corresponds to
a shift by ``advance`` samples of the network's input, so the needs of one period describe all.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

AxisName = Literal["height", "width"]
Taps = Callable[[int], Iterable[int]]
"""Maps a sample of an operation's output axis to the samples of its input axis that it reads."""


class NotLocalError(Exception):
    """A tensor depends on the whole picture, or in a way that the propagation can't follow."""


@dataclass(frozen=True)
class Line:
    """The span of input samples that each sample of a tensor's axis needs.

    Sample ``o`` needs ``first[o] … last[o]`` for ``0 ≤ o < period``; every further period needs
    the same, shifted by ``advance`` input samples. ``first > last`` means none.
    """

    axis: AxisName
    first: tuple[int, ...] = (0,)
    last: tuple[int, ...] = (0,)
    advance: int = 1
    excess: int = 0
    """The axis has ``scale`` times the input's length plus this many samples, for lengths that are
    multiples of ``advance``."""
    fixed: int | None = None
    """The only length that the network allows, if it has one."""

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

        ``steps`` (in, out): a shift of the operation's output by ``out`` samples corresponds to a
        shift of its input by ``in``. ``length`` maps the input's length to the output's, and is
        called only with lengths that the operation divides without a remainder.
        """
        step_in, step_out = steps
        # The two periods have to meet: ``repeats`` steps of the operation are the fewest that cover
        # whole periods of its input axis (repeats * step_in is a multiple of self.period).
        repeats = self.period // math.gcd(self.period, step_in)
        period = step_out * repeats
        advance = self.advance * step_in * repeats // self.period
        # ``length`` is affine on the lengths that it is called with, so its value at the excess (an
        # input of length 0) is the new excess.
        excess = length(self.excess)
        needs = [
            _hull([_tile_span(o, period, advance, excess), *map(self.span, taps(o))])
            for o in range(period)
        ]
        first, last = zip(*needs, strict=True)
        fixed = None if self.fixed is None else length(self.fixed)
        return Line(self.axis, first, last, advance, excess, fixed)

    def enlarge(self, times: int) -> "Line":
        """The axis with ``times`` samples for each one: nearest neighbour, depth to space."""
        return self.through(lambda o: [o // times], lambda n: n * times, (1, times))

    def gather(self, times: int) -> "Line":
        """The axis with one sample for each ``times`` neighbours: space to depth."""
        return self.through(
            lambda o: range(o * times, (o + 1) * times),
            lambda n: _split_exactly(n, times),
            (times, 1),
        )

    def join(self, other: "Line") -> "Line":
        """The axis of an elementwise operation of two tensors."""
        if self._extent != other._extent:
            raise NotLocalError(f"two tensors differ in {self.axis}")
        # Both scales are equal, so over the common advance both have the same number of samples.
        advance = math.lcm(self.advance, other.advance)
        needs = [_hull([self.span(o), other.span(o)]) for o in range(int(self.scale * advance))]
        first, last = zip(*needs, strict=True)
        return Line(self.axis, first, last, advance, self.excess, self.fixed)

    def mirror(self) -> "Line":
        """The axis as a padding that repeats or mirrors its samples may read it.

        The receptive field of a mirrored sample is mirrored too, so both sides get the larger
        reach.
        """
        if self.advance != 1:
            raise NotLocalError("mirrored padding below the input's resolution")
        reach = max(0, -min(self.first), max(self.last))
        return Line(
            self.axis, (-reach,) * self.period, (reach,) * self.period, 1, self.excess, self.fixed
        )

    @property
    def halo(self) -> int:
        """The largest distance of a needed input sample from the one that the sample lies in."""
        if self.scale.denominator != 1 or self.excess:
            raise NotLocalError(f"the output's {self.axis} is no whole multiple of the input's")
        places = [o // int(self.scale) for o in range(self.period)]
        return max(
            max(place - first, last - place)
            for place, first, last in zip(places, self.first, self.last, strict=True)
        )


def _tile_span(sample: int, period: int, advance: int, excess: int) -> tuple[int, int]:
    """The input samples that a tile must contain for ``sample`` to exist in the tile at all.

    A crop may shift samples towards an edge and a later padding shift them back: a sample must not
    fall off the tile's edge in between, even where nothing reads the input there. Tiles begin and
    end at multiples of ``advance``.
    """
    # From the left, the sample exists in every tile that begins no later than this input sample;
    # from the right, in every tile that ends no earlier than that one.
    from_left = advance * (sample // period) + advance - 1
    from_right = advance * (-((excess - sample - 1) // period) - 1)
    return from_left, from_right


def _split_exactly(length: int, parts: int) -> int:
    if length % parts:
        raise NotLocalError(f"a length of {length} doesn't split into {parts} equal parts")
    return length // parts


def _hull(spans: list[tuple[int, int]]) -> tuple[int, int]:
    return min(first for first, _ in spans), max(last for _, last in spans)
