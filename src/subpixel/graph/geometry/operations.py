"""What each operator's result depends on: one small handler per family, in two tables."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.graph.geometry.lines import Line, NotLocalError
from subpixel.graph.geometry.tensors import (
    ONE,
    Axis,
    Known,
    Pixels,
    Plain,
    Size,
    Sizes,
    Tensor,
    axis_size,
    regrouped,
    size,
)
from subpixel.graph.geometry.windows import Window


@dataclass(frozen=True)
class Operation:
    """A node with what is known of its inputs."""

    kind: str
    attributes: Mapping[str, Any]
    inputs: tuple[Tensor | None, ...]
    outputs: int
    opset: int

    def at(self, index: int) -> Tensor | None:
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def pixels(self) -> Pixels:
        """The first input, which is computed from the picture."""
        tensor = self.at(0)
        if not isinstance(tensor, Pixels):
            raise NotLocalError("its first input is no picture")
        return tensor

    def array(self, index: int) -> NDArray[Any]:
        """An input that must be a constant."""
        tensor = self.at(index)
        if not isinstance(tensor, Known):
            raise NotLocalError(f"its input {index} is no constant")
        return tensor.array

    def setting(self, name: str, index: int) -> list[Any] | None:
        """A setting that is an attribute in old opsets and a constant input in new ones."""
        if name in self.attributes:
            value = self.attributes[name]
            return list(value) if isinstance(value, Sequence) else [value]
        return None if self.at(index) is None else np.atleast_1d(self.array(index)).tolist()

    def word(self, name: str, default: str) -> str:
        """An attribute that is text."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def ints(self, name: str, default: Sequence[int]) -> Sequence[int]:
        value: Sequence[int] = self.attributes.get(name, default)
        return value


Handler = Callable[[Operation], Tensor | tuple[Tensor, ...]]


# --- pixel by pixel


def _unchanged(operation: Operation) -> Tensor:
    """The first input's axes; further inputs are constants that don't vary over space."""
    parameters = [i for i in range(1, len(operation.inputs)) if operation.at(i) is not None]
    if any(operation.array(i).ndim > 1 for i in parameters):
        raise NotLocalError("a parameter varies over space")
    return operation.pixels


def _batch_normalised(operation: Operation) -> Tensor:
    if operation.attributes.get("training_mode", 0):
        raise NotLocalError("normalises by the picture itself")
    return _unchanged(operation)


def _elementwise(operation: Operation) -> Tensor:
    if operation.opset < 7:
        raise NotLocalError("broadcasts by the rules of opsets before 7")
    shapes = [_axes(tensor) for tensor in operation.inputs if tensor is not None]
    rank = max(map(len, shapes))
    padded = [(Plain(ONE),) * (rank - len(axes)) + axes for axes in shapes]
    return Pixels(tuple(reduce(_together, column) for column in zip(*padded, strict=True)))


def _axes(tensor: Tensor) -> tuple[Axis, ...]:
    match tensor:
        case Pixels(axes):
            return axes
        case Known(array):
            return tuple(Plain(size(extent)) for extent in array.shape)
    raise NotLocalError("computes with the picture's size")


def _together(a: Axis, b: Axis) -> Axis:
    """One axis of an elementwise operation, broadcast by NumPy's rules."""
    match a, b:
        case Line(), Line():
            return a.joined(b)
        case _, Plain(s) if s == ONE:
            return a
        case Plain(s), _ if s == ONE:
            return b
        case Plain(), Plain() if a == b:
            return a
    raise NotLocalError("combines axes of different kind or length")


# --- windows


def _convolved(operation: Operation) -> Tensor:
    weights = operation.array(1)
    windows = _windows(operation, weights.shape[2:])
    _, height, width = operation.pixels.picture_axes()
    return operation.pixels.picture(
        weights.shape[0], windows[0].slide(height), windows[1].slide(width)
    )


def _transposed_convolved(operation: Operation) -> Tensor:
    weights = operation.array(1)
    if "output_shape" in operation.attributes or _auto_pad(operation) not in ("NOTSET", "VALID"):
        raise NotLocalError("its padding follows from the picture's size")
    windows = _windows(operation, weights.shape[2:])
    _, height, width = operation.pixels.picture_axes()
    extra = operation.ints("output_padding", (0, 0))
    return operation.pixels.picture(
        weights.shape[1] * operation.attributes.get("group", 1),
        windows[0].spread(height, extra[0]),
        windows[1].spread(width, extra[1]),
    )


