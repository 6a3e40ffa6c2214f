"""What a network holds in memory while it runs, counted from its graph."""

import math
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper

from subpixel.errors import NetworkError
from subpixel.graph.execute import CPU, optimised, runtime_engine
from subpixel.graph.geometry.lines import Line
from subpixel.graph.geometry.propagate import picture_inputs, propagate
from subpixel.graph.geometry.tensors import Pixels, Tensor

_FLOAT = 4


def bytes_per_pixel(model: onnx.ModelProto) -> float | None:
    """The most that is alive at a time, in bytes per pixel of the input, input and output included.

    Every tensor is counted as float32, from the node that makes it to the last that reads it. None
    when a tensor that the output is made from can't be followed (see
    :func:`subpixel.graph.geometry.receptive.reach`).
    """
    tensors = propagate(model)
    output = model.graph.output[0].name
    if not isinstance(tensors.get(output), Pixels):
        return None
    return _most_alive(model.graph, {name: _size(tensor) for name, tensor in tensors.items()})


SIDE = 128
"""Of the picture on which a network is looked at that can't be followed, in pixels."""


def measured_bytes_per_pixel(model: onnx.ModelProto) -> float | None:
    """The same, seen on one picture: every tensor that ONNX Runtime's own form of the graph makes.

    For graphs that can't be followed, such as those in 8-bit integers. Free sides are taken as
    :data:`SIDE`. None for a network that doesn't run on such a picture.
    """
    try:
        compact = optimised(model, CPU, "all")
        given = _picture(compact)
        made = [name for node in compact.graph.node for name in node.output if name]
        del compact.graph.output[:]
        compact.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
        found = {**given, **runtime_engine()(compact, given)}
    except NetworkError:
        return None
    sizes = {name: float(np.asarray(value).nbytes) for name, value in found.items()}
    (picture,) = given.values()
    return _most_alive(compact.graph, sizes) / _pixels(picture.shape)


def _picture(
    model: onnx.ModelProto,
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    (given,) = picture_inputs(model)
    tensor = given.type.tensor_type
    batch, *sides = (dim.dim_value for dim in tensor.shape.dim)
    shape = (batch or 1, *(side or SIDE for side in sides))
    return {given.name: np.zeros(shape, helper.tensor_dtype_to_np_dtype(tensor.elem_type))}


def _pixels(shape: tuple[int, ...]) -> float:
    """Of a batch of pictures, one or three channels first or last."""
    return math.prod(shape) / min(shape[1], shape[3])


def _most_alive(graph: onnx.GraphProto, sizes: Mapping[str, float]) -> float:
    """The most that is held at a time, every tensor from its node to its last reader."""
    last = {name: at for at, node in enumerate(graph.node) for name in node.input}
    last |= {output.name: len(graph.node) for output in graph.output if output.name not in last}
    alive = {given.name: sizes.get(given.name, 0.0) for given in graph.input}
    most = 0.0
    for at, node in enumerate(graph.node):
        alive |= {name: sizes.get(name, 0.0) for name in node.output}
        most = max(most, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last.get(name, at) > at}
    return most


def _size(tensor: Tensor | None) -> float:
    if not isinstance(tensor, Pixels):
        return 0.0
    numbers = (axis.scale if isinstance(axis, Line) else axis.size.number for axis in tensor.axes)
    return float(_FLOAT * math.prod(numbers))
