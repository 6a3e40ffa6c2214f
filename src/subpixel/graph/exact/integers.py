"""A network of 8-bit integers, evaluated exactly: no rounding but that which the file asks for.

Written from the ONNX specification (https://onnx.ai/onnx/operators/: Conv, QLinearConv,
DequantizeLinear, QuantizeLinear, and those that move data), and from no runtime's code but for
:mod:`subpixel.graph.exact.sums`. Between DequantizeLinear and QuantizeLinear nothing becomes a
fraction: a convolution's products are added as whole numbers, as QLinearConv has it, and one
multiplication in float32 brings the sum to the result's steps. Integers have no order of summation,
so any processor gives these bits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from subpixel.errors import NetworkError
from subpixel.graph.exact.sums import Sum, Term, Whole, add_as_onnx

CodeArray = NDArray[np.uint8]
"""A picture's 8-bit code values, or activations in their grids."""

INT32_END = 2**31
"""QLinearConv adds in int32: sums from here on would wrap."""

BIAS_ROUNDING = 2.0**-20
"""How far, relatively, a bias' stated step may lie from the product of the other two, which is
what it is added in: both were rounded to float32."""


@dataclass(frozen=True, eq=False)
class Filters:
    """A convolution's weights or bias in whole steps, with a step for each output channel."""

    whole: Whole
    steps: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Products:
    """A convolution's sums ``(N, C, H, W)``, in steps of ``step * steps`` of each channel."""

    whole: Whole
    step: np.float32
    steps: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Terms:
    """What is to be added: two terms of one shape."""

    first: Term
    second: Term


NodeValue = NDArray[Any] | Term | Filters | Products | Terms
"""What a tensor of the graph holds: integers as they are, or the real values of integers."""


@dataclass(frozen=True, eq=False)
class NodeCall:
    """One node, with the values of its inputs; None for one that is left out."""

    node: onnx.NodeProto
    inputs: Sequence[NodeValue | None]
    add: Sum
    attributes: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        attributes = {a.name: helper.get_attribute_value(a) for a in self.node.attribute}
        object.__setattr__(self, "attributes", attributes)

    def array(self, place: int) -> NDArray[Any]:
        """An input that must be integers as they are."""
        value = self.inputs[place]
        if not isinstance(value, np.ndarray):
            raise self.fault(f"its input {place} is no tensor of integers")
        return value

    def numbers(self, place: int) -> list[int]:
        return [int(number) for number in self.array(place).ravel()]

    def fault(self, reason: str) -> NetworkError:
        return NetworkError(
            f"the node {self.node.name or self.node.op_type} ({self.node.op_type}) can't be "
            f"evaluated in integers: {reason}"
        )


def evaluate_integers(
    model: onnx.ModelProto, codes: CodeArray, add: Sum = add_as_onnx
) -> CodeArray:
    """What the network ``model`` makes of ``codes``, uint8 ``(N, H, W, 3)``; uint8 as well.

    ``model`` computes in 8-bit integers from end to end
    (:func:`~subpixel.graph.int8.integer.to_integer`); ``add`` is one of
    :data:`~subpixel.graph.exact.sums.SUMS`. Raises :class:`~subpixel.errors.NetworkError`, which
    names the node, for any other network, and for sums that leave int32.
    """
    graph = model.graph
    values: dict[str, NodeValue] = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    values[graph.input[0].name] = codes
    for node in graph.node:
        call = NodeCall(node, [values[name] if name else None for name in node.input], add)
        values[node.output[0]] = _evaluate_node(call)
    result = values[graph.output[0].name]
    if not isinstance(result, np.ndarray) or result.dtype != np.uint8:
        raise NetworkError("the network's output is no 8-bit picture: it is not one of integers")
    return result


