"""What is known of a tensor without running the network: its axes, or its value."""

import math
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from numpy.typing import NDArray

from subpixel.graph.geometry.lines import Line, NotLocalError


@dataclass(frozen=True)
class AxisLength:
    """The length of an axis: a number times named lengths, such as ``3 * height``."""

    number: Fraction
    names: tuple[str, ...] = ()
    """Sorted, with repetitions; a name may stand for a length that can't be factored further."""

    def __mul__(self, other: "AxisLength") -> "AxisLength":
        return AxisLength(self.number * other.number, tuple(sorted(self.names + other.names)))

    def __truediv__(self, other: "AxisLength") -> "AxisLength":
        # Exact or an error: names cancel as in a fraction, and none may remain below the line.
        ours, theirs = Counter(self.names), Counter(other.names)
        if theirs - ours or not other.number:
            raise NotLocalError(f"a size of {self} is divided by {other}")
        return AxisLength(self.number / other.number, tuple(sorted((ours - theirs).elements())))

    def __str__(self) -> str:
        return " * ".join([str(self.number), *self.names])

    def whole(self) -> int:
        """The length as an int; raises :class:`NotLocalError` where it depends on the picture."""
        if self.names or self.number.denominator != 1:
            raise NotLocalError(f"a size of {self} where a number is needed")
        return int(self.number)


def plain_length(number: int) -> AxisLength:
    return AxisLength(Fraction(number))


@dataclass(frozen=True)
class PlainAxis:
    """An axis that isn't spatial: batch, channels, or a part of them."""

    size: AxisLength


Axis = PlainAxis | Line


def axis_length(axis: Axis) -> AxisLength:
    if isinstance(axis, PlainAxis):
        return axis.size
    if axis.fixed is not None:
        return plain_length(axis.fixed)
    if axis.excess:
        return AxisLength(Fraction(1), (f"({axis.scale} {axis.axis} + {axis.excess})",))
    return AxisLength(axis.scale, (axis.axis,))


@dataclass(frozen=True)
class PictureTensor:
    """A tensor computed from the picture. Channels are not tracked individually."""

    axes: tuple[Axis, ...]

    def picture_axes(self) -> tuple[PlainAxis, Line, Line]:
        """Channels, height and width of an NCHW tensor; raises for any other layout."""
        match self.axes:
            case (
                PlainAxis(),
                PlainAxis() as channels,
                Line(axis="height") as h,
                Line(axis="width") as w,
            ):
                return channels, h, w
        raise NotLocalError("an operation on pictures meets a tensor that is no picture")

    def picture(self, channels: int, height: Line, width: Line) -> "PictureTensor":
        """An NCHW tensor of the same batch."""
        return PictureTensor((self.axes[0], PlainAxis(plain_length(channels)), height, width))


@dataclass(frozen=True)
class ConstantTensor:
    """A tensor that doesn't depend on the picture: weights, constants."""

    array: NDArray[Any]


@dataclass(frozen=True)
class SizeTensor:
    """Integers that depend on the picture's size only: a tensor's shape, or a part of it."""

    entries: tuple[AxisLength, ...]
    scalar: bool = False


@dataclass(frozen=True)
class UnknownTensor:
    """A tensor that the propagation can't follow, and why."""

    reason: str


Tensor = PictureTensor | ConstantTensor | SizeTensor | UnknownTensor


ONE = plain_length(1)


def regroup_axes(axes: tuple[Axis, ...], sizes: tuple[AxisLength, ...]) -> tuple[Axis, ...]:
    """The axes after a reshape to ``sizes``, in row-major order.

    Splits a spatial axis into ``(axis / r, r)`` and merges ``(axis, r)`` into ``axis * r``: a
    pixel shuffle written without its own operator. Other mixing of spatial axes isn't local.
    """
    # A reshape keeps the row-major order, so runs of old and new axes with equal products
    # correspond to each other; axes of length one belong to no run.
    before = [axis for axis in axes if axis_length(axis) != ONE]
    after = list(sizes)
    result: list[Axis] = []
    while after:
        target = [after.pop(0)]
        group = [] if target == [ONE] else _take_matching(before, after, target)
        result += _regroup_part(group, target)
    return tuple(result)


def _take_matching(
    before: list[Axis], after: list[AxisLength], target: list[AxisLength]
) -> list[Axis]:
    """Move axes from ``before`` to a group, and from ``after`` to ``target``, until the products of
    their lengths are equal."""
    group: list[Axis] = []
    product, target_product = ONE, target[0]
    while product != target_product:
        if before and (not group or _is_smaller(product, target_product)):
            group.append(before.pop(0))
            product *= axis_length(group[-1])
        elif after:
            target.append(after.pop(0))
            target_product *= target[-1]
        else:
            raise NotLocalError("a reshape whose axes can't be followed")
    return group


def _is_smaller(a: AxisLength, b: AxisLength) -> bool:
    return a.number < b.number if a.names == b.names else not Counter(a.names) - Counter(b.names)


def _regroup_part(group: list[Axis], target: list[AxisLength]) -> list[Axis]:
    match group, target:
        case [Line() as line], [_]:
            return [line]
        case [Line() as line, *parts], [_] if all(isinstance(part, PlainAxis) for part in parts):
            return [line.enlarge(math.prod(axis_length(part).whole() for part in parts))]
        case [Line() as line], [_, *rest]:
            return [line.gather(math.prod(s.whole() for s in rest)), *map(PlainAxis, rest)]
    if any(isinstance(axis, Line) for axis in group):
        raise NotLocalError("a reshape that mixes space with batch or channels")
    return [PlainAxis(s) for s in target]
