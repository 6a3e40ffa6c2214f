"""Adding nodes before and after a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper

from subpixel.errors import NetworkError
from subpixel.graph.geometry.propagate import picture_inputs

ADOPT_PREFIX = "adopt/"
"""The prefix of every name that is added here, except those of input and output."""


@dataclass
class Chain:
    """A chain of nodes under construction: each reads the result of the one before."""

    room: str
    """The prefix of the names of new nodes."""
    last: str
    """The latest result."""
    nodes: list[NodeProto] = field(default_factory=list)
    parameters: list[TensorProto] = field(default_factory=list)

    def add(self, operator: str, *more: str, attributes: Sequence[AttributeProto] = ()) -> str:
        """Append a node that reads the latest result and ``more``; return the name of its
        result."""
        name = f"{self.room}{len(self.nodes)}_{operator.lower()}"
        node = helper.make_node(operator, [self.last, *more], [name], name=name)
        node.attribute.extend(attributes)
        self.nodes.append(node)
        self.last = name
        return name

    def constant(self, values: NDArray[Any]) -> str:
        """Add a parameter; return its name."""
        name = f"{self.room}constant_{len(self.parameters)}"
        self.parameters.append(numpy_helper.from_array(np.asarray(values), name))
        return name


Step = Callable[[Chain], None]
"""Appends the nodes that convert a picture to a chain."""


def copy_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy, at an IR version that doesn't list parameters among the inputs."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.ir_version = max(result.ir_version, 4)
    return result


def picture_input(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The one input; raises :class:`NetworkError` where there are several."""
    inputs = picture_inputs(model)
    if len(inputs) != 1:
        raise NetworkError(f"the network has {len(inputs)} inputs; it must have one")
    return inputs[0]


def frame_model(
    model: onnx.ModelProto, concern: str, before: Step | None, after: Step | None
) -> onnx.ModelProto:
    """A copy of ``model`` with the nodes of ``before`` at its input and of ``after`` at its output.

    Input and output keep their names and their declarations, which the caller updates. ``concern``
    is part of the prefix of new names.
    """
    result = copy_model(model)
    graph = result.graph
    if before is not None:
        _put_before(graph, picture_input(result).name, concern, before)
    if after is not None:
        _put_behind(graph, graph.output[0].name, concern, after)
    return result


def _put_before(graph: GraphProto, outside: str, concern: str, step: Step) -> None:
    chain = Chain(f"{ADOPT_PREFIX}{concern}/before/", outside)
    step(chain)
    _rename_reads(graph, outside, chain.last)
    if outside in {end.name for end in graph.output}:
        raise NetworkError("the network gives back its input as it is")
    nodes = [*chain.nodes, *graph.node]
    _replace(graph, nodes, chain.parameters)


def _put_behind(graph: GraphProto, outside: str, concern: str, step: Step) -> None:
    room = f"{ADOPT_PREFIX}{concern}/after/"
    inside = f"{room}inner"
    _rename_makes(graph, outside, inside)
    chain = Chain(room, inside)
    step(chain)
    chain.nodes[-1].output[0] = outside
    _replace(graph, [*graph.node, *chain.nodes], chain.parameters)


def _replace(graph: GraphProto, nodes: Sequence[NodeProto], more: Sequence[TensorProto]) -> None:
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    graph.initializer.extend(more)
    del graph.value_info[:]  # they describe the graph before the change


def _rename_reads(graph: GraphProto, old: str, new: str) -> None:
    """Make the consumers of ``old`` read ``new``, in branches too."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _rename_reads(inner, old, new)


def _rename_makes(graph: GraphProto, old: str, new: str) -> None:
    """Rename the value ``old`` to ``new``, where it is computed and where it is read."""
    _rename_reads(graph, old, new)
    for node in graph.node:
        node.output[:] = [new if name == old else name for name in node.output]
