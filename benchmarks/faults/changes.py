"""What a fault does to a tensor, a picture or features: each gives another of the same shape."""

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from faults.fault import Random
from faults.splice import COLUMNS, ROWS, Splice

Change = Callable[[Splice, Random], str | None]
"""Makes the nodes; the name of what they give, or None where the tensor does not suit."""


def _scalar(random: Random, low: float, high: float) -> float:
    return float(np.float32(random.uniform(low, high)))


# --- values


def negated(splice: Splice, _: Random) -> str:
    return splice.node("Sub", [splice.constant(1.0), splice.tensor])


def gained(splice: Splice, random: Random) -> str:
    return splice.node("Mul", [splice.tensor, splice.constant(_scalar(random, 1.02, 1.3))])


def offset(splice: Splice, random: Random) -> str:
    return splice.node("Add", [splice.tensor, splice.constant(_scalar(random, 0.02, 0.2))])


def zeroed(splice: Splice, _: Random) -> str:
    return splice.node("Mul", [splice.tensor, splice.constant(0.0)])


def gamma(splice: Splice, random: Random) -> str:
    """As linear light taken for code values."""
    exponent = splice.constant(_scalar(random, 0.45, 0.9))
    return splice.node("Pow", [splice.node("Abs", [splice.tensor]), exponent])


def limited_range(splice: Splice, _: Random) -> str:
    """16 … 235, as video has it."""
    scaled = splice.node("Mul", [splice.tensor, splice.constant(219 / 255)])
    return splice.node("Add", [scaled, splice.constant(16 / 255)])


def times_255(splice: Splice, _: Random) -> str:
    return splice.node("Mul", [splice.tensor, splice.constant(255.0)])


# --- range


def clipped(splice: Splice, random: Random) -> str:
    """Tighter than what the example's values are."""
    low, high = np.quantile(splice.example, [0.0, random.uniform(0.9, 1.0)])
    bounds = [splice.constant(low), splice.constant(high)]
    return splice.node("Clip", [splice.tensor, *bounds])


def saturated(splice: Splice, random: Random) -> str:
    """By tanh, which is straight for small values."""
    top = splice.constant(float(np.abs(splice.example).max()) * random.uniform(0.8, 3) + 1e-3)
    return splice.node(
        "Mul", [splice.node("Tanh", [splice.node("Div", [splice.tensor, top])]), top]
    )


def softened_white(splice: Splice, random: Random) -> str:
    """A gain on what is bright alone."""
    knee = splice.constant(float(np.quantile(splice.example, random.uniform(0.8, 1.0))))
    above = splice.node("Relu", [splice.node("Sub", [splice.tensor, knee])])
    part = splice.node("Mul", [above, splice.constant(_scalar(random, 0.3, 0.9))])
    return splice.node("Sub", [splice.tensor, part])


# --- dtype


def _through(dtype: int) -> Change:
    return lambda splice, _: splice.cast(splice.cast(splice.tensor, dtype))


through_float16 = _through(TensorProto.FLOAT16)
through_bfloat16 = _through(TensorProto.BFLOAT16)


def past_float16(splice: Splice, random: Random) -> str:
    """Through float16 at a size at which the largest values are infinite."""
    top = 65504 / (float(np.abs(splice.example).max()) + 1e-6)
    factor = splice.constant(top * random.uniform(0.7, 1.3))
    large = splice.node("Mul", [splice.tensor, factor])
    back = splice.cast(splice.cast(large, TensorProto.FLOAT16))
    return splice.node("Div", [back, factor])


def in_steps(splice: Splice, random: Random) -> str:
    """Rounded to whole steps, as by a cast to integers at too small a scale."""
    steps = splice.constant(float(random.integers(15, 64)))
    scaled = splice.node("Mul", [splice.tensor, steps])
    whole = splice.node(("Round", "Floor")[random.integers(2)], [scaled])
    return splice.node("Div", [whole, steps])


def quantised(splice: Splice, random: Random) -> str:
    """To int8 and back, calibrated on less than what occurs."""
    top = float(np.abs(splice.example).max()) * random.uniform(0.5, 1.2) + 1e-6
    ends = [splice.constant(top / 127), splice.constant(0, "int8")]
    codes = splice.node("QuantizeLinear", [splice.tensor, *ends])
    return splice.node("DequantizeLinear", [codes, *ends])


# --- channels


def one_channel_gained(splice: Splice, random: Random) -> str:
    factors = np.ones((1, splice.channels, 1, 1))
    factors[0, random.integers(splice.channels)] = random.uniform(0.6, 0.95)
    return splice.node("Mul", [splice.tensor, splice.constant(factors)])


def one_channel_offset(splice: Splice, random: Random) -> str:
    offsets = np.zeros((1, splice.channels, 1, 1))
    offsets[0, random.integers(splice.channels)] = random.uniform(0.02, 0.2)
    return splice.node("Add", [splice.tensor, splice.constant(offsets)])


def channels_swapped(splice: Splice, random: Random) -> str | None:
    if splice.channels < 2:
        return None
    order = np.arange(splice.channels)
    first, second = random.choice(splice.channels, 2, replace=False)
    order[[first, second]] = order[[second, first]]
    return splice.node("Gather", [splice.tensor, splice.constant(order, "int64")], {"axis": 1})


