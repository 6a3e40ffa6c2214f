"""The dependencies of each operator's result: one small handler per family, in two tables."""

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
    AxisLength,
    ConstantTensor,
    PictureTensor,
    PlainAxis,
    SizeTensor,
    Tensor,
    axis_length,
    plain_length,
    regroup_axes,
)
from subpixel.graph.geometry.windows import KernelWindow


@dataclass(frozen=True)
class Operation:
    """A node and what is known of its inputs."""

    kind: str
    attributes: Mapping[str, Any]
    inputs: tuple[Tensor | None, ...]
    outputs: int
    opset: int

    def at(self, index: int) -> Tensor | None:
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def pixels(self) -> PictureTensor:
        """The first input, which must be computed from the picture."""
        tensor = self.at(0)
        if not isinstance(tensor, PictureTensor):
            raise NotLocalError("its first input is no picture")
        return tensor

    def array(self, index: int) -> NDArray[Any]:
        """An input that must be a constant."""
        tensor = self.at(index)
        if not isinstance(tensor, ConstantTensor):
            raise NotLocalError(f"its input {index} is no constant")
        return tensor.array

    def setting(self, name: str, index: int) -> list[Any] | None:
        """A parameter that is an attribute in old opsets and a constant input in new ones."""
        if name in self.attributes:
            value = self.attributes[name]
            return list(value) if isinstance(value, Sequence) else [value]
        return None if self.at(index) is None else np.atleast_1d(self.array(index)).tolist()

    def word(self, name: str, default: str) -> str:
        """A string attribute."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def ints(self, name: str, default: Sequence[int]) -> Sequence[int]:
        value: Sequence[int] = self.attributes.get(name, default)
        return value


Handler = Callable[[Operation], Tensor | tuple[Tensor, ...]]


# --- pixel by pixel


def _keep_axes(operation: Operation) -> Tensor:
    """The first input's axes; further inputs must be constants that don't vary over space."""
    parameters = [i for i in range(1, len(operation.inputs)) if operation.at(i) is not None]
    if any(operation.array(i).ndim > 1 for i in parameters):
        raise NotLocalError("a parameter varies over space")
    return operation.pixels


def _batch_normalise(operation: Operation) -> Tensor:
    if operation.attributes.get("training_mode", 0):
        raise NotLocalError("normalises by the picture itself")
    return _keep_axes(operation)


def _elementwise(operation: Operation) -> Tensor:
    if operation.opset < 7:
        raise NotLocalError("broadcasts by the rules of opsets before 7")
    shapes = [_axes(tensor) for tensor in operation.inputs if tensor is not None]
    rank = max(map(len, shapes))
    aligned = [(PlainAxis(ONE),) * (rank - len(axes)) + axes for axes in shapes]
    return PictureTensor(tuple(reduce(_together, column) for column in zip(*aligned, strict=True)))


def _axes(tensor: Tensor) -> tuple[Axis, ...]:
    match tensor:
        case PictureTensor(axes):
            return axes
        case ConstantTensor(array):
            return tuple(PlainAxis(plain_length(extent)) for extent in array.shape)
    raise NotLocalError("computes with the picture's size")


def _together(a: Axis, b: Axis) -> Axis:
    """One axis of an elementwise operation, with NumPy's broadcasting."""
    match a, b:
        case Line(), Line():
            return a.join(b)
        case _, PlainAxis(s) if s == ONE:
            return a
        case PlainAxis(s), _ if s == ONE:
            return b
        case PlainAxis(), PlainAxis() if a == b:
            return a
    raise NotLocalError("combines axes of different kind or length")


# --- windows


WEIGHTS_PLACE: Mapping[str, int] = {
    **dict.fromkeys(("Conv", "ConvInteger", "ConvTranspose", "MatMul", "MatMulInteger"), 1),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), 3),
}
"""Which input of an operator with weights is these."""


def _convolve(operation: Operation) -> Tensor:
    weights = operation.array(WEIGHTS_PLACE[operation.kind])
    windows = _windows(operation, weights.shape[2:])
    _, height, width = operation.pixels.picture_axes()
    return operation.pixels.picture(
        weights.shape[0], windows[0].slide(height), windows[1].slide(width)
    )


