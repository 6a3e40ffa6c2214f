"""The constants in a graph's size arithmetic."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import AttributeProto, helper, numpy_helper

from subpixel.graph.geometry.size_numbers import SizeNumbers, sort_numbers

FROM_SHAPES = ("Shape", "Size")
"""Operators that turn a picture into its sizes."""

BY_CONSTANTS = ("Resize", "Upsample", "Slice", "Pad", "Reshape", "Expand", "Range", "Gather")
"""Operators that may have a size, or a factor of one, as a constant besides a picture."""

MAX_COUNT = 16
"""The most values that a constant of sizes has: larger ones are weights and tables."""


def size_constants(model: onnx.ModelProto) -> SizeNumbers:
    """Every number with which ``model`` computes or compares sizes.

    These are the constants that are combined with values that depend only on shapes (through any
    operators, also in branches and loops), and the constants of operators that slice, pad or
    resize.
    """
    reader = _ConstantReader()
    reader.read(model.graph)
    for function in model.functions:
        reader.read_nodes(function.node)
    return sort_numbers(reader.numbers)


@dataclass
class _ConstantReader:
    """Reads the nodes of a graph in their order."""

    constants: dict[str, list[int | float]] = field(default_factory=dict)
    sizes: set[str] = field(default_factory=set)
    """Names of values that depend only on shapes and constants."""
    numbers: list[int | float] = field(default_factory=list)

    def read(self, graph: onnx.GraphProto) -> None:
        for tensor in graph.initializer:
            self.constants[tensor.name] = _values(tensor)
        self.read_nodes(graph.node)

    def read_nodes(self, nodes: Iterable[onnx.NodeProto]) -> None:
        for node in nodes:
            self._read_node(node)

    def _read_node(self, node: onnx.NodeProto) -> None:
        if node.op_type == "Constant":
            self.constants[node.output[0]] = list(_attribute_values(node))
            return
        names = [name for name in node.input if name]
        of_sizes = node.op_type in FROM_SHAPES or (
            any(name in self.sizes for name in names)
            and all(name in self.sizes or name in self.constants for name in names)
        )
        if of_sizes:
            self.sizes.update(node.output)
        if of_sizes or node.op_type in BY_CONSTANTS:
            for name in names:
                self.numbers += self.constants.get(name, [])
            self.numbers += _attribute_values(node)
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                self.read(graph)


def _attribute_values(node: onnx.NodeProto) -> Iterator[int | float]:
    for attribute in node.attribute:
        match attribute.type:
            case AttributeProto.TENSOR:
                yield from _values(attribute.t)
            case AttributeProto.INT | AttributeProto.FLOAT:
                yield helper.get_attribute_value(attribute)
            case AttributeProto.INTS | AttributeProto.FLOATS:
                yield from list(helper.get_attribute_value(attribute))[:MAX_COUNT]


def _values(tensor: onnx.TensorProto) -> list[int | float]:
    """A small numeric tensor's values, as Python's numbers."""
    if int(np.prod(tensor.dims, dtype=np.int64)) > MAX_COUNT or tensor.data_location:
        return []
    values = numpy_helper.to_array(tensor)
    return values.ravel().tolist() if values.dtype.kind in "iuf" else []
