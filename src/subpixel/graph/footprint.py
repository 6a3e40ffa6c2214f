"""What a network holds in memory while it runs, counted from its graph."""

import math

import onnx

from subpixel.graph.lines import Line
from subpixel.graph.propagate import propagate
from subpixel.graph.tensors import Pixels, Tensor

_FLOAT = 4


def bytes_per_pixel(model: onnx.ModelProto) -> float | None:
    """The most that is alive at a time, in bytes per pixel of the input, input and output included.

    Every tensor is counted as float32, from the node that makes it to the last that reads it. None
    when a tensor that the output is made from can't be followed (see
    :func:`subpixel.graph.receptive.reach`).
    """
    tensors = propagate(model)
    output = model.graph.output[0].name
    if not isinstance(tensors.get(output), Pixels):
        return None
    last = {name: at for at, node in enumerate(model.graph.node) for name in node.input}
    last[output] = len(model.graph.node)
    alive = {i.name: _size(tensors.get(i.name)) for i in model.graph.input}
    most = 0.0
    for at, node in enumerate(model.graph.node):
        alive |= {name: _size(tensors.get(name)) for name in node.output}
        most = max(most, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last.get(name, at) > at}
    return most


def _size(tensor: Tensor | None) -> float:
    if not isinstance(tensor, Pixels):
        return 0.0
    numbers = (axis.scale if isinstance(axis, Line) else axis.size.number for axis in tensor.axes)
    return float(_FLOAT * math.prod(numbers))
