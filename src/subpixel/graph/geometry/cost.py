"""A network's cost: multiply-adds and parameters, counted from its graph."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import onnx
from onnx import TensorProto

from subpixel.graph.geometry.lines import Line, NotLocalError
from subpixel.graph.geometry.operations import WEIGHTS_PLACE
from subpixel.graph.geometry.propagate import picture_inputs, propagate
from subpixel.graph.geometry.sized_shapes import Shape, infer_sized_shapes
from subpixel.graph.geometry.tensors import Axis, ConstantTensor, PictureTensor, Tensor

WINDOW_FACTOR = 5.0
"""The approximate ratio of a window network's time to that of a convolutional one with as many
parameters."""

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)

INTEGER_WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "DequantizeLinear": (0,),
    "ConvInteger": (1,),
    "MatMulInteger": (1,),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (3,),
}
"""Which inputs of an operator are weights or biases in whole steps."""

STEPS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("DequantizeLinear", "QuantizeLinear"), (1,)),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul"), (1, 4, 6)),
}
"""Which are the steps of codes: floating point, and no parameters of the network."""

RGB = 3
"""Channels."""

SAMPLE_SIDE = 64
"""Pixels: a multiple of every group of pixels that a network of integers works on."""


def multiply_adds_per_pixel(model: onnx.ModelProto) -> float | None:
    """Multiply-adds of all convolutions and matrix products, per pixel of the input.

    Padding at the picture's edge is counted like the picture. None when a tensor on which the
    output depends can't be followed (see :func:`subpixel.graph.geometry.receptive.find_reach`).
    A network of 8-bit integers from end to end is counted as it computes: with the channels of
    zeros that fill blocks, and the zeros in filters that are repeated for each pixel of a group,
    which its float32 form hasn't; and with its own way to interpolate colours.
    """
    tensors = propagate(model)
    if not isinstance(tensors.get(model.graph.output[0].name), PictureTensor):
        return _count_on_codes(model) if _takes_codes(model) else None
    return float(sum(_node_cost(node, tensors) for node in model.graph.node))


def estimate_cost(model: onnx.ModelProto, *, local: bool) -> float:
    """Multiply-adds per input pixel, or an estimate of equivalent cost where they can't be counted.

    Each parameter is applied about once per pixel. Networks that are not ``local`` spend several
    times that on partitioning into windows and on softmax.
    """
    counted = multiply_adds_per_pixel(model)
    return parameters(model) * (1.0 if local else WINDOW_FACTOR) if counted is None else counted


def parameters(model: onnx.ModelProto) -> int:
    """The number of values in floating-point tensors, including biases and constants, and of
    weights and biases in integers; steps of codes and zero points are none."""
    graph = model.graph
    steps, whole = _inputs_at(graph, STEPS), _inputs_at(graph, INTEGER_WEIGHTS)
    return sum(
        math.prod(tensor.dims)
        for tensor in graph.initializer
        if (tensor.name not in steps if tensor.data_type in FLOATS else tensor.name in whole)
    )


def _inputs_at(graph: onnx.GraphProto, places: Mapping[str, Sequence[int]]) -> set[str]:
    """The names of those inputs of the graph's nodes that ``places`` lists by operator."""
    return {
        node.input[place]
        for node in graph.node
        for place in places.get(node.op_type, ())
        if place < len(node.input)
    }


def _takes_codes(model: onnx.ModelProto) -> bool:
    """Whether its input is 8-bit pictures, ``(N, H, W, 3)``."""
    ends = [image.type.tensor_type for image in picture_inputs(model)[:1]]
    rgb = [end for end in ends if [dim.dim_value for dim in end.shape.dim][3:] == [RGB]]
    return any(end.elem_type == TensorProto.UINT8 for end in rgb)


def _count_on_codes(model: onnx.ModelProto) -> float | None:
    """Multiply-adds per pixel of a network on 8-bit pictures; None where shapes can't be followed.

    What each row or column costs besides its pixels, such as padding, drops out of the difference
    between four sizes.
    """
    sides = SAMPLE_SIDE, 2 * SAMPLE_SIDE
    try:
        (small, wide), (tall, large) = (
            [_count_at(model, height, width) for width in sides] for height in sides
        )
    except NotLocalError:
        return None
    return (large - wide - tall + small) / SAMPLE_SIDE**2


def _count_at(model: onnx.ModelProto, height: int, width: int) -> int:
    """Multiply-adds for one picture ``(1, height, width, 3)``.

    Raises :class:`~subpixel.graph.geometry.lines.NotLocalError` where shapes can't be followed.
    """
    shapes = infer_sized_shapes(model, (1, height, width, RGB))
    layers = (node for node in model.graph.node if node.op_type in WEIGHTS_PLACE)
    return sum(_sized_cost(node, shapes) for node in layers)


def _sized_cost(node: onnx.NodeProto, shapes: Mapping[str, Shape]) -> int:
    weights = shapes.get(node.input[WEIGHTS_PLACE[node.op_type]])
    source, result = shapes.get(node.input[0]), shapes.get(node.output[0])
    if weights is None or source is None or result is None:
        raise NotLocalError(f"{node.op_type}: its shapes depend on more than the picture's")
    if "MatMul" in node.op_type:
        return math.prod(weights) * math.prod(result[:-1])
    places = source if node.op_type == "ConvTranspose" else result
    return math.prod(weights) * places[0] * math.prod(places[2:])


def _node_cost(node: onnx.NodeProto, tensors: Mapping[str, Tensor]) -> Fraction:
    """Multiply-adds of one node: the number of weights times the positions at which each is
    applied."""
    place = WEIGHTS_PLACE.get(node.op_type)
    if place is None:
        return Fraction(0)
    source, weights = tensors.get(node.input[0]), tensors.get(node.input[place])
    match node.op_type, source, weights, tensors.get(node.output[0]):
        case "ConvTranspose", PictureTensor((_, _, *places)), ConstantTensor(array), _:
            return array.size * _places_per_pixel(places)
        case (
            "MatMul" | "MatMulInteger" | "QLinearMatMul",
            PictureTensor((_, *places, _)),
            ConstantTensor(array),
            _,
        ):
            return array.size * _places_per_pixel(places)
        case _, _, ConstantTensor(array), PictureTensor((_, _, *places)):
            return array.size * _places_per_pixel(places)
    return Fraction(0)


def _places_per_pixel(axes: Sequence[Axis]) -> Fraction:
    """Positions per input pixel."""
    counts = (axis.scale if isinstance(axis, Line) else axis.size.number for axis in axes)
    return Fraction(math.prod(counts))
