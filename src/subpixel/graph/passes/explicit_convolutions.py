"""Convolutions that say all about themselves, for runtimes that don't work out what is left out.

ONNX lets ``kernel_shape``, ``dilations`` and ``strides`` be left out: the first follows from the
weights, the others are 1. Old WebGPU builds of ONNX Runtime refuse a Conv without them.
"""

from collections.abc import Iterator, Mapping, Sequence

import onnx
from onnx import GraphProto, NodeProto, helper

WEIGHT_INPUTS: Mapping[str, int] = {
    "Conv": 1,
    "ConvTranspose": 1,
    "ConvInteger": 1,
    "QLinearConv": 3,
}
"""Which input of each operator are its weights."""


def with_explicit_convolutions(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of ``model`` whose convolutions have ``kernel_shape``, ``dilations`` and ``strides``.

    What a node says stays as it is. Where the weights are computed, their shape is unknown, and
    such a node is left alone.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    _complete_graph(result.graph, {})
    return result


def _complete_graph(graph: GraphProto, outer: Mapping[str, Sequence[int]]) -> None:
    shapes = {**outer, **dict(_weight_shapes(graph))}
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _complete_graph(inner, shapes)
        if node.op_type in WEIGHT_INPUTS and node.domain in ("", "ai.onnx"):
            _complete_node(node, shapes)


def _weight_shapes(graph: GraphProto) -> Iterator[tuple[str, Sequence[int]]]:
    """Of the graph's constants, and of those among them that are dequantised, by name."""
    known = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        values = [a.t.dims for a in node.attribute if a.name == "value"]
        if node.op_type == "Constant" and values:
            known[node.output[0]] = tuple(values[0])
        elif node.op_type == "DequantizeLinear" and node.input[0] in known:
            known[node.output[0]] = known[node.input[0]]
    return iter(known.items())


def _complete_node(node: NodeProto, shapes: Mapping[str, Sequence[int]]) -> None:
    shape = shapes.get(node.input[WEIGHT_INPUTS[node.op_type]])
    if shape is None:
        return
    kernel, present = list(shape[2:]), {attribute.name for attribute in node.attribute}
    ones = [1] * len(kernel)
    wanted = {"kernel_shape": kernel, "dilations": ones, "strides": ones}
    node.attribute.extend(
        helper.make_attribute(name, value) for name, value in wanted.items() if name not in present
    )