def _pooled(operation: Operation) -> Tensor:
    if operation.attributes.get("ceil_mode", 0):
        raise NotLocalError("its last window depends on the picture's size")
    windows = _windows(operation, operation.ints("kernel_shape", ()))
    channels, height, width = operation.pixels.picture_axes()
    return operation.pixels.picture(
        channels.size.whole(), windows[0].slide(height), windows[1].slide(width)
    )


def _windows(operation: Operation, kernel: Sequence[int]) -> list[Window]:
    if len(kernel) != 2:
        raise NotLocalError(f"its window has {len(kernel)} dimensions, not 2")
    strides = operation.ints("strides", (1, 1))
    dilations = operation.ints("dilations", (1, 1))
    auto = _auto_pad(operation)
    pads = operation.ints("pads", (0, 0, 0, 0)) if auto == "NOTSET" else (0, 0, 0, 0)
    windows = [Window(kernel[i], strides[i], dilations[i], pads[i], pads[i + 2]) for i in range(2)]
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        return windows
    lines = operation.pixels.picture_axes()[1:]
    return [
        window.same(line.excess, more_after=auto == "SAME_UPPER")
        for window, line in zip(windows, lines, strict=True)
    ]


def _auto_pad(operation: Operation) -> str:
    return operation.word("auto_pad", "NOTSET")


# --- space and depth


def _depth_to_space(operation: Operation) -> Tensor:
    channels, height, width = operation.pixels.picture_axes()
    block = operation.attributes["blocksize"]
    return operation.pixels.picture(
        channels.size.whole() // block**2, height.enlarged(block), width.enlarged(block)
    )


def _space_to_depth(operation: Operation) -> Tensor:
    channels, height, width = operation.pixels.picture_axes()
    block = operation.attributes["blocksize"]
    return operation.pixels.picture(
        channels.size.whole() * block**2, height.gathered(block), width.gathered(block)
    )


