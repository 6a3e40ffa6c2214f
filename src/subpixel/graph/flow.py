"""A graph's data flow: the values alive between nodes, and extraction of parts as models."""

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
"""The values of tensors, by name."""

SIZE_OPERATORS = ("Shape", "Size")
"""Their results depend on a tensor's size only, not on its values."""

LAYOUT_DOMAINS = ("com.microsoft.nchwc", "com.ms.internal.nhwc")
"""The domains of ONNX Runtime's operators on tensors in other memory layouts."""

_CONSTANTS = {
    "value": None,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}
"""The numeric attributes of Constant."""


@dataclass(frozen=True, eq=False)
class Flow:
    """A network with one input and one output, prepared for extraction: see :func:`flow`."""

    model: onnx.ModelProto
    nodes: tuple[NodeProto, ...]
    """In topological order."""
    parameters: Mapping[str, TensorProto]
    picture: str
    """Name of the input."""
    output: str

    @cached_property
    def maker(self) -> Mapping[str, int]:
        """The index of the node that computes each value."""
        return {name: i for i, node in enumerate(self.nodes) for name in node.output if name}

    @cached_property
    def readers(self) -> Mapping[str, tuple[int, ...]]:
        """The indices of the nodes that read each value, in order."""
        by_name: dict[str, list[int]] = {}
        for i, names in enumerate(self.reads):
            for name in names:
                by_name.setdefault(name, []).append(i)
        return {name: tuple(nodes) for name, nodes in by_name.items()}

    @cached_property
    def reads(self) -> tuple[tuple[str, ...], ...]:
        """For each node, the values (not the parameters) that it reads, each once."""
        values = {self.picture, *self.maker}
        return tuple(
            tuple(dict.fromkeys(name for name in reads(node) if name in values))
            for node in self.nodes
        )

    @cached_property
    def shown(self) -> frozenset[str]:
        """The values that depend on the picture's pixels, and not only on its size."""
        names_shown = {self.picture}
        for node, names in zip(self.nodes, self.reads, strict=True):
            if node.op_type not in SIZE_OPERATORS and not names_shown.isdisjoint(names):
                names_shown.update(name for name in node.output if name)
        return frozenset(names_shown)

    @cached_property
    def kinds(self) -> Mapping[str, int]:
        """Element types (``TensorProto.DataType``) where declared or inferred."""
        graph = self.model.graph
        values = [*graph.input, *graph.value_info, *graph.output, *_infer_values(self.model)]
        return {value.name: value.type.tensor_type.elem_type for value in values}

    def frontiers(self) -> Iterator[tuple[str, ...]]:
        """For k = 0 … ``len(nodes)``: the values that the first k nodes compute and later ones
        read.

        The picture is left out, as it is always available. After the last node, only the output is
        left.
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
        """The indices of the nodes that compute ``ends`` from ``sources`` and the picture, in
        order."""
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
        """For each node, those of the values that it reads that depend on the picture's pixels."""
        return tuple(tuple(name for name in names if name in self.shown) for names in self.reads)

    def cut(self, sources: TensorValues, ends: Sequence[str]) -> onnx.ModelProto:
        """The part that computes ``ends`` from ``sources``, as a model.

        Its inputs are those of ``sources`` that it reads, with their types and ranks. Their sizes
        are free, except those of vectors and of values that depend only on the picture's size:
        operators that read a computed shape are rejected where its length isn't declared.
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

    Functions are inlined, Constant nodes become parameters, and Identity nodes and nodes on which
    the output doesn't depend are removed. Raises :class:`~subpixel.errors.NetworkError` for a graph
    without exactly one input and one output.
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
    """What shape inference finds without declared shapes, which may be wrong and make it fail."""
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
    """A parameter as an input: inference needs its type, not its values."""
    return helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)


def _without_shape(value: ValueInfoProto) -> ValueInfoProto:
    kind = value.type.tensor_type.elem_type
    return helper.make_tensor_value_info(value.name, kind, None)


def subgraph_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """The nodes of a graph, including those of its branches."""
    for node in graph.node:
        yield node
        for branch in list_branches(node):
            yield from subgraph_nodes(branch)


def reads(node: NodeProto) -> Iterator[str]:
    """The names that a node reads, including those read in its branches."""
    yield from filter(None, node.input)
    for graph in list_branches(node):
        for inner in graph.node:
            yield from reads(inner)


def list_branches(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs inside a node."""
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
    """A Constant node's tensor, named as its output; None for other nodes and for strings."""
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
    """Remove Identity nodes, except those that compute an output."""
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
    for graph in list_branches(node):
        for inner in graph.node:
            _rename_inputs(inner, names)


def fingerprint(tensor: TensorProto) -> str:
    """A digest, equal for parameters of equal type, shape and values."""
    array = numpy_helper.to_array(tensor)
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes())
    return f"{tensor.data_type} {array.shape} {digest.hexdigest()}"