def _evaluate_node(call: NodeCall) -> NodeValue:
    operator = EVALUATORS.get(call.node.op_type)
    if operator is None or call.node.domain not in ("", "ai.onnx"):
        raise call.fault("it is none of the operators that such networks are made of")
    if len(call.inputs) not in operator.inputs or any(value is None for value in call.inputs):
        raise call.fault(f"it has {len(call.inputs)} inputs, in a form that is not used here")
    if unknown := call.attributes.keys() - set(operator.attributes):
        raise call.fault(f"its attribute {min(unknown)} is not understood")
    return operator.evaluate(call)


def _dequantize(call: NodeCall) -> Term | Filters:
    """CodeArray become whole numbers of steps. One step is for all, or one for each filter."""
    codes, steps = call.array(0).astype(np.int64), call.array(1)
    zero = call.array(2).astype(np.int64) if len(call.inputs) > 2 else np.int64(0)
    if steps.size == 1 and not steps.ndim:
        return Term(codes - zero, np.float32(steps))
    if call.attributes.get("axis", 1) != 0:
        raise call.fault("its steps are not one for each filter (axis 0)")
    shape = (-1,) + (1,) * (codes.ndim - 1)
    return Filters(codes - np.reshape(zero, shape), steps.astype(np.float32))


def _quantize(call: NodeCall) -> CodeArray:
    """The nearest whole number of steps, half to even, then the zero point; saturated."""
    step, zero = np.float32(call.array(1)), int(call.array(2))
    if call.array(2).dtype != np.uint8:
        raise call.fault("its result is not of uint8")
    value = call.inputs[0]
    if isinstance(value, Terms):
        whole = call.add(value.first, value.second, step)
    elif isinstance(value, Products):
        whole = _requantize(value, step)
    else:
        raise call.fault("its input is neither a convolution's result nor a sum")
    return np.clip(whole + zero, 0, 255).astype(np.uint8)


def _requantize(sums: Products, step: np.float32) -> Whole:
    """QLinearConv's last step: the sums times ``x_scale * w_scale / y_scale``, all in float32."""
    multipliers = sums.step * sums.steps / step
    scaled = sums.whole.astype(np.float32) * multipliers.reshape(1, -1, 1, 1)
    return np.rint(scaled).astype(np.int64)


def _convolve_integers(call: NodeCall) -> Products:
    source, filters = call.inputs[:2]
    if not isinstance(source, Term) or not isinstance(filters, Filters):
        raise call.fault("its input and its weights are not quantised")
    whole = _add_products(call, source.whole, filters.whole)
    if len(call.inputs) > 2:
        bias = call.inputs[2]
        steps = source.step * filters.steps
        if not isinstance(bias, Filters) or not np.allclose(bias.steps, steps, BIAS_ROUNDING, 0):
            raise call.fault("its bias is not in steps of the input's times the weights'")
        whole = whole + bias.whole.reshape(1, -1, 1, 1)
    if np.abs(whole).max(initial=0) >= INT32_END:
        raise call.fault("its sums leave 32 bits")
    return Products(whole, source.step, filters.steps)


def _add_products(call: NodeCall, source: Whole, filters: Whole) -> Whole:
    """The convolution of whole numbers ``(N, C, H, W)``.

    It is computed in float64, where sums of 8-bit products are exact in any order up to 2⁵³.
    """
    groups = call.attributes.get("group", 1)
    parts = zip(
        np.split(_slide_windows(call, source, filters.shape[2:]), groups, axis=1),
        np.split(filters, groups),
        strict=True,
    )
    planes = [
        np.einsum("nchwij,ocij->nohw", part, own.astype(np.float64), optimize=True)
        for part, own in parts
    ]
    return np.concatenate(planes, axis=1).astype(np.int64)


def _slide_windows(call: NodeCall, source: Whole, kernel: Sequence[int]) -> NDArray[np.float64]:
    """``(N, C, H', W', kernel height, kernel width)``: what each output pixel reads."""
    if call.attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise call.fault("auto_pad is set")
    top, left, bottom, right = call.attributes.get("pads", (0, 0, 0, 0))
    down, along = call.attributes.get("strides", (1, 1))
    rows, columns = call.attributes.get("dilations", (1, 1))
    sizes = [(side - 1) * gap + 1 for side, gap in zip(kernel, (rows, columns), strict=True)]
    padded = np.pad(source.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)))
    windows = sliding_window_view(padded, sizes, axis=(2, 3))
    return windows[:, :, ::down, ::along, ::rows, ::columns]


