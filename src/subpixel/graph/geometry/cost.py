"""A network's cost: multiply-adds and parameters, counted from its graph."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import onnx

from subpixel.graph.geometry.lines import Line
from subpixel.graph.geometry.propagate import propagate
from subpixel.graph.geometry.tensors import Axis, ConstantTensor, PictureTensor, Tensor

WINDOW_FACTOR = 5.0
"""The approximate ratio of a window network's time to that of a convolutional one with as many
parameters."""


def multiply_adds_per_pixel(model: onnx.ModelProto) -> float | None:
    """Multiply-adds of all convolutions and matrix products, per pixel of the input.

    Padding at the picture's edge is counted like the picture. None when a tensor on which the
    output depends can't be followed (see :func:`subpixel.graph.geometry.receptive.find_reach`).
    """
    tensors = propagate(model)
    if not isinstance(tensors.get(model.graph.output[0].name), PictureTensor):
        return None
    return float(sum(_node_cost(node, tensors) for node in model.graph.node))


def estimate_cost(model: onnx.ModelProto, *, local: bool) -> float:
    """Multiply-adds per input pixel, or an estimate of equivalent cost where they can't be counted.

    Each parameter is applied about once per pixel. Networks that are not ``local`` spend several
    times that on partitioning into windows and on softmax.
    """
    counted = multiply_adds_per_pixel(model)
    return parameters(model) * (1.0 if local else WINDOW_FACTOR) if counted is None else counted


def parameters(model: onnx.ModelProto) -> int:
    """The number of values in floating-point tensors, including biases and constants."""
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    return sum(math.prod(t.dims) for t in model.graph.initializer if t.data_type in floats)


def _node_cost(node: onnx.NodeProto, tensors: Mapping[str, Tensor]) -> Fraction:
    """Multiply-adds of one node: the number of weights times the positions at which each is
    applied."""
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
    """Positions per input pixel."""
    counts = (axis.scale if isinstance(axis, Line) else axis.size.number for axis in axes)
    return Fraction(math.prod(counts))
