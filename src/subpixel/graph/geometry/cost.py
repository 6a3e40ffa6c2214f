"""What a network costs: multiply-adds and parameters, counted from its graph."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import onnx

from subpixel.graph.geometry.lines import Line
from subpixel.graph.geometry.propagate import propagate
from subpixel.graph.geometry.tensors import Axis, ConstantTensor, PictureTensor, Tensor

WINDOW_FACTOR = 5.0
"""Time of a window network over that of a convolutional one of as many parameters, roughly."""


def multiply_adds_per_pixel(model: onnx.ModelProto) -> float | None:
    """Multiply-adds of all convolutions and matrix products, per pixel of the input.

    Padding at the picture's edge is counted as if it were picture. None when a tensor that the
    output is made from can't be followed (see :func:`subpixel.graph.geometry.receptive.find_reach`).
    """
    tensors = propagate(model)
    if not isinstance(tensors.get(model.graph.output[0].name), PictureTensor):
        return None
    return float(sum(_node_cost(node, tensors) for node in model.graph.node))


def estimate_cost(model: onnx.ModelProto, *, local: bool) -> float:
    """Multiply-adds per input pixel, or a guess at what is as dear where they can't be counted.

    Each parameter is applied about once per pixel. Networks that are not ``local`` spend several
    times that on moving windows about and on their softmax.
    """
    counted = multiply_adds_per_pixel(model)
    return parameters(model) * (1.0 if local else WINDOW_FACTOR) if counted is None else counted


def parameters(model: onnx.ModelProto) -> int:
    """Numbers that the file holds in tensors of floating point, biases and constants included."""
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    return sum(math.prod(t.dims) for t in model.graph.initializer if t.data_type in floats)


def _node_cost(node: onnx.NodeProto, tensors: Mapping[str, Tensor]) -> Fraction:
    """Multiply-adds of one node: every weight, once for each place that it is applied to."""
    operands = [tensors.get(name) for name in node.input[:2]]
    match node.op_type, operands, tensors.get(node.output[0]):
        case "Conv", [_, ConstantTensor(weights)], PictureTensor((_, _, *places)):
            return weights.size * _places_per_pixel(places)
        case "ConvTranspose", [PictureTensor((_, _, *places)), ConstantTensor(weights)], _:
            return weights.size * _places_per_pixel(places)
        case "MatMul", [PictureTensor((_, *places, _)), ConstantTensor(weights)], _:
            return weights.size * _places_per_pixel(places)
    return Fraction(0)


def _places_per_pixel(axes: Sequence[Axis]) -> Fraction:
    """Places per input pixel."""
    counts = (axis.scale if isinstance(axis, Line) else axis.size.number for axis in axes)
    return Fraction(math.prod(counts))