def _convolve_transposed(operation: Operation) -> Tensor:
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


def _pool(operation: Operation) -> Tensor:
    if operation.attributes.get("ceil_mode", 0):
        raise NotLocalError("its last window depends on the picture's size")
    windows = _windows(operation, operation.ints("kernel_shape", ()))
    channels, height, width = operation.pixels.picture_axes()
    return operation.pixels.picture(
        channels.size.whole(), windows[0].slide(height), windows[1].slide(width)
    )


def _windows(operation: Operation, kernel: Sequence[int]) -> list[KernelWindow]:
    if len(kernel) != 2:
        raise NotLocalError(f"its window has {len(kernel)} dimensions, not 2")
    strides = operation.ints("strides", (1, 1))
    dilations = operation.ints("dilations", (1, 1))
    auto = _auto_pad(operation)
    pads = operation.ints("pads", (0, 0, 0, 0)) if auto == "NOTSET" else (0, 0, 0, 0)
    windows = [
        KernelWindow(kernel[i], strides[i], dilations[i], pads[i], pads[i + 2]) for i in range(2)
    ]
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
        channels.size.whole() // block**2, height.enlarge(block), width.enlarge(block)
    )


def _space_to_depth(operation: Operation) -> Tensor:
    channels, height, width = operation.pixels.picture_axes()
    block = operation.attributes["blocksize"]
    return operation.pixels.picture(
        channels.size.whole() * block**2, height.gather(block), width.gather(block)
    )


