"""A graph as values that flow through it: what is alive between nodes, and models cut out of it."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import (
    AttributeProto,
    GraphProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    inliner,
    numpy_helper,
    shape_inference,
)

from subpixel.errors import NetworkError
from subpixel.graph.geometry.propagate import picture_inputs

AnyArray = NDArray[Any]
TensorValues = Mapping[str, AnyArray]
"""What tensors hold, by name."""

SIZE_OPERATORS = ("Shape", "Size")
"""Their results hang on a tensor's size alone, not on what it shows."""

LAYOUT_DOMAINS = ("com.microsoft.nchwc", "com.ms.internal.nhwc")
"""ONNX Runtime's operators on tensors whose values lie in another order."""

_CONSTANTS = {
    "value": None,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}
"""The attributes of Constant that are numbers."""


@dataclass(frozen=True, eq=False)
class Flow:
    """A network of one picture, prepared for cutting: see :func:`flow`."""

    model: onnx.ModelProto
    nodes: tuple[NodeProto, ...]
    """In an order in which each comes after those whose results it reads."""
    parameters: Mapping[str, TensorProto]
    picture: str
    """Name of the input."""
    output: str

    @cached_property
    def maker(self) -> Mapping[str, int]:
        """Which node makes a value."""
        return {name: i for i, node in enumerate(self.nodes) for name in node.output if name}

    @cached_property
    def readers(self) -> Mapping[str, tuple[int, ...]]:
        """Which nodes read a value, in order."""
        by_name: dict[str, list[int]] = {}
        for i, names in enumerate(self.reads):
            for name in names:
                by_name.setdefault(name, []).append(i)
        return {name: tuple(nodes) for name, nodes in by_name.items()}

    @cached_property
    def reads(self) -> tuple[tuple[str, ...], ...]:
        """Per node, the values (not the parameters) that it reads, each once."""
        values = {self.picture, *self.maker}
        return tuple(
            tuple(dict.fromkeys(name for name in reads(node) if name in values))
            for node in self.nodes
        )

    @cached_property
    def shown(self) -> frozenset[str]:
        """The values that hang on what the picture shows: not on its size alone, not on nothing."""
        names_shown = {self.picture}
        for node, names in zip(self.nodes, self.reads, strict=True):
            if node.op_type not in SIZE_OPERATORS and not names_shown.isdisjoint(names):
                names_shown.update(name for name in node.output if name)
        return frozenset(names_shown)

    @cached_property
    def kinds(self) -> Mapping[str, int]:
        """Element types (``TensorProto.DataType``) as far as they are declared or inferred."""
        graph = self.model.graph
        values = [*graph.input, *graph.value_info, *graph.output, *_infer_values(self.model)]
        return {value.name: value.type.tensor_type.elem_type for value in values}

    def frontiers(self) -> Iterator[tuple[str, ...]]:
        """For k = 0 … ``len(nodes)``: the values that the first k nodes made and later ones read.

        The picture is left out: it is always at hand. After the last node it is the output alone.
        """
        last = {name: nodes[-1] for name, nodes in self.readers.items()}
        last[self.output] = len(self.nodes)
        alive: dict[str, None] = {}
        yield ()
        for i, node in enumerate(self.nodes):
            alive.update({name: None for name in node.output if last.get(name, -1) > i})
            for name in self.reads[i]:
                if last[name] == i:
                    alive.pop(name, None)
            yield tuple(alive)

    def nodes_for(self, ends: Collection[str], sources: Collection[str] = ()) -> list[int]:
        """The nodes that make ``ends`` from ``sources`` and the picture, in order."""
        waiting = [name for name in ends if name not in sources]
        nodes: set[int] = set()
        while waiting:
            node = self.maker.get(waiting.pop())
            if node is not None and node not in nodes:
                nodes.add(node)
                waiting.extend(name for name in self.reads[node] if name not in sources)
        return sorted(nodes)

    @cached_property
    def shown_reads(self) -> tuple[tuple[str, ...], ...]:
        """Per node, the shown values among what it reads."""
        return tuple(tuple(name for name in names if name in self.shown) for names in self.reads)

    def cut(self, sources: TensorValues, ends: Sequence[str]) -> onnx.ModelProto:
        """The part that makes ``ends`` out of ``sources``: a model of its own.

        Its inputs are those of ``sources`` that it reads, with their types and ranks. Sizes are open,
        but for those of vectors and of what hangs on the picture's size alone: what reads a
        computed shape is refused where its length isn't declared.
        """
        nodes = [self.nodes[i] for i in self.nodes_for(ends, sources)]
        names = {name for node in nodes for name in reads(node)}
        inputs = [
            helper.make_tensor_value_info(
                name,
                helper.np_dtype_to_tensor_dtype(array.dtype),
                self._open_shape(name, array),
            )
            for name, array in sources.items()
            if name in names
        ]
        result = onnx.ModelProto()
        result.CopyFrom(_without_graph(self.model))
        result.graph.CopyFrom(
            helper.make_graph(
                nodes,
                self.model.graph.name or "cut",
                inputs,
                [ValueInfoProto(name=name) for name in ends],
                [tensor for name, tensor in self.parameters.items() if name in names],
            )
        )
        return result

    def _open_shape(self, name: str, array: AnyArray) -> list[int | None]:
        open_sizes = name in self.shown and array.ndim > 1
        return [None] * array.ndim if open_sizes else list(array.shape)


