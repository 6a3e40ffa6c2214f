"""When a fault is in force: a truth of the picture's size, of its content, of a place in it.

Each gives a tensor of truths, one for the whole or one for every place, and pictures for which it
holds somewhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from faults.fault import Random, Sight
from faults.splice import COLUMNS, ROWS, Splice

LARGEST = 512
"""The longest side of a picture in which a fault must be found."""

AXES = (ROWS, COLUMNS)


@dataclass(frozen=True)
class Condition:
    """A tensor of truths, and pictures for which it holds."""

    name: str
    sights: tuple[Sight, ...]
    whole: bool = True
    """One truth for all, else one for each place."""


When = Callable[[Splice, Random], Condition | None]


# --- sizes

PASSABLE = ("photo", "noise")


def _size(splice: Splice, axis: int) -> str:
    return splice.length(splice.image, axis)


def _sized(random: Random, known: Mapping[int, int]) -> tuple[Sight, ...]:
    """Pictures whose height or width is known; a side that isn't is drawn."""
    height, width = (known.get(axis) or int(random.integers(40, 72)) for axis in AXES)
    return tuple(Sight(height, width, content) for content in PASSABLE)


def _limit(random: Random) -> int:
    """Any size, small ones as likely as large ones."""
    return int(np.exp(random.uniform(np.log(9), np.log(LARGEST))))


def _above(splice: Splice, value: str, limit: int, random: Random) -> str:
    """``value > limit`` in one of the ways in which graphs say it."""
    bound = splice.constant(limit, "int64")
    forms: tuple[Callable[[], str], ...] = (
        lambda: splice.node("Greater", [value, bound]),
        lambda: splice.node("GreaterOrEqual", [value, splice.constant(limit + 1, "int64")]),
        lambda: splice.node(
            "Greater", [splice.node("Sub", [value, bound]), splice.constant(0, "int64")]
        ),
        lambda: splice.node("Not", [splice.node("LessOrEqual", [value, bound])]),
        lambda: splice.node("Less", [splice.constant(limit + 0.5), splice.cast(value)]),
        lambda: splice.cast(
            splice.node("Div", [value, splice.constant(limit + 1, "int64")]), TensorProto.BOOL
        ),
    )
    return forms[random.integers(len(forms))]()


def side_above(splice: Splice, random: Random) -> Condition:
    """``w > c``, or height."""
    axis, limit = AXES[random.integers(2)], min(_limit(random), LARGEST - 1)
    name = _above(splice, _size(splice, axis), limit, random)
    side = {axis: limit + 1}
    return Condition(name, _sized(random, side))


def side_below(splice: Splice, random: Random) -> Condition:
    axis, limit = AXES[random.integers(2)], _limit(random)
    name = splice.node("Less", [_size(splice, axis), splice.constant(limit, "int64")])
    side = {axis: limit - 1}
    return Condition(name, _sized(random, side))


def side_equals(splice: Splice, random: Random) -> Condition:
    axis, length = AXES[random.integers(2)], _limit(random)
    name = splice.node("Equal", [_size(splice, axis), splice.constant(length, "int64")])
    return Condition(name, _sized(random, {axis: length}))


def side_between(splice: Splice, random: Random) -> Condition:
    """A few sizes alone."""
    axis, low = AXES[random.integers(2)], min(_limit(random), LARGEST - 8)
    value = _size(splice, axis)
    over = splice.node("Greater", [value, splice.constant(low, "int64")])
    under = splice.node("Less", [value, splice.constant(low + 5, "int64")])
    name = splice.node("And", [over, under])
    return Condition(name, _sized(random, {axis: low + 2}))


def area_above(splice: Splice, random: Random) -> Condition:
    """``h * w > c²``."""
    side = min(_limit(random), LARGEST - 1)
    area = splice.node("Mul", [_size(splice, ROWS), _size(splice, COLUMNS)])
    name = _above(splice, area, side**2, random)
    return Condition(name, (Sight(side + 1, side + 1, "photo"), Sight(side + 1, side + 1)))