def _padded(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    pads = operation.setting("pads", 1)
    chosen = operation.setting("axes", 3) or range(len(axes))
    if pads is None:
        raise NotLocalError("its padding is not given")
    mode = operation.word("mode", "constant")
    result = list(axes)
    for axis, before, after in zip(chosen, pads[: len(chosen)], pads[len(chosen) :], strict=True):
        result[axis] = _pad(axes[axis], int(before), int(after), mode)
    return Pixels(tuple(result))


def _pad(axis: Axis, before: int, after: int, mode: str) -> Axis:
    if before == after == 0:
        return axis
    if isinstance(axis, Plain):
        return Plain(size(axis.size.whole() + before + after))
    if mode not in ("constant", "edge", "reflect"):
        raise NotLocalError(f"pads by {mode}")
    line = axis if mode == "constant" else axis.mirrored()
    return line.through(lambda o: [o - before], lambda n: n + before + after, (1, 1))


def _sliced(operation: Operation) -> Tensor:
    result = list(operation.pixels.axes)
    for axis, start, end, step in _slices(operation, len(result)):
        result[axis] = _cut(result[axis], start, end, step)
    return Pixels(tuple(result))


def _slices(operation: Operation, rank: int) -> list[tuple[int, int, int, int]]:
    """Axis, start, end and step of each cut of a Slice."""
    starts, ends = operation.setting("starts", 1), operation.setting("ends", 2)
    if starts is None or ends is None:
        raise NotLocalError("its bounds are not given")
    axes = operation.setting("axes", 3) or range(len(starts))
    steps = (operation.setting("steps", 4) if operation.opset >= 10 else None) or [1] * len(starts)
    return [(a % rank, *cut) for a, *cut in zip(axes, starts, ends, steps, strict=True)]


OPEN_END = 2**31 - 1
"""Exporters write this, or more, for the end of an axis."""


def _cut(axis: Axis, start: int, end: int, step: int) -> Axis:
    if isinstance(axis, Plain):
        if (start, step) == (0, 1) and end >= OPEN_END:
            return axis
        return Plain(size(len(range(axis.size.whole())[start:end:step])))
    if step < 1 or start < 0 or 0 <= end < OPEN_END:
        raise NotLocalError(f"a slice {start}:{end}:{step} of space depends on the picture's size")
    shorter = start + (-end if end < 0 else 0)
    return axis.through(
        lambda o: [start + o * step], lambda n: -(-(n - shorter) // step), (step, 1)
    )


# --- resizing

Centre = Callable[[int, int], Fraction]
Support = Callable[[Fraction], Sequence[int]]

_NEAREST: Mapping[str, Callable[[Fraction], int]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round_prefer_floor": lambda x: math.ceil(x - Fraction(1, 2)),
    "round_prefer_ceil": lambda x: math.floor(x + Fraction(1, 2)),
}

_CENTRE: Mapping[str, Centre] = {
    "asymmetric": lambda o, scale: Fraction(o, scale),
    "tf_half_pixel_for_nn": lambda o, scale: Fraction(2 * o + 1, 2 * scale),
    **dict.fromkeys(
        ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"),
        lambda o, scale: Fraction(2 * o + 1, 2 * scale) - Fraction(1, 2),
    ),
}
"""Where an output sample lies among the input's, by ``coordinate_transformation_mode``."""

_REACH = {"linear": 1, "bilinear": 1, "cubic": 2}
"""Input samples that a kernel reads on each side of a place between two samples."""


def _resized(operation: Operation) -> Tensor:
    """Enlargement by whole numbers; by other numbers the samples drift against the input's."""
    old = operation.opset < 11
    word = "asymmetric" if old else operation.word("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if old else operation.word("nearest_mode", "round_prefer_floor")
    if word not in _CENTRE:
        raise NotLocalError(f"its sampling places ({word}) depend on the picture's size")
    support = _support(operation.word("mode", "nearest"), rounding)
    pairs = zip(operation.pixels.axes, _scales(operation), strict=True)
    return Pixels(tuple(_resize(axis, scale, _CENTRE[word], support) for axis, scale in pairs))


def _resize(axis: Axis, scale: int, centre: Centre, support: Support) -> Axis:
    if scale == 1:
        return axis
    if isinstance(axis, Plain):
        raise NotLocalError("resizes an axis that isn't spatial")
    return axis.through(lambda o: support(centre(o, scale)), lambda n: n * scale, (1, scale))


def _support(mode: str, rounding: str) -> Support:
    if mode == "nearest" and rounding in _NEAREST:
        return lambda x: [_NEAREST[rounding](x)]
    if mode not in _REACH:
        raise NotLocalError(f"resizes by {mode}")
    reach = _REACH[mode]
    return lambda x: (
        [int(x)]  # both kernels are zero at every other sample
        if x.denominator == 1
        else range(math.floor(x) - reach + 1, math.floor(x) + reach + 1)
    )


def _scales(operation: Operation) -> list[int]:
    """The enlargement of each axis."""
    held = operation.pixels.axes
    axes = [axis % len(held) for axis in operation.ints("axes", range(len(held)))]
    sizes = operation.at(3) if operation.opset >= 11 else None
    if sizes is not None:
        if operation.word("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise NotLocalError("fits the picture into a frame")
        pairs = zip(_entries(sizes), axes, strict=True)
        given = [(wanted / axis_size(held[axis])).whole() for wanted, axis in pairs]
    else:
        given = operation.setting("scales", 1 if operation.opset < 11 else 2) or []
    if any(Fraction(scale).denominator != 1 or scale < 1 for scale in given):
        raise NotLocalError(f"resizes by {given}; only whole numbers are followed")
    chosen = dict(zip(axes, given, strict=True))
    return [int(chosen.get(axis, 1)) for axis in range(len(held))]


# --- other layouts


def _transposed(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    order = operation.ints("perm", range(len(axes))[::-1])
    return Pixels(tuple(axes[i] for i in order))


def _reshaped(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    wanted = list(_entries(operation.at(1)))
    for i, entry in enumerate(wanted):
        if entry.number == 0 and not operation.attributes.get("allowzero", 0):
            wanted[i] = axis_size(axes[i])
    free = [i for i, entry in enumerate(wanted) if entry.number < 0]
    for i in free:
        rest = math.prod((e for e in wanted if e.number > 0), start=ONE)
        wanted[i] = math.prod(map(axis_size, axes), start=ONE) / rest
    return Pixels(regrouped(axes, tuple(wanted)))


def _unsqueezed(operation: Operation) -> Tensor:
    new = operation.setting("axes", 1) or []
    axes = list(operation.pixels.axes)
    rank = len(axes) + len(new)
    for axis in sorted(axis % rank for axis in new):
        axes.insert(axis, Plain(ONE))
    return Pixels(tuple(axes))


def _squeezed(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    given = operation.setting("axes", 1)
    if given is None:
        raise NotLocalError("squeezes every axis of length one, whichever those are")
    gone = {axis % len(axes) for axis in given}
    if any(axes[i] != Plain(ONE) for i in gone):
        raise NotLocalError("squeezes an axis that isn't of length one")
    return Pixels(tuple(axis for i, axis in enumerate(axes) if i not in gone))


def _concatenated(operation: Operation) -> Tensor:
    shapes = [_axes(tensor) for tensor in operation.inputs if tensor is not None]
    along = operation.attributes["axis"] % len(shapes[0])
    if any(isinstance(axes[along], Line) for axes in shapes):
        raise NotLocalError("joins pictures side by side")
    total = sum(axis_size(axes[along]).whole() for axes in shapes)
    columns = list(zip(*shapes, strict=True))
    columns[along] = (Plain(size(total)),)
    return Pixels(tuple(reduce(_together, column) for column in columns))


def _split(operation: Operation) -> tuple[Tensor, ...]:
    axes = list(operation.pixels.axes)
    along = operation.attributes.get("axis", 0) % len(axes)
    if isinstance(axes[along], Line):
        raise NotLocalError("cuts a picture into parts")
    whole = axis_size(axes[along]).whole()
    even = -(-whole // operation.outputs)
    parts = operation.setting("split", 1) or [
        min(even, whole - even * i) for i in range(operation.outputs)
    ]
    return tuple(Pixels((*axes[:along], Plain(size(part)), *axes[along + 1 :])) for part in parts)


def _gathered(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    along = operation.attributes.get("axis", 0) % len(axes)
    if isinstance(axes[along], Line):
        raise NotLocalError("picks samples at fixed places of the picture")
    chosen = tuple(Plain(size(extent)) for extent in operation.array(1).shape)
    return Pixels((*axes[:along], *chosen, *axes[along + 1 :]))


# --- over channels


def _reduced(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    over = operation.setting("axes", 1)
    if not over:
        raise NotLocalError("reduces over the whole picture")
    gone = _plain_axes(axes, over)
    kept = [(Plain(ONE) if i in gone else axis) for i, axis in enumerate(axes)]
    if operation.attributes.get("keepdims", 1):
        return Pixels(tuple(kept))
    return Pixels(tuple(axis for i, axis in enumerate(axes) if i not in gone))


def _plain_axes(axes: Sequence[Axis], over: Sequence[int]) -> set[int]:
    """``over`` counted from the front; raises where one of them is spatial."""
    chosen = {i % len(axes) for i in over}
    if any(isinstance(axes[i], Line) for i in chosen):
        raise NotLocalError("computes over space")
    return chosen


def _softmax(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    old = operation.opset < 13  # then it flattens every axis from the given one on
    axis = operation.attributes.get("axis", 1 if old else -1) % len(axes)
    _plain_axes(axes, range(axis, len(axes)) if old else [axis])
    return operation.pixels


def _layer_normalised(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    first = operation.attributes.get("axis", -1) % len(axes)
    _plain_axes(axes, range(first, len(axes)))
    return operation.pixels


def _multiplied(operation: Operation) -> Tensor:
    """A matrix product with a constant, along the last axis."""
    *kept, inner = operation.pixels.axes
    matrix = operation.array(1)
    if isinstance(inner, Line) or matrix.ndim != 2:
        raise NotLocalError("multiplies matrices over space")
    return Pixels((*kept, Plain(size(matrix.shape[1]))))


# --- sizes of pictures


def _shape(operation: Operation) -> Tensor:
    sizes = [axis_size(axis) for axis in operation.pixels.axes]
    begin = operation.attributes.get("start", 0)
    return Sizes(tuple(sizes[begin : operation.attributes.get("end", len(sizes))]))


def _entries(tensor: Tensor | None) -> tuple[Size, ...]:
    match tensor:
        case Sizes(entries):
            return entries
        case Known(array) if array.ndim <= 1 and not np.any(array % 1):
            return tuple(size(int(entry)) for entry in np.atleast_1d(array))
    raise NotLocalError("its sizes are not known")


def _is_scalar(tensor: Tensor | None) -> bool:
    match tensor:
        case Sizes(scalar=scalar):
            return scalar
        case Known(array):
            return array.ndim == 0
    return False


def _same_sizes(operation: Operation) -> Tensor:
    return Sizes(_entries(operation.at(0)), _is_scalar(operation.at(0)))


def _as_vector(operation: Operation) -> Tensor:
    return Sizes(_entries(operation.at(0)))


def _as_scalar(operation: Operation) -> Tensor:
    entries = _entries(operation.at(0))
    if len(entries) != 1:
        raise NotLocalError("takes several sizes for one")
    return Sizes(entries, scalar=True)


def _sizes_joined(operation: Operation) -> Tensor:
    return Sizes(tuple(entry for tensor in operation.inputs for entry in _entries(tensor)))


def _sizes_gathered(operation: Operation) -> Tensor:
    entries, index = _entries(operation.at(0)), operation.array(1)
    if index.ndim > 1:
        raise NotLocalError("arranges sizes in a table")
    return Sizes(tuple(entries[i] for i in np.atleast_1d(index)), scalar=index.ndim == 0)


def _sizes_sliced(operation: Operation) -> Tensor:
    ((_, start, end, step),) = _slices(operation, 1)
    return Sizes(_entries(operation.at(0))[start:end:step])


def _quotient(a: Size, b: Size) -> Size:
    """Exact where the picture's size is open: what is split by it then asks for multiples of it."""
    return a / b if a.names or b.names else size(a.whole() // b.whole())


def _sizes_scaled(operation: Operation) -> Tensor:
    calculate = Size.__mul__ if operation.kind == "Mul" else _quotient
    a, b = _entries(operation.at(0)), _entries(operation.at(1))
    length = max(len(a), len(b))
    a, b = a * (length // len(a)), b * (length // len(b))
    scalar = _is_scalar(operation.at(0)) and _is_scalar(operation.at(1))
    return Sizes(tuple(map(calculate, a, b)), scalar)


_ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Neg", "Abs", "Sign", "Reciprocal")
_FUNCTIONS = ("Sqrt", "Exp", "Log", "Sin", "Cos", "Tan", "Tanh", "Erf", "Floor", "Ceil", "Round")
_RECTIFIERS = ("Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "Clip")
_SIGMOIDS = ("Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Gelu", "Mish", "Softplus", "Softsign")
_CHOICES = ("Max", "Min", "Mean", "Sum", "Where", "Not", "And", "Or", "Xor", "Equal")
_COMPARISONS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "IsNaN", "IsInf")

PICTURE_HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(
        _ARITHMETIC + _FUNCTIONS + _RECTIFIERS + _SIGMOIDS + _CHOICES + _COMPARISONS, _elementwise
    ),
    **dict.fromkeys(
        ("Cast", "DequantizeLinear", "Dropout", "Identity", "LRN", "QuantizeLinear"), _unchanged
    ),
    "BatchNormalization": _batch_normalised,
    "Conv": _convolved,
    "ConvTranspose": _transposed_convolved,
    "AveragePool": _pooled,
    "LpPool": _pooled,
    "MaxPool": _pooled,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Pad": _padded,
    "Slice": _sliced,
    "Resize": _resized,
    "Upsample": _resized,
    "Transpose": _transposed,
    "Reshape": _reshaped,
    "Unsqueeze": _unsqueezed,
    "Squeeze": _squeezed,
    "Concat": _concatenated,
    "Split": _split,
    "Gather": _gathered,
    **dict.fromkeys(
        ("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), _reduced
    ),
    **dict.fromkeys(("LogSoftmax", "Softmax"), _softmax),
    "LayerNormalization": _layer_normalised,
    "MatMul": _multiplied,
    "Shape": _shape,
}
"""Operators on tensors that are computed from the picture."""

SIZE_HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(("Cast", "Identity"), _same_sizes),
    **dict.fromkeys(("Reshape", "Unsqueeze"), _as_vector),
    "Squeeze": _as_scalar,
    "Concat": _sizes_joined,
    "Gather": _sizes_gathered,
    "Slice": _sizes_sliced,
    **dict.fromkeys(("Div", "Mul"), _sizes_scaled),
}
"""Operators on integers that are computed from the picture's size."""