def _add(call: NodeCall) -> NodeValue:
    first, second = call.inputs
    if isinstance(first, Term) and isinstance(second, Term):
        return Terms(first, second)
    result: NDArray[Any] = call.array(0) + call.array(1)
    return result


def _subtract(call: NodeCall) -> NodeValue:
    result: NDArray[Any] = call.array(0) - call.array(1)
    return result


def _multiply(call: NodeCall) -> NodeValue:
    result: NDArray[Any] = call.array(0) * call.array(1)
    return result


def _divide_whole(call: NodeCall) -> NodeValue:
    if min(call.array(0).min(), call.array(1).min()) < 0:
        raise call.fault("a length is negative")
    result: NDArray[Any] = call.array(0) // call.array(1)
    return result


def _shape(call: NodeCall) -> NodeValue:
    return np.array(call.array(0).shape, np.int64)


def _reshape(call: NodeCall) -> NodeValue:
    sides = call.array(0).shape
    shape = [sides[axis] if side == 0 else side for axis, side in enumerate(call.numbers(1))]
    return call.array(0).reshape(shape)


def _transpose(call: NodeCall) -> NodeValue:
    return call.array(0).transpose(call.attributes.get("perm"))


def _concat(call: NodeCall) -> NodeValue:
    parts = [call.array(place) for place in range(len(call.inputs))]
    return np.concatenate(parts, axis=call.attributes["axis"])


def _squeeze_array(call: NodeCall) -> NodeValue:
    return np.squeeze(call.array(0), tuple(call.numbers(1)))


def _slice(call: NodeCall) -> NodeValue:
    starts, stops, axes = (call.numbers(place) for place in (1, 2, 3))
    taken = [slice(None)] * call.array(0).ndim
    for start, stop, axis in zip(starts, stops, axes, strict=True):
        taken[axis] = slice(start, stop)
    return call.array(0)[tuple(taken)]


def _pad(call: NodeCall) -> NodeValue:
    pads, mode = call.numbers(1), call.attributes.get("mode", b"constant").decode()
    if min(pads) < 0 or mode not in ("constant", "edge"):
        raise call.fault("it is none of zeros or of the border's pixels")
    before_after = np.reshape(pads, (2, -1)).T
    result: NDArray[Any] = (
        np.pad(call.array(0), before_after)
        if mode == "constant"
        else np.pad(call.array(0), before_after, "edge")
    )
    return result


@dataclass(frozen=True)
class Operator:
    """An operator, in the forms that networks of integers have it in."""

    evaluate: Callable[[NodeCall], NodeValue]
    inputs: range
    """How many inputs it may have."""
    attributes: tuple[str, ...] = ()
    """Those that are understood; one that is none of them makes another operator of it."""


CONVOLUTION = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")

EVALUATORS: Mapping[str, Operator] = {
    "Add": Operator(_add, range(2, 3)),
    "Concat": Operator(_concat, range(1, 1000), ("axis",)),
    "Conv": Operator(_convolve_integers, range(2, 4), CONVOLUTION),
    "DequantizeLinear": Operator(_dequantize, range(2, 4), ("axis",)),
    "Div": Operator(_divide_whole, range(2, 3)),
    "Mul": Operator(_multiply, range(2, 3)),
    "Pad": Operator(_pad, range(2, 3), ("mode",)),
    "QuantizeLinear": Operator(_quantize, range(3, 4)),
    "Reshape": Operator(_reshape, range(2, 3)),
    "Shape": Operator(_shape, range(1, 2)),
    "Slice": Operator(_slice, range(4, 5)),
    "Squeeze": Operator(_squeeze_array, range(2, 3)),
    "Sub": Operator(_subtract, range(2, 3)),
    "Transpose": Operator(_transpose, range(1, 2), ("perm",)),
}