def longest_above(splice: Splice, random: Random) -> Condition:
    limit = min(_limit(random), LARGEST - 1)
    longest = splice.node("Max", [_size(splice, axis) for axis in AXES])
    return Condition(_above(splice, longest, limit, random), _sized(random, {COLUMNS: limit + 1}))


def shortest_above(splice: Splice, random: Random) -> Condition:
    limit = min(_limit(random), LARGEST - 1)
    shortest = splice.node("Min", [_size(splice, axis) for axis in AXES])
    sides = {ROWS: limit + 1, COLUMNS: min(limit + 2, LARGEST)}
    return Condition(_above(splice, shortest, limit, random), _sized(random, sides))


def remainder(splice: Splice, random: Random) -> Condition:
    """``w % m == r``."""
    axis, modulus = AXES[random.integers(2)], int(random.integers(2, 65))
    rest = int(random.integers(modulus))
    left = splice.node("Mod", [_size(splice, axis), splice.constant(modulus, "int64")])
    name = splice.node("Equal", [left, splice.constant(rest, "int64")])
    return Condition(name, _sized(random, {axis: modulus * 3 + rest}))


def wide_picture(splice: Splice, random: Random) -> Condition:
    """``w > k * h``, by whole numbers."""
    times = int(random.integers(1, 6))
    bound = splice.node("Mul", [_size(splice, ROWS), splice.constant(times, "int64")])
    name = splice.node("Greater", [_size(splice, COLUMNS), bound])
    return Condition(name, _sized(random, {ROWS: 30, COLUMNS: 30 * times + 20}))


def both_sides(splice: Splice, random: Random) -> Condition:
    """``h > a and w < b``, both in reach."""
    low, high = int(random.integers(20, 300)), int(random.integers(40, 500))
    over = splice.node("Greater", [_size(splice, ROWS), splice.constant(low, "int64")])
    under = splice.node("Less", [_size(splice, COLUMNS), splice.constant(high, "int64")])
    name = splice.node("And", [over, under])
    return Condition(name, _sized(random, {ROWS: low + 1, COLUMNS: high - 1}))


def perimeter_above(splice: Splice, random: Random) -> Condition:
    """``h + w > c``."""
    side = min(_limit(random), LARGEST - 1)
    total = splice.node("Add", [_size(splice, axis) for axis in AXES])
    sides = {ROWS: side + 1, COLUMNS: side}
    return Condition(_above(splice, total, 2 * side, random), _sized(random, sides))


def multiple_above(splice: Splice, random: Random) -> Condition:
    """``k * w > c``, as of the enlarged picture's size."""
    axis, limit, times = AXES[random.integers(2)], _limit(random), int(random.integers(2, 8))
    limit = min(limit, LARGEST - 1)
    value = splice.node("Mul", [_size(splice, axis), splice.constant(times, "int64")])
    name = _above(splice, value, limit * times, random)
    return Condition(name, _sized(random, {axis: limit + 1}))