def _pad_axes(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    pads = operation.setting("pads", 1)
    chosen = operation.setting("axes", 3) or range(len(axes))
    if pads is None:
        raise NotLocalError("its padding is not given")
    mode = operation.word("mode", "constant")
    result = list(axes)
    for axis, before, after in zip(chosen, pads[: len(chosen)], pads[len(chosen) :], strict=True):
        result[axis] = _pad_axis(axes[axis], int(before), int(after), mode)
    return PictureTensor(tuple(result))


def _pad_axis(axis: Axis, before: int, after: int, mode: str) -> Axis:
    if before == after == 0:
        return axis
    if isinstance(axis, PlainAxis):
        return PlainAxis(plain_length(axis.size.whole() + before + after))
    if mode not in ("constant", "edge", "reflect"):
        raise NotLocalError(f"pads by {mode}")
    line = axis if mode == "constant" else axis.mirror()
    return line.through(lambda o: [o - before], lambda n: n + before + after, (1, 1))


def _slice_axes(operation: Operation) -> Tensor:
    result = list(operation.pixels.axes)
    for axis, start, end, step in _slices(operation, len(result)):
        result[axis] = _cut_axis(result[axis], start, end, step)
    return PictureTensor(tuple(result))


def _slices(operation: Operation, rank: int) -> list[tuple[int, int, int, int]]:
    """Axis, start, end and step of each axis that a Slice cuts."""
    starts, ends = operation.setting("starts", 1), operation.setting("ends", 2)
    if starts is None or ends is None:
        raise NotLocalError("its bounds are not given")
    axes = operation.setting("axes", 3) or range(len(starts))
    steps = (operation.setting("steps", 4) if operation.opset >= 10 else None) or [1] * len(starts)
    return [(a % rank, *cut) for a, *cut in zip(axes, starts, ends, steps, strict=True)]


OPEN_END = 2**31 - 1
"""Exporters write this or a larger number for the end of an axis."""


def _cut_axis(axis: Axis, start: int, end: int, step: int) -> Axis:
    if isinstance(axis, PlainAxis):
        if (start, step) == (0, 1) and end >= OPEN_END:
            return axis
        return PlainAxis(plain_length(len(range(axis.size.whole())[start:end:step])))
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
"""The position of an output sample among the input's, by ``coordinate_transformation_mode``."""

_REACH = {"linear": 1, "bilinear": 1, "cubic": 2}
"""The number of input samples that a kernel reads on each side of a position between samples."""


def _resize_axes(operation: Operation) -> Tensor:
    """Enlargement by whole numbers only: by other numbers the output's grid drifts against the
    input's."""
    old = operation.opset < 11
    word = "asymmetric" if old else operation.word("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if old else operation.word("nearest_mode", "round_prefer_floor")
    if word not in _CENTRE:
        raise NotLocalError(f"its sampling places ({word}) depend on the picture's size")
    support = _support(operation.word("mode", "nearest"), rounding)
    pairs = zip(operation.pixels.axes, _scales(operation), strict=True)
    return PictureTensor(
        tuple(_resize_axis(axis, scale, _CENTRE[word], support) for axis, scale in pairs)
    )


def _resize_axis(axis: Axis, scale: int, centre: Centre, support: Support) -> Axis:
    if scale == 1:
        return axis
    if isinstance(axis, PlainAxis):
        raise NotLocalError("resizes an axis that isn't spatial")
    return axis.through(lambda o: support(centre(o, scale)), lambda n: n * scale, (1, scale))


def _support(mode: str, rounding: str) -> Support:
    if mode == "nearest" and rounding in _NEAREST:
        return lambda x: [_NEAREST[rounding](x)]
    if mode not in _REACH:
        raise NotLocalError(f"resizes by {mode}")
    reach = _REACH[mode]
    return lambda x: (
        [int(x)]  # both kernels are zero at all other samples
        if x.denominator == 1
        else range(math.floor(x) - reach + 1, math.floor(x) + reach + 1)
    )


def _scales(operation: Operation) -> list[int]:
    """The upscaling factor of each axis."""
    axes_of_picture = operation.pixels.axes
    axes = [
        axis % len(axes_of_picture) for axis in operation.ints("axes", range(len(axes_of_picture)))
    ]
    sizes = operation.at(3) if operation.opset >= 11 else None
    if sizes is not None:
        if operation.word("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise NotLocalError("fits the picture into a frame")
        pairs = zip(_size_entries(sizes), axes, strict=True)
        factors = [(length / axis_length(axes_of_picture[axis])).whole() for length, axis in pairs]
    else:
        factors = operation.setting("scales", 1 if operation.opset < 11 else 2) or []
    if any(Fraction(scale).denominator != 1 or scale < 1 for scale in factors):
        raise NotLocalError(f"resizes by {factors}; only whole numbers are followed")
    chosen = dict(zip(axes, factors, strict=True))
    return [int(chosen.get(axis, 1)) for axis in range(len(axes_of_picture))]


# --- other layouts


def _transpose_axes(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    order = operation.ints("perm", range(len(axes))[::-1])
    return PictureTensor(tuple(axes[i] for i in order))


def _reshape_axes(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    lengths = list(_size_entries(operation.at(1)))
    for i, entry in enumerate(lengths):
        if entry.number == 0 and not operation.attributes.get("allowzero", 0):
            lengths[i] = axis_length(axes[i])
    free = [i for i, entry in enumerate(lengths) if entry.number < 0]
    for i in free:
        rest = math.prod((e for e in lengths if e.number > 0), start=ONE)
        lengths[i] = math.prod(map(axis_length, axes), start=ONE) / rest
    return PictureTensor(regroup_axes(axes, tuple(lengths)))


def _unsqueeze(operation: Operation) -> Tensor:
    new = operation.setting("axes", 1) or []
    axes = list(operation.pixels.axes)
    rank = len(axes) + len(new)
    for axis in sorted(axis % rank for axis in new):
        axes.insert(axis, PlainAxis(ONE))
    return PictureTensor(tuple(axes))


def _squeeze(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    indices = operation.setting("axes", 1)
    if indices is None:
        raise NotLocalError("squeezes every axis of length one, whichever those are")
    removed = {axis % len(axes) for axis in indices}
    if any(axes[i] != PlainAxis(ONE) for i in removed):
        raise NotLocalError("squeezes an axis that isn't of length one")
    return PictureTensor(tuple(axis for i, axis in enumerate(axes) if i not in removed))


def _concatenate(operation: Operation) -> Tensor:
    shapes = [_axes(tensor) for tensor in operation.inputs if tensor is not None]
    along = operation.attributes["axis"] % len(shapes[0])
    if any(isinstance(axes[along], Line) for axes in shapes):
        raise NotLocalError("joins pictures side by side")
    total = sum(axis_length(axes[along]).whole() for axes in shapes)
    columns = list(zip(*shapes, strict=True))
    columns[along] = (PlainAxis(plain_length(total)),)
    return PictureTensor(tuple(reduce(_together, column) for column in columns))


def _split_axis(operation: Operation) -> tuple[Tensor, ...]:
    axes = list(operation.pixels.axes)
    along = operation.attributes.get("axis", 0) % len(axes)
    if isinstance(axes[along], Line):
        raise NotLocalError("cuts a picture into parts")
    whole = axis_length(axes[along]).whole()
    even = -(-whole // operation.outputs)
    parts = operation.setting("split", 1) or [
        min(even, whole - even * i) for i in range(operation.outputs)
    ]
    return tuple(
        PictureTensor((*axes[:along], PlainAxis(plain_length(part)), *axes[along + 1 :]))
        for part in parts
    )


def _gather_elements(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    along = operation.attributes.get("axis", 0) % len(axes)
    if isinstance(axes[along], Line):
        raise NotLocalError("picks samples at fixed places of the picture")
    chosen = tuple(PlainAxis(plain_length(extent)) for extent in operation.array(1).shape)
    return PictureTensor((*axes[:along], *chosen, *axes[along + 1 :]))


# --- over channels


def _reduce_axes(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    over = operation.setting("axes", 1)
    if not over:
        raise NotLocalError("reduces over the whole picture")
    reduced = _plain_axes(axes, over)
    result = [(PlainAxis(ONE) if i in reduced else axis) for i, axis in enumerate(axes)]
    if operation.attributes.get("keepdims", 1):
        return PictureTensor(tuple(result))
    return PictureTensor(tuple(axis for i, axis in enumerate(axes) if i not in reduced))


def _plain_axes(axes: Sequence[Axis], over: Sequence[int]) -> set[int]:
    """The axes ``over``, counted from the front; raises where one of them is spatial."""
    chosen = {i % len(axes) for i in over}
    if any(isinstance(axes[i], Line) for i in chosen):
        raise NotLocalError("computes over space")
    return chosen


def _softmax(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    old = operation.opset < 13  # then it flattens all axes from this one on
    axis = operation.attributes.get("axis", 1 if old else -1) % len(axes)
    _plain_axes(axes, range(axis, len(axes)) if old else [axis])
    return operation.pixels


def _layer_normalise(operation: Operation) -> Tensor:
    axes = operation.pixels.axes
    first = operation.attributes.get("axis", -1) % len(axes)
    _plain_axes(axes, range(first, len(axes)))
    return operation.pixels


def _multiply_matrix(operation: Operation) -> Tensor:
    """A matrix product with a constant, along the last axis."""
    *outer, inner = operation.pixels.axes
    matrix = operation.array(WEIGHTS_PLACE[operation.kind])
    if isinstance(inner, Line) or matrix.ndim != 2:
        raise NotLocalError("multiplies matrices over space")
    return PictureTensor((*outer, PlainAxis(plain_length(matrix.shape[1]))))


# --- sizes of pictures


def _shape_sizes(operation: Operation) -> Tensor:
    sizes = [axis_length(axis) for axis in operation.pixels.axes]
    begin = operation.attributes.get("start", 0)
    return SizeTensor(tuple(sizes[begin : operation.attributes.get("end", len(sizes))]))


def _size_entries(tensor: Tensor | None) -> tuple[AxisLength, ...]:
    match tensor:
        case SizeTensor(entries):
            return entries
        case ConstantTensor(array) if array.ndim <= 1 and not np.any(array % 1):
            return tuple(plain_length(int(entry)) for entry in np.atleast_1d(array))
    raise NotLocalError("its sizes are not known")


def _is_scalar(tensor: Tensor | None) -> bool:
    match tensor:
        case SizeTensor(scalar=scalar):
            return scalar
        case ConstantTensor(array):
            return array.ndim == 0
    return False


def _keep_sizes(operation: Operation) -> Tensor:
    return SizeTensor(_size_entries(operation.at(0)), _is_scalar(operation.at(0)))


def _as_vector(operation: Operation) -> Tensor:
    return SizeTensor(_size_entries(operation.at(0)))


def _as_scalar(operation: Operation) -> Tensor:
    entries = _size_entries(operation.at(0))
    if len(entries) != 1:
        raise NotLocalError("takes several sizes for one")
    return SizeTensor(entries, scalar=True)


def _join_sizes(operation: Operation) -> Tensor:
    return SizeTensor(
        tuple(entry for tensor in operation.inputs for entry in _size_entries(tensor))
    )


def _gather_sizes(operation: Operation) -> Tensor:
    entries, index = _size_entries(operation.at(0)), operation.array(1)
    if index.ndim > 1:
        raise NotLocalError("arranges sizes in a table")
    return SizeTensor(tuple(entries[i] for i in np.atleast_1d(index)), scalar=index.ndim == 0)


def _slice_sizes(operation: Operation) -> Tensor:
    ((_, start, end, step),) = _slices(operation, 1)
    return SizeTensor(_size_entries(operation.at(0))[start:end:step])


def _quotient(a: AxisLength, b: AxisLength) -> AxisLength:
    """Exact where the picture's size is free: a later split then requires multiples of it."""
    return a / b if a.names or b.names else plain_length(a.whole() // b.whole())


def _scale_sizes(operation: Operation) -> Tensor:
    calculate = AxisLength.__mul__ if operation.kind == "Mul" else _quotient
    a, b = _size_entries(operation.at(0)), _size_entries(operation.at(1))
    length = max(len(a), len(b))
    a, b = a * (length // len(a)), b * (length // len(b))
    scalar = _is_scalar(operation.at(0)) and _is_scalar(operation.at(1))
    return SizeTensor(tuple(map(calculate, a, b)), scalar)


_ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Neg", "Abs", "Sign", "Reciprocal")
_FUNCTIONS = ("Sqrt", "Exp", "Log", "Sin", "Cos", "Tan", "Tanh", "Erf", "Floor", "Ceil", "Round")
_RECTIFIERS = ("Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "Clip")
_SIGMOIDS = ("Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Gelu", "Mish", "Softplus", "Softsign")
_SELECTIONS = ("Max", "Min", "Mean", "Sum", "Where", "Not", "And", "Or", "Xor", "Equal")
_COMPARISONS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "IsNaN", "IsInf")

PICTURE_HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(
        _ARITHMETIC + _FUNCTIONS + _RECTIFIERS + _SIGMOIDS + _SELECTIONS + _COMPARISONS,
        _elementwise,
    ),
    **dict.fromkeys(
        ("Cast", "DequantizeLinear", "Dropout", "Identity", "LRN", "QuantizeLinear"), _keep_axes
    ),
    "BatchNormalization": _batch_normalise,
    **dict.fromkeys(("Conv", "ConvInteger", "QLinearConv"), _convolve),
    "ConvTranspose": _convolve_transposed,
    "AveragePool": _pool,
    "LpPool": _pool,
    "MaxPool": _pool,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "Pad": _pad_axes,
    "Slice": _slice_axes,
    "Resize": _resize_axes,
    "Upsample": _resize_axes,
    "Transpose": _transpose_axes,
    "Reshape": _reshape_axes,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Concat": _concatenate,
    "Split": _split_axis,
    "Gather": _gather_elements,
    **dict.fromkeys(
        ("ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), _reduce_axes
    ),
    **dict.fromkeys(("LogSoftmax", "Softmax"), _softmax),
    "LayerNormalization": _layer_normalise,
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul"), _multiply_matrix),
    "Shape": _shape_sizes,
}
"""The handlers of operators on tensors that are computed from the picture."""

SIZE_HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(("Cast", "Identity"), _keep_sizes),
    **dict.fromkeys(("Reshape", "Unsqueeze"), _as_vector),
    "Squeeze": _as_scalar,
    "Concat": _join_sizes,
    "Gather": _gather_sizes,
    "Slice": _slice_sizes,
    **dict.fromkeys(("Div", "Mul"), _scale_sizes),
}
"""The handlers of operators on integers that are computed from the picture's size."""
