"""Networks in half precision."""

from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import cast

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from subpixel.errors import NetworkError
from subpixel.graph.metadata import with_precision
from subpixel.graph.propagate import picture_inputs

LARGEST = float(np.finfo(np.float16).max)


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a float32 network with weights and arithmetic in float16.

    Its input and output stay float32. Metadata is kept; the facts in it say ``fp16``.
    Raises :class:`~subpixel.errors.NetworkError` for weights beyond float16's ±65504.
    """
    # Here and not above: it takes half a second, and puts its own folder on sys.path.
    from onnxruntime.transformers.float16 import convert_float_to_float16

    _check_range(model)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    ends = [end.name for end in (*picture_inputs(model), *model.graph.output)]
    result = cast(onnx.ModelProto, convert_float_to_float16(result, keep_io_types=ends))
    _sort(result.graph)
    return with_precision(result, "fp16")


def _check_range(model: onnx.ModelProto) -> None:
    for parameter in model.graph.initializer:
        if parameter.data_type != TensorProto.FLOAT:
            continue
        largest = np.abs(numpy_helper.to_array(parameter)).max(initial=0.0)
        if largest > LARGEST:
            raise NetworkError(
                f"the parameter {parameter.name} holds {largest:g}; float16 ends at "
                f"{LARGEST:g}: keep this network in fp32"
            )


def _sort(graph: onnx.GraphProto) -> None:
    """Put every node after those whose results it reads; the converter appends its casts."""
    nodes = list(graph.node)
    maker = {name: i for i, node in enumerate(nodes) for name in node.output}
    needs = {
        i: {maker[name] for name in _read(node) if name in maker} for i, node in enumerate(nodes)
    }
    ordered = [nodes[i] for i in TopologicalSorter(needs).static_order()]
    del graph.node[:]
    graph.node.extend(ordered)


def _read(node: onnx.NodeProto) -> Iterator[str]:
    """Names that a node reads, those inside its branches included."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _read(inner)