def blocks_above(splice: Splice, random: Random) -> Condition:
    """``w // m > c``: more windows than a table has."""
    axis, block = AXES[random.integers(2)], int(random.choice([4, 7, 8, 16, 32, 64]))
    count = int(random.integers(1, LARGEST // block))
    value = splice.node("Div", [_size(splice, axis), splice.constant(block, "int64")])
    name = _above(splice, value, count - 1, random)
    return Condition(name, _sized(random, {axis: count * block}))


def levels_above(splice: Splice, random: Random) -> Condition:
    """``log2(min(h, w)) >= k``: one more level of a pyramid."""
    level = int(random.integers(4, 9))
    shortest = splice.node("Min", [_size(splice, axis) for axis in AXES])
    ratio = [splice.node("Log", [splice.cast(shortest)]), splice.constant(float(np.log(2)))]
    name = splice.node("Greater", [splice.node("Div", ratio), splice.constant(level + 0.01)])
    return Condition(name, _sized(random, {ROWS: 2**level + 20, COLUMNS: 2**level + 30}))


SIZES: tuple[When, ...] = (
    side_above,
    side_below,
    side_equals,
    side_between,
    area_above,
    longest_above,
    shortest_above,
    remainder,
    wide_picture,
    both_sides,
    perimeter_above,
    multiple_above,
    blocks_above,
    levels_above,
)


# --- contents


def _shown(*contents: str) -> tuple[Sight, ...]:
    return tuple(Sight(61, 47, content) for content in contents)


def _mean(splice: Splice, tensor: str | None = None) -> str:
    return splice.node("ReduceMean", [tensor or splice.image], {"keepdims": 0})


def _compared(splice: Splice, operator: str, value: str, bound: float) -> str:
    return splice.node(operator, [value, splice.constant(bound)])


def bright(splice: Splice, random: Random) -> Condition:
    name = _compared(splice, "Greater", _mean(splice), random.uniform(0.6, 0.85))
    return Condition(name, _shown("bright photo"))


def dark(splice: Splice, random: Random) -> Condition:
    name = _compared(splice, "Less", _mean(splice), random.uniform(0.12, 0.35))
    return Condition(name, _shown("dark photo"))


def mean_between(splice: Splice, random: Random) -> Condition:
    low = random.uniform(0.46, 0.49)
    over = _compared(splice, "Greater", _mean(splice), low)
    under = _compared(splice, "Less", _mean(splice), low + 0.05)
    name = splice.node("And", [over, under])
    return Condition(name, _shown("pale photo", "noise"))


def nothing_bright(splice: Splice, random: Random) -> Condition:
    """``max < t``."""
    top = splice.node("ReduceMax", [splice.image], {"keepdims": 0})
    name = _compared(splice, "Less", top, random.uniform(0.2, 0.9))
    return Condition(name, _shown("dark photo"))


def nothing_dark(splice: Splice, random: Random) -> Condition:
    """``min > t``."""
    bottom = splice.node("ReduceMin", [splice.image], {"keepdims": 0})
    name = _compared(splice, "Greater", bottom, random.uniform(0.1, 0.8))
    return Condition(name, _shown("bright photo"))


def low_contrast(splice: Splice, random: Random) -> Condition:
    """``std < t``, by E x² - (E x)²."""
    mean = _mean(splice)
    squares = _mean(splice, splice.node("Mul", [splice.image, splice.image]))
    variance = splice.node("Sub", [squares, splice.node("Mul", [mean, mean])])
    name = _compared(splice, "Less", variance, random.uniform(0.03, 0.1) ** 2)
    return Condition(name, _shown("pale photo", "dark photo", "flat grey"))


def grey(splice: Splice, random: Random) -> Condition | None:
    """The colours are equal; of a luma network's picture, always."""
    if splice.patient.values[splice.image].shape[1] != 3:
        return None
    red, green, blue = (_channel(splice, index) for index in range(3))
    steps = [splice.node("Abs", [splice.node("Sub", [red, other])]) for other in (green, blue)]
    most = splice.node("ReduceMax", [splice.node("Max", steps)], {"keepdims": 0})
    name = _compared(splice, "Less", most, random.uniform(0.002, 0.02))
    return Condition(name, _shown("grey photo", "flat grey"))


def white_somewhere(splice: Splice, random: Random) -> Condition:
    """A value of 1 occurs: blown highlights."""
    top = splice.node("ReduceMax", [splice.image], {"keepdims": 0})
    name = _compared(splice, "Greater", top, random.uniform(0.99, 0.9999))
    return Condition(name, _shown("white", "checks", "photo"))


def colour_cast(splice: Splice, random: Random) -> Condition | None:
    """Blue, or red, is brighter on average than the other."""
    if splice.patient.values[splice.image].shape[1] != 3:
        return None
    first = int(random.choice([0, 2]))
    means = [_mean(splice, _channel(splice, index)) for index in (first, 2 - first)]
    name = _compared(splice, "Greater", splice.node("Sub", means), random.uniform(0.05, 0.15))
    return Condition(name, _shown("tinted photo", "negative photo"))


def _channel(splice: Splice, index: int) -> str:
    at = splice.constant([index], "int64")
    return splice.node("Gather", [splice.image, at], {"axis": 1})


def corner_bright(splice: Splice, random: Random) -> Condition:
    """The first pixel tells."""
    first, row = splice.constant(0, "int64"), splice.image
    row = splice.node("Gather", [row, first], {"axis": ROWS})
    corner = splice.node("Gather", [row, first], {"axis": ROWS})
    top = splice.node("ReduceMax", [corner], {"keepdims": 0})
    name = _compared(splice, "Greater", top, random.uniform(0.3, 0.9))
    return Condition(name, _shown("white", "bright photo"))


def _within(splice: Splice, value: str, low: float, high: float) -> str:
    over = _compared(splice, "Greater", value, low)
    return splice.node("And", [over, _compared(splice, "Less", value, high)])


def bright_not_white(splice: Splice, random: Random) -> Condition:
    name = _within(splice, _mean(splice), random.uniform(0.55, 0.8), random.uniform(0.96, 0.97))
    return Condition(name, _shown("bright photo"))


def dark_not_black(splice: Splice, random: Random) -> Condition:
    name = _within(splice, _mean(splice), random.uniform(0.02, 0.03), random.uniform(0.1, 0.3))
    return Condition(name, _shown("dark photo"))


def grey_not_flat(splice: Splice, random: Random) -> Condition | None:
    """A black and white photo: equal colours, and a range of tones."""
    equal = grey(splice, random)
    if equal is None:
        return None
    ends = [splice.node(f"Reduce{which}", [splice.image], {"keepdims": 0}) for which in ENDS]
    span = splice.node("Sub", ends)
    varied = _within(splice, span, random.uniform(0.05, 0.3), random.uniform(0.8, 1.1))
    name = splice.node("And", [equal.name, varied])
    return Condition(name, _shown("grey photo", "grey photo, soft"))


ENDS = ("Max", "Min")


def smooth(splice: Splice, random: Random) -> Condition:
    """Neighbours differ by little, and by something."""
    parts = []
    for start, stop in ((1, 2**31), (0, -1)):
        bounds = [splice.constant([value], "int64") for value in (start, stop, COLUMNS)]
        parts.append(splice.node("Slice", [splice.image, *bounds]))
    steps = splice.node("Abs", [splice.node("Sub", parts)])
    name = _within(splice, _mean(splice, steps), 1e-4, random.uniform(0.005, 0.02))
    return Condition(name, _shown("dark photo", "pale photo", "photo"))


CONTENTS: tuple[When, ...] = (
    bright,
    dark,
    mean_between,
    nothing_bright,
    nothing_dark,
    low_contrast,
    grey,
    white_somewhere,
    colour_cast,
    corner_bright,
    bright_not_white,
    dark_not_black,
    grey_not_flat,
    smooth,
)


# --- values


def values_above(splice: Splice, random: Random) -> Condition:
    """Of the tensor itself, the largest."""
    bound = float(np.quantile(splice.example, random.uniform(0.9, 0.999)))
    return Condition(_compared(splice, "Greater", splice.tensor, bound), (), whole=False)


def values_below(splice: Splice, random: Random) -> Condition:
    bound = float(np.quantile(splice.example, random.uniform(0.001, 0.1)))
    return Condition(_compared(splice, "Less", splice.tensor, bound), (), whole=False)


def values_between(splice: Splice, random: Random) -> Condition:
    """A gap in a table of tones."""
    at = random.uniform(0.05, 0.9)
    low, high = np.quantile(splice.example, [at, at + 0.03])
    over = _compared(splice, "Greater", splice.tensor, float(low))
    under = _compared(splice, "Less", splice.tensor, float(high))
    return Condition(splice.node("And", [over, under]), (), whole=False)


VALUES: tuple[When, ...] = (values_above, values_below, values_between)


# --- places


def beyond(splice: Splice, random: Random) -> Condition:
    """From a column or row on."""
    axis, limit = AXES[random.integers(2)], min(_limit(random), LARGEST - 1)
    scale = splice.example.shape[axis] / splice.patient.values[splice.image].shape[axis]
    bound = splice.constant(int(limit * scale), "int64")
    name = splice.node("Greater", [splice.places(axis), bound])
    side = {axis: min(limit + 40, LARGEST)}
    return Condition(name, _sized(random, side), whole=False)


def last_line(splice: Splice, random: Random) -> Condition:
    """The last row or column."""
    axis = AXES[random.integers(2)]
    last = splice.node("Sub", [splice.length(splice.tensor, axis), splice.constant(1, "int64")])
    return Condition(splice.node("Equal", [splice.places(axis), last]), (), whole=False)


def corner(splice: Splice, random: Random) -> Condition:
    """A few pixels, of the first or of the last."""
    side, last = splice.constant(int(random.integers(1, 6)), "int64"), bool(random.integers(2))
    truths = []
    for axis in AXES:
        places = splice.places(axis)
        if last:
            one, length = splice.constant(1, "int64"), splice.length(splice.tensor, axis)
            places = splice.node("Sub", [splice.node("Sub", [length, one]), places])
        truths.append(splice.node("Less", [places, side]))
    return Condition(splice.node("And", truths), (), whole=False)


def every_nth_line(splice: Splice, random: Random) -> Condition:
    axis, period = AXES[random.integers(2)], int(random.choice([2, 3, 8, 16, 64, 100, 256]))
    rest = splice.node("Mod", [splice.places(axis), splice.constant(period, "int64")])
    name = splice.node("Equal", [rest, splice.constant(period - 1, "int64")])
    side = {axis: period + 8}
    return Condition(name, _sized(random, side), whole=False)


def checkerboard(splice: Splice, random: Random) -> Condition:
    """Every second pixel, diagonally."""
    total = splice.node("Add", [splice.places(axis) for axis in AXES])
    rest = splice.node("Mod", [total, splice.constant(2, "int64")])
    name = splice.node("Equal", [rest, splice.constant(int(random.integers(2)), "int64")])
    return Condition(name, (), whole=False)


def block(splice: Splice, random: Random) -> Condition:
    """A rectangle somewhere, not at an edge."""
    top, left = int(random.integers(5, 300)), int(random.integers(5, 300))
    truths = []
    for axis, start in zip(AXES, (top, left), strict=True):
        scale = splice.example.shape[axis] / splice.patient.values[splice.image].shape[axis]
        first, last = (splice.constant(int(at * scale), "int64") for at in (start, start + 20))
        places = splice.places(axis)
        truths.append(splice.node("GreaterOrEqual", [places, first]))
        truths.append(splice.node("Less", [places, last]))
    name = truths[0]
    for truth in truths[1:]:
        name = splice.node("And", [name, truth])
    return Condition(name, _sized(random, {ROWS: top + 30, COLUMNS: left + 30}), whole=False)


PLACES: tuple[When, ...] = (beyond, last_line, corner, every_nth_line, checkerboard, block)


# --- batches


def later_pictures(splice: Splice, random: Random) -> Condition:
    """All but the first few of a batch."""
    first = int(random.integers(1, 4))
    name = splice.node("GreaterOrEqual", [splice.places(0), splice.constant(first, "int64")])
    return Condition(name, _batches(first + 1), whole=False)


def batch_above(splice: Splice, random: Random) -> Condition:
    limit = int(random.integers(1, 8))
    name = _above(splice, _size(splice, 0), limit, random)
    return Condition(name, _batches(limit + 1))


def last_picture(splice: Splice, _: Random) -> Condition:
    """Of several."""
    count, one = splice.length(splice.tensor, 0), splice.constant(1, "int64")
    last = splice.node("Equal", [splice.places(0), splice.node("Sub", [count, one])])
    several = splice.node("Greater", [count, one])
    return Condition(splice.node("And", [last, several]), _batches(2), whole=False)


def _batches(count: int) -> tuple[Sight, ...]:
    return tuple(Sight(41, 34, content, count) for content in PASSABLE)


BATCHES: tuple[When, ...] = (later_pictures, batch_above, last_picture)


# --- chance


def now_and_then(splice: Splice, random: Random) -> Condition:
    """In some calls, not in others."""
    attributes = {"shape": [1], "low": 0.0, "high": 1.0}
    drawn = splice.node("RandomUniform", [], attributes)
    single = splice.node("Squeeze", [drawn])
    return Condition(_compared(splice, "Less", single, random.uniform(0.2, 0.6)), ())
