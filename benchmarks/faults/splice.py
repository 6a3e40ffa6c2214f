"""A tensor of a graph replaced by another that new nodes make of it."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper

from faults.patient import Array, Patient, Value, read_instead, set_

ROWS, COLUMNS = 2, 3
"""The axes of a picture that are its height and width."""


class Splice:
    """The picture that goes in, an output, or any 4-D tensor between, on its way to its readers.

    ``tensor`` is what was there before. Nodes are made by :meth:`node` and put in, behind the
    maker of ``tensor``, by :meth:`finish`.
    """

    def __init__(self, model: onnx.ModelProto, place: str) -> None:
        self.patient = Patient(model)
        (self.image,) = (image.name for image in self.patient.graph.input)
        self.example = self.patient.values[place]
        """What the tensor is for the example."""
        self._place, self._maker = place, self.patient.maker(place)
        self._readers = self.patient.readers(place)
        self._nodes: list[NodeProto] = []
        self.tensor = place
        if self._maker is not None:
            self.tensor = self.patient.name("before")
            self._maker.output[list(self._maker.output).index(place)] = self.tensor

    @property
    def channels(self) -> int:
        return int(self.example.shape[1])

    def node(
        self, operator: str, inputs: Sequence[str], attributes: Mapping[str, Value] | None = None
    ) -> str:
        """A new node; the name of its result, and its own."""
        name = self.patient.name(operator)
        node = helper.make_node(operator, inputs, [name], name=name)
        for key, value in (attributes or {}).items():
            set_(node, key, value)
        self._nodes.append(node)
        return name

    def constant(self, value: Array | Sequence[int] | float, dtype: str = "float32") -> str:
        return self.patient.parameter(np.asarray(value, dtype))

    def cast(self, tensor: str, dtype: int = TensorProto.FLOAT) -> str:
        return self.node("Cast", [tensor], {"to": dtype})

    def length(self, tensor: str, axis: int) -> str:
        """The size of one axis: a whole number."""
        shape = self.node("Shape", [tensor])
        return self.node("Gather", [shape, self.constant(axis, "int64")], {"axis": 0})

    def places(self, axis: int) -> str:
        """0, 1, 2, … along an axis of the tensor, in the shape that broadcasts with it."""
        zero, one = self.constant(0, "int64"), self.constant(1, "int64")
        line = self.node("Range", [zero, self.length(self.tensor, axis), one])
        shape = [-1 if other == axis else 1 for other in range(4)]
        return self.node("Reshape", [line, self.constant(shape, "int64")])

    def choose(self, condition: str, changed: str) -> str:
        return self.node("Where", [condition, changed, self.tensor])

    def blend(self, condition: str, changed: str) -> str:
        """The same by arithmetic, as exporters write a mask."""
        step = self.node("Sub", [changed, self.tensor])
        return self.node("Add", [self.tensor, self.node("Mul", [self.cast(condition), step])])

    def branch(self, condition: str, since: int, changed: str) -> str:
        """The same by an If, whose branch holds the nodes that were made after the first
        ``since``."""
        inside, self._nodes = self._nodes[since:], self._nodes[:since]
        name = self.patient.name("If")
        other = helper.make_node("Identity", [self.tensor], [self.patient.name("same")])
        branches = [
            helper.make_graph(nodes, what, [], [onnx.ValueInfoProto(name=result)])
            for what, nodes, result in (
                ("then", inside, changed),
                ("else", [other], other.output[0]),
            )
        ]
        node = helper.make_node(
            "If", [condition], [name], name=name, then_branch=branches[0], else_branch=branches[1]
        )
        self._nodes.append(node)
        return name

    @property
    def count(self) -> int:
        """How many nodes were made."""
        return len(self._nodes)

    def finish(self, result: str) -> tuple[onnx.ModelProto, frozenset[str]]:
        """The graph in which the tensor is ``result``, and the right answers."""
        graph, nodes = self.patient.graph, self._nodes
        if self._maker is None:
            read_instead(graph.node, self.image, result)
            at = 0
        else:
            nodes.append(
                helper.make_node("Identity", [result], [self._place], name=result + "/end")
            )
            at = 1 + next(i for i, node in enumerate(graph.node) if node is self._maker)
        for offset, node in enumerate(nodes):
            graph.node.insert(at + offset, node)
        names = [node.name for node in (*nodes, *self._readers)]
        return self.patient.model, frozenset(names)


def places(model: onnx.ModelProto) -> list[str]:
    """The tensors of pictures and features: the input first, the output last."""
    patient = Patient(model)
    inner = [name for node in patient.graph.node for name in node.output]
    return [
        name
        for name in (patient.graph.input[0].name, *inner)
        if (value := patient.values.get(name)) is not None
        and value.dtype == np.float32
        and value.ndim == 4
        and min(value.shape[2:]) > 8
    ]
