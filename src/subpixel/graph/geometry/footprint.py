"""A network's memory while it runs, counted from its graph."""

import math
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper

from subpixel.errors import NetworkError
from subpixel.graph.execute import CPU, optimise_graph, runtime_engine
from subpixel.graph.geometry.lines import Line
from subpixel.graph.geometry.propagate import picture_inputs, propagate
from subpixel.graph.geometry.tensors import PictureTensor, Tensor

_FLOAT = 4


def count_bytes_per_pixel(model: onnx.ModelProto) -> float | None:
    """The peak memory of all tensors, in bytes per pixel of the input, including input and output.

    Every tensor counts as float32, from the node that computes it to the last that reads it. None
    when a tensor on which the output depends can't be followed (see
    :func:`subpixel.graph.geometry.receptive.find_reach`).
    """
    tensors = propagate(model)
    output = model.graph.output[0].name
    if not isinstance(tensors.get(output), PictureTensor):
        return None
    return _peak_bytes(
        model.graph, {name: _tensor_bytes(tensor) for name, tensor in tensors.items()}
    )


PROBE_SIDE = 128
"""The side of the picture on which a network that can't be followed is measured, in pixels."""


def measure_bytes_per_pixel(model: onnx.ModelProto) -> float | None:
    """The same, measured on one picture, for every tensor of the graph that ONNX Runtime optimised.

    For graphs that can't be followed, such as those in 8-bit integers. Free sides are
    :data:`PROBE_SIDE`. None for a network that doesn't run on such a picture.
    """
    try:
        compact = optimise_graph(model, CPU, "all")
        feeds = _blank_picture(compact)
        names = [name for node in compact.graph.node for name in node.output if name]
        del compact.graph.output[:]
        compact.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        values = {**feeds, **runtime_engine()(compact, feeds)}
    except NetworkError:
        return None
    sizes = {name: float(np.asarray(value).nbytes) for name, value in values.items()}
    (picture,) = feeds.values()
    return _peak_bytes(compact.graph, sizes) / _pixels(picture.shape)


def _blank_picture(
    model: onnx.ModelProto,
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    (end,) = picture_inputs(model)
    tensor = end.type.tensor_type
    batch, *sides = (dim.dim_value for dim in tensor.shape.dim)
    shape = (batch or 1, *(side or PROBE_SIDE for side in sides))
    return {end.name: np.zeros(shape, helper.tensor_dtype_to_np_dtype(tensor.elem_type))}


def _pixels(shape: tuple[int, ...]) -> float:
    """The pixels of a batch of pictures, with one or three channels, first or last."""
    return math.prod(shape) / min(shape[1], shape[3])


def _peak_bytes(graph: onnx.GraphProto, sizes: Mapping[str, float]) -> float:
    """The peak sum of sizes, each tensor alive from its node to its last consumer."""
    last = {name: at for at, node in enumerate(graph.node) for name in node.input}
    last |= {output.name: len(graph.node) for output in graph.output if output.name not in last}
    alive = {end.name: sizes.get(end.name, 0.0) for end in graph.input}
    peak = 0.0
    for at, node in enumerate(graph.node):
        alive |= {name: sizes.get(name, 0.0) for name in node.output}
        peak = max(peak, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last.get(name, at) > at}
    return peak


def _tensor_bytes(tensor: Tensor | None) -> float:
    if not isinstance(tensor, PictureTensor):
        return 0.0
    numbers = (axis.scale if isinstance(axis, Line) else axis.size.number for axis in tensor.axes)
    return float(_FLOAT * math.prod(numbers))
