"""Networks in half precision."""

from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from typing import cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from subpixel.errors import NetworkError
from subpixel.graph.execute import runtime_engine
from subpixel.graph.geometry.propagate import picture_inputs
from subpixel.graph.metadata import with_precision

MAX_FLOAT16 = float(np.finfo(np.float16).max)


def to_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a float32 network with weights and arithmetic in float16.

    Its input and output stay float32. Metadata is kept; the facts in it state ``fp16``. Raises
    :class:`~subpixel.errors.NetworkError` for weights beyond float16's ±65504.
    """
    # Imported here: it takes half a second, and adds its own folder to sys.path.
    from onnxruntime.transformers.float16 import convert_float_to_float16

    _check_range(model)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    ends = [end.name for end in (*picture_inputs(model), *model.graph.output)]
    result = cast(onnx.ModelProto, convert_float_to_float16(result, keep_io_types=ends))
    _sort_nodes(result.graph)
    return with_precision(result, "fp16")


def find_overflow(model: onnx.ModelProto, pictures: Iterable[NDArray[np.float32]]) -> str | None:
    """A sentence that names a value of a float16 network that exceeds ±65504 on one of
    ``pictures``, or None.

    ``pictures`` are the network's input, ``(N, C, H, W)``. ONNX Runtime's CPU provider computes
    float16 networks in float32, where nothing overflows; here each node's result is rounded to
    float16, as on a GPU and by ONNX's definition. Values within branches and functions are not
    checked.
    """
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    results = dict.fromkeys(name for node in model.graph.node for name in node.output if name)
    present = {end.name for end in model.graph.output}
    exposed.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in results if name not in present
    )
    (source,) = picture_inputs(model)
    half = source.type.tensor_type.elem_type == TensorProto.FLOAT16
    run = runtime_engine()
    for picture in pictures:
        values = run(exposed, {source.name: picture.astype(np.float16 if half else np.float32)})
        for name in results:
            value = values[name]
            if value.dtype == np.float16 and not np.isfinite(value).all():
                return (
                    f"the value {name} leaves float16's range of ±{MAX_FLOAT16:g}; keep this "
                    "network in fp32"
                )
    return None


def _check_range(model: onnx.ModelProto) -> None:
    for parameter in model.graph.initializer:
        if parameter.data_type != TensorProto.FLOAT:
            continue
        largest = np.abs(numpy_helper.to_array(parameter)).max(initial=0.0)
        if largest > MAX_FLOAT16:
            raise NetworkError(
                f"the parameter {parameter.name} holds {largest:g}; float16 ends at "
                f"{MAX_FLOAT16:g}: keep this network in fp32"
            )


def _sort_nodes(graph: onnx.GraphProto) -> None:
    """Sort the nodes topologically: the converter appends its casts at the end."""
    nodes = list(graph.node)
    maker = {name: i for i, node in enumerate(nodes) for name in node.output}
    needs = {
        i: {maker[name] for name in _read_inputs(node) if name in maker}
        for i, node in enumerate(nodes)
    }
    ordered = [nodes[i] for i in TopologicalSorter(needs).static_order()]
    del graph.node[:]
    graph.node.extend(ordered)


def _read_inputs(node: onnx.NodeProto) -> Iterator[str]:
    """The names that a node reads, including those read in its branches."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _read_inputs(inner)
