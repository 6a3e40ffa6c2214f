"""What is known of a tensor without running the network: its axes, or its very value."""

import math
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from numpy.typing import NDArray

from subpixel.graph.geometry.lines import Line, NotLocalError


@dataclass(frozen=True)
class Size:
    """The length of an axis: a number times named lengths, such as ``3 * height``."""

    number: Fraction
    names: tuple[str, ...] = ()
    """Sorted; a name may stand for a length that is no plain multiple of anything."""

    def __mul__(self, other: "Size") -> "Size":
        return Size(self.number * other.number, tuple(sorted(self.names + other.names)))

    def __truediv__(self, other: "Size") -> "Size":
        ours, theirs = Counter(self.names), Counter(other.names)
        if theirs - ours or not other.number:
            raise NotLocalError(f"a size of {self} is divided by {other}")
        return Size(self.number / other.number, tuple(sorted((ours - theirs).elements())))

    def __str__(self) -> str:
        return " * ".join([str(self.number), *self.names])

    def whole(self) -> int:
        """The size as a number; raises :class:`NotLocalError` where it depends on the picture."""
        if self.names or self.number.denominator != 1:
            raise NotLocalError(f"a size of {self} where a number is needed")
        return int(self.number)


def size(number: int) -> Size:
    return Size(Fraction(number))


@dataclass(frozen=True)
class Plain:
    """An axis that isn't spatial: batch, channels, or a part of them."""

    size: Size


Axis = Plain | Line


def axis_size(axis: Axis) -> Size:
    if isinstance(axis, Plain):
        return axis.size
    if axis.fixed is not None:
        return size(axis.fixed)
    if axis.excess:
        return Size(Fraction(1), (f"({axis.scale} {axis.axis} + {axis.excess})",))
    return Size(axis.scale, (axis.axis,))


@dataclass(frozen=True)
class Pixels:
    """A tensor computed from the picture. Channels are not told apart."""

    axes: tuple[Axis, ...]

    def picture_axes(self) -> tuple[Plain, Line, Line]:
        """Channels, height and width of an NCHW tensor; raises for any other layout."""
        match self.axes:
            case (Plain(), Plain() as channels, Line(axis="height") as h, Line(axis="width") as w):
                return channels, h, w
        raise NotLocalError("an operation on pictures meets a tensor that is no picture")

    def picture(self, channels: int, height: Line, width: Line) -> "Pixels":
        """An NCHW tensor of the same batch."""
        return Pixels((self.axes[0], Plain(size(channels)), height, width))


@dataclass(frozen=True)
class Known:
    """A tensor that is the same whatever the picture: weights, constants."""

    array: NDArray[Any]


@dataclass(frozen=True)
class Sizes:
    """Integers computed from the picture's size alone: the shape of a tensor, or a part of it."""

    entries: tuple[Size, ...]
    scalar: bool = False


@dataclass(frozen=True)
class Unknown:
    """A tensor that the propagation does not follow, and why."""

    reason: str


Tensor = Pixels | Known | Sizes | Unknown


ONE = size(1)


def regrouped(axes: tuple[Axis, ...], sizes: tuple[Size, ...]) -> tuple[Axis, ...]:
    """The axes after a reshape to ``sizes``, in row-major order.

    Splits a spatial axis into ``(axis / r, r)`` and merges ``(axis, r)`` into ``axis * r``: a
    pixel shuffle written without its own operator. Other mixing of spatial axes isn't local.
    """
    before = [axis for axis in axes if axis_size(axis) != ONE]
    after = list(sizes)
    result: list[Axis] = []
    while after:
        target = [after.pop(0)]
        group = [] if target == [ONE] else _matching(before, after, target)
        result += _regroup(group, target)
    return tuple(result)


def _matching(before: list[Axis], after: list[Size], target: list[Size]) -> list[Axis]:
    """Take axes from ``before`` (and more of ``after`` into ``target``) until both hold as much."""
    group: list[Axis] = []
    held, wanted = ONE, target[0]
    while held != wanted:
        if before and (not group or _smaller(held, wanted)):
            group.append(before.pop(0))
            held *= axis_size(group[-1])
        elif after:
            target.append(after.pop(0))
            wanted *= target[-1]
        else:
            raise NotLocalError("a reshape whose axes can't be followed")
    return group


def _smaller(a: Size, b: Size) -> bool:
    return a.number < b.number if a.names == b.names else not Counter(a.names) - Counter(b.names)


def _regroup(group: list[Axis], target: list[Size]) -> list[Axis]:
    match group, target:
        case [Line() as line], [_]:
            return [line]
        case [Line() as line, *parts], [_] if all(isinstance(part, Plain) for part in parts):
            return [line.enlarged(math.prod(axis_size(part).whole() for part in parts))]
        case [Line() as line], [_, *rest]:
            return [line.gathered(math.prod(s.whole() for s in rest)), *map(Plain, rest)]
    if any(isinstance(axis, Line) for axis in group):
        raise NotLocalError("a reshape that mixes space with batch or channels")
    return [Plain(s) for s in target]
