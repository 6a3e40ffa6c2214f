"""A network of floats, evaluated in double precision by ONNX's reference implementation."""

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, numpy_helper

from subpixel.graph.execute import reference_engine
from subpixel.graph.flow import list_branches, subgraph_nodes

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)
"""Types whose numbers are all doubles, too."""


STATED_TYPES = ("to", "dtype", "output_dtype", "stash_type")
"""Attributes that hold a type."""


def evaluate_doubles(model: onnx.ModelProto, pixels: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the network ``model`` makes of ``pixels``, float32 ``(N, C, H, W)`` in 0 … 1, with its
    parameters as they are and everything between them in float64.

    NumPy computes it, through ONNX's reference implementation: slow, independent of any runtime,
    and without PyTorch. Raises :class:`~subpixel.errors.NetworkError` where that fails.
    """
    wide, end = widen_floats(model), model.graph.output[0].name
    feeds = {model.graph.input[0].name: pixels.astype(np.float64)}
    return np.asarray(reference_engine(wide, feeds)[end], np.float64)


def widen_floats(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` that computes in float64 from its input to its output."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for graph in _list_graphs(result.graph):
        del graph.value_info[:]
        for tensor in graph.initializer:
            _widen_parameter(tensor)
        for end in (*graph.input, *graph.output):
            if end.type.tensor_type.elem_type in FLOATS:
                end.type.tensor_type.elem_type = TensorProto.DOUBLE
        for node in graph.node:
            _widen_node(node)
    return result


def _list_graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and all inside its nodes."""
    yield graph
    for node in subgraph_nodes(graph):
        yield from list_branches(node)


def _widen_node(node: NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _widen_parameter(attribute.t)
        if attribute.name in STATED_TYPES and attribute.i in FLOATS:
            attribute.i = TensorProto.DOUBLE


def _widen_parameter(tensor: TensorProto) -> None:
    if tensor.data_type in FLOATS:
        values = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