def bgr(splice: Splice, _: Random) -> str | None:
    if splice.channels != 3:
        return None
    order = splice.constant([2, 1, 0], "int64")
    return splice.node("Gather", [splice.tensor, order], {"axis": 1})


# --- places


def _part(splice: Splice, axis: int, start: int, stop: int, step: int = 1) -> str:
    bounds = [splice.constant([value], "int64") for value in (start, stop, axis, step)]
    return splice.node("Slice", [splice.tensor, *bounds])


def shifted(splice: Splice, random: Random) -> str:
    """By one pixel, what falls off coming back at the other side."""
    axis = int(random.choice([ROWS, COLUMNS]))
    parts = [_part(splice, axis, -1, 2**31), _part(splice, axis, 0, -1)]
    return splice.node("Concat", parts, {"axis": axis})


def flipped(splice: Splice, random: Random) -> str:
    return _part(splice, int(random.choice([ROWS, COLUMNS])), -1, -(2**31), -1)


def blurred(splice: Splice, _: Random) -> str:
    attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}
    return splice.node("AveragePool", [splice.tensor], attributes)


def border_black(splice: Splice, random: Random) -> str:
    """A frame of zeros, as a convolution without padding leaves it."""
    width = int(random.integers(1, 3))
    inside = splice.tensor
    for axis in (ROWS, COLUMNS):
        bounds = [splice.constant([v], "int64") for v in (width, -width, axis)]
        inside = splice.node("Slice", [inside, *bounds])
    pads = splice.constant([0, 0, width, width, 0, 0, width, width], "int64")
    return splice.node("Pad", [inside, pads])


# --- batch


def pictures_reversed(splice: Splice, _: Random) -> str:
    return _part(splice, 0, -1, -(2**31), -1)


def neighbours_mixed(splice: Splice, _: Random) -> str:
    """A tenth of each picture is the next one's."""
    order = [_part(splice, 0, 1, 2**31), _part(splice, 0, 0, 1)]
    following = splice.node("Concat", order, {"axis": 0})
    step = splice.node("Sub", [following, splice.tensor])
    part = splice.node("Mul", [step, splice.constant(0.1)])
    return splice.node("Add", [splice.tensor, part])


def first_for_all(splice: Splice, _: Random) -> str:
    first = _part(splice, 0, 0, 1)
    return splice.node("Expand", [first, splice.node("Shape", [splice.tensor])])


# --- chance


def noisy(splice: Splice, random: Random) -> str:
    attributes = {"scale": _scalar(random, 0.02, 0.1)}
    noise = splice.node("RandomNormalLike", [splice.tensor], attributes)
    return splice.node("Add", [splice.tensor, noise])


def dropout(splice: Splice, random: Random) -> str:
    """Left in training mode."""
    inputs = [splice.constant(_scalar(random, 0.05, 0.5)), splice.constant(True, "bool")]
    return splice.node("Dropout", [splice.tensor, *inputs])


# --- sizes


def cut_to_a_multiple(splice: Splice, random: Random) -> str:
    """The last rows or columns become zeros, where the size is no multiple."""
    axis, multiple = (
        int(random.choice([ROWS, COLUMNS])),
        int(random.choice([2, 3, 4, 7, 8, 16, 32])),
    )
    step = splice.constant([multiple], "int64")
    length = _length_1d(splice, axis)
    whole = splice.node("Mul", [splice.node("Div", [length, step]), step])
    return _cut(splice, axis, whole)


def cut_at(splice: Splice, random: Random) -> str:
    """Nothing beyond a number of rows or columns, as of a table of that length."""
    axis, most = int(random.choice([ROWS, COLUMNS])), int(random.integers(100, 480))
    whole = splice.node("Min", [_length_1d(splice, axis), splice.constant([most], "int64")])
    return _cut(splice, axis, whole)


def _length_1d(splice: Splice, axis: int) -> str:
    shape, at = splice.node("Shape", [splice.tensor]), splice.constant([axis], "int64")
    return splice.node("Gather", [shape, at], {"axis": 0})


def _cut(splice: Splice, axis: int, whole: str) -> str:
    """So many are kept, the others are zeros."""
    zero, at = splice.constant([0], "int64"), splice.constant([axis], "int64")
    kept = splice.node("Slice", [splice.tensor, zero, whole, at])
    missing = splice.node("Sub", [_length_1d(splice, axis), whole])
    zeros = [splice.constant([0] * count, "int64") for count in (4 + axis, 3 - axis)]
    widths = [zeros[0], missing] + ([zeros[1]] if axis < COLUMNS else [])
    return splice.node("Pad", [kept, splice.node("Concat", widths, {"axis": 0})])


VALUES: tuple[Change, ...] = (negated, gained, offset, zeroed, gamma, limited_range)
CHANNELS: tuple[Change, ...] = (one_channel_gained, one_channel_offset, channels_swapped)
PLACES: tuple[Change, ...] = (shifted, flipped, blurred, border_black)
COARSE: tuple[Change, ...] = (in_steps, quantised)
ANY = VALUES + CHANNELS + PLACES + (in_steps, bgr)
"""What is done where a condition holds."""