def flow(model: onnx.ModelProto) -> Flow:
    """``model`` as a :class:`Flow`.

    Functions are put in line, Constant nodes become parameters, Identity nodes and nodes that
    the output doesn't need go. Raises :class:`~subpixel.errors.NetworkError` for a graph without
    exactly one input and one output.
    """
    model = inliner.inline_local_functions(model) if model.functions else model
    inputs, outputs = picture_inputs(model), model.graph.output
    if len(inputs) != 1 or len(outputs) != 1:
        raise NetworkError(
            f"the network has {len(inputs)} inputs and {len(outputs)} outputs; it must have one "
            "of each"
        )
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    plain.ir_version = max(plain.ir_version, 4)  # earlier ones list parameters as inputs
    _constants_to_parameters(plain.graph)
    _drop_identities(plain.graph)
    del plain.graph.input[:]
    plain.graph.input.append(inputs[0])
    parameters = {tensor.name: tensor for tensor in plain.graph.initializer}
    whole = Flow(plain, tuple(plain.graph.node), parameters, inputs[0].name, outputs[0].name)
    needed = [whole.nodes[i] for i in whole.nodes_for([whole.output])]
    return Flow(plain, tuple(needed), parameters, whole.picture, whole.output)


def _infer_values(model: onnx.ModelProto) -> Sequence[ValueInfoProto]:
    """What shape inference finds by itself; declared shapes may be wrong, which it refuses."""
    bare = _without_graph(model)
    weights = [tensor for tensor in model.graph.initializer if len(tensor.dims) > 1]
    bare.graph.CopyFrom(
        helper.make_graph(
            model.graph.node,
            "bare",
            [*model.graph.input, *(_as_input(tensor) for tensor in weights)],
            [_without_shape(output) for output in model.graph.output],
            [tensor for tensor in model.graph.initializer if len(tensor.dims) <= 1],
        )
    )
    try:
        return list(shape_inference.infer_shapes(bare).graph.value_info)
    except (shape_inference.InferenceError, ValueError):
        return []


def _as_input(tensor: TensorProto) -> ValueInfoProto:
    """A parameter as an input: what it weighs doesn't matter to inference, its type does."""
    return helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)


def _without_shape(value: ValueInfoProto) -> ValueInfoProto:
    kind = value.type.tensor_type.elem_type
    return helper.make_tensor_value_info(value.name, kind, None)


def subgraph_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """The nodes of a graph, those inside its branches included."""
    for node in graph.node:
        yield node
        for branch in _branches(node):
            yield from subgraph_nodes(branch)


def reads(node: NodeProto) -> Iterator[str]:
    """The names that a node reads, those inside its branches included."""
    yield from filter(None, node.input)
    for graph in _branches(node):
        for inner in graph.node:
            yield from reads(inner)


def _branches(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
            yield from (attribute.g, *attribute.graphs)


def _without_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    return onnx.ModelProto(
        ir_version=model.ir_version,
        opset_import=model.opset_import,
        producer_name=model.producer_name,
        producer_version=model.producer_version,
    )


def _constants_to_parameters(graph: GraphProto) -> None:
    nodes: list[NodeProto] = []
    for node in graph.node:
        tensor = constant(node)
        if tensor is None:
            nodes.append(node)
        else:
            graph.initializer.append(tensor)
    del graph.node[:]
    graph.node.extend(nodes)


def constant(node: NodeProto) -> TensorProto | None:
    """What a Constant node holds, named as its output; None for other nodes and for texts."""
    if node.op_type != "Constant" or node.attribute[0].name not in _CONSTANTS:
        return None
    attribute = node.attribute[0]
    value = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        tensor = TensorProto()
        tensor.CopyFrom(value)
    else:
        tensor = numpy_helper.from_array(np.array(value, _CONSTANTS[attribute.name]))
    tensor.name = node.output[0]
    return tensor


def _drop_identities(graph: GraphProto) -> None:
    """Take out Identity nodes, but for those that make an output."""
    ends = {value.name for value in graph.output}
    sources: dict[str, str] = {}
    remaining: list[NodeProto] = []
    for node in graph.node:
        _rename_inputs(node, sources)
        if node.op_type == "Identity" and node.output[0] not in ends:
            sources[node.output[0]] = node.input[0]
        else:
            remaining.append(node)
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in remaining]
    del graph.node[:]
    graph.node.extend(nodes)


def _rename_inputs(node: NodeProto, names: Mapping[str, str]) -> None:
    node.input[:] = [names.get(name, name) for name in node.input]
    for graph in _branches(node):
        for inner in graph.node:
            _rename_inputs(inner, names)


def fingerprint(tensor: TensorProto) -> str:
    """Equal for parameters of equal type, shape and numbers."""
    array = numpy_helper.to_array(tensor)
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes())
    return f"{tensor.data_type} {array.shape} {digest.hexdigest()}"
