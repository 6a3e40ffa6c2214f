"""The precision that a graph computes in, read from its nodes and tensors."""

from collections.abc import Iterator, Mapping, Sequence

import onnx
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, inliner

from subpixel.spec import Precision

ROUNDING: Mapping[int, Precision] = {
    TensorProto.FLOAT16: "fp16",
    TensorProto.BFLOAT16: "bf16",
}
"""The precision of the values in a tensor, by the tensor's type."""

LOWEST_FIRST: tuple[Precision, ...] = ("int8", "bf16", "fp16")

QUANTISING_OPERATORS = (
    "QuantizeLinear",
    "DynamicQuantizeLinear",
    "ConvInteger",
    "MatMulInteger",
    "DynamicQuantizeMatMul",
    "MatMulNBits",
)
"""Quantising operators, besides those whose names begin with QLinear or QGemm."""

RESULT_TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype")
"""Attributes that state the type of a node's result."""


def graph_precision(model: onnx.ModelProto) -> Precision:
    """The lowest precision that the output of ``model`` passes through; no metadata is read.

    ``"int8"``: values are quantised (QDQ, QOperator, dynamic quantisation, quantised weights).
    ``"bf16"`` and ``"fp16"``: a parameter, a Cast, the input or the output has that type. Else
    ``"fp32"``, for graphs in double precision too. Nodes and parameters on which no output depends
    are ignored, and so is an input of 8-bit code values, which represent a picture exactly.
    """
    plain = inliner.inline_local_functions(model) if model.functions else model
    present = set(_find_precisions(plain.graph))
    return next((precision for precision in LOWEST_FIRST if precision in present), "fp32")


def _find_precisions(graph: GraphProto) -> Iterator[Precision]:
    for end in (*graph.input, *graph.output):
        yield from _precision_of_type(end.type.tensor_type.elem_type)
    nodes = _live_nodes(graph)
    names = {name for node in nodes for name in _read_names(node)}
    for tensor in graph.initializer:
        if tensor.name in names:
            yield from _precision_of_type(tensor.data_type)
    parameters = {tensor.name for tensor in graph.initializer}
    pictures = {end.name for end in graph.input} - parameters
    for node in nodes:
        if _quantises(node, pictures):
            yield "int8"
        yield from _of_attributes(node)


def _precision_of_type(kind: int) -> Iterator[Precision]:
    if kind in ROUNDING:
        yield ROUNDING[kind]


def _quantises(node: NodeProto, pictures: set[str]) -> bool:
    """Whether a node computes or reads quantised values other than a picture's code values."""
    if node.op_type == "DequantizeLinear":
        return node.input[0] not in pictures
    return node.op_type in QUANTISING_OPERATORS or node.op_type.startswith(("QLinear", "QGemm"))


def _of_attributes(node: NodeProto) -> Iterator[Precision]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            yield from _precision_of_type(attribute.t.data_type)
        elif attribute.name in RESULT_TYPE_ATTRIBUTES and attribute.type == AttributeProto.INT:
            yield from _precision_of_type(attribute.i)
        for graph in _graphs(attribute):
            yield from _find_precisions(graph)


def _live_nodes(graph: GraphProto) -> list[NodeProto]:
    """The nodes on which the graph's outputs depend."""
    maker = {name: node for node in graph.node for name in node.output if name}
    waiting, live = [end.name for end in graph.output], dict[int, NodeProto]()
    while waiting:
        node = maker.get(waiting.pop())
        if node is not None and id(node) not in live:
            live[id(node)] = node
            waiting.extend(_read_names(node))
    return list(live.values())


def _read_names(node: NodeProto) -> Iterator[str]:
    """The names that a node reads, including those read in its branches."""
    yield from node.input
    for attribute in node.attribute:
        for graph in _graphs(attribute):
            yield from (end.name for end in graph.output)
            for inner in graph.node:
                yield from _read_names(inner)


def _graphs(attribute: AttributeProto) -> Sequence[GraphProto]:
    """The subgraphs in an attribute: branches and loop bodies."""
    if attribute.type == AttributeProto.GRAPH:
        return [attribute.g]
    return attribute.graphs if attribute.type == AttributeProto.GRAPHS else ()
