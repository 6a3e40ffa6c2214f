"""A graph under the knife: what is looked up and changed when a fault is put into it."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from subpixel.graph.geometry.propagate import onnx_opset

Array = NDArray[Any]
Value = str | int | float | Sequence[int]

EXAMPLE = (24, 40)
"""Height and width of the example that sizes are baked from."""


class Patient:
    """A copy of a graph, to be changed in place."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.graph = self.model.graph
        self._new = 0

    @property
    def opset(self) -> int:
        return onnx_opset(self.model)

    def nodes(self, *operators: str) -> list[NodeProto]:
        return [node for node in self.graph.node if node.op_type in operators]

    def readers(self, name: str) -> list[NodeProto]:
        return [node for node in self.graph.node if name in node.input]

    def maker(self, name: str) -> NodeProto | None:
        return next((node for node in self.graph.node if name in node.output), None)

    def neighbours(self, node: NodeProto) -> list[NodeProto]:
        """Who made what ``node`` reads, and who reads what it makes."""
        makers = [self.maker(name) for name in node.input]
        readers = [reader for name in node.output for reader in self.readers(name)]
        return [maker for maker in makers if maker is not None] + readers

    def constant(self, node: NodeProto, index: int) -> Array | None:
        """The value of an input that is a parameter or a Constant."""
        if index >= len(node.input):
            return None
        tensor = self._tensor(node.input[index])
        return None if tensor is None else numpy_helper.to_array(tensor).copy()

    def give(self, node: NodeProto, index: int, value: Array) -> None:
        """Another constant for this input of this node, in place where nobody else reads it."""
        tensor = self._tensor(node.input[index])
        if tensor is not None and len(self.readers(node.input[index])) == 1:
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
        else:
            node.input[index] = self.parameter(value)

    def parameter(self, value: Array) -> str:
        """A new parameter; its name."""
        name = self.name("parameter")
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def name(self, what: str) -> str:
        self._new += 1
        return f"mutant/{what}_{self._new}"

    def put_before(self, node: NodeProto, *added: NodeProto) -> None:
        at = next(i for i, other in enumerate(self.graph.node) if other is node)
        for offset, other in enumerate(added):
            self.graph.node.insert(at + offset, other)

    def take_out(self, node: NodeProto, kept: str) -> list[NodeProto]:
        """Remove ``node``; who read its result reads ``kept`` instead. The right answers."""
        right = self.neighbours(node)
        (gone,) = node.output
        self.graph.node.remove(node)
        if gone in {output.name for output in self.graph.output}:
            self._give_out(kept, gone)
        else:
            read_instead(self.graph.node, gone, kept)
        return right

    def _give_out(self, kept: str, output: str) -> None:
        """Call ``kept`` by the name of the graph's output."""
        read_instead(self.graph.node, kept, output)
        for node in self.graph.node:
            node.output[:] = [output if name == kept else name for name in node.output]

    @cached_property
    def values(self) -> Mapping[str, Array]:
        """What every tensor of the unchanged graph is for the example."""
        return _values(self.model)

    def _tensor(self, name: str) -> TensorProto | None:
        tensor = next((t for t in self.graph.initializer if t.name == name), None)
        maker = self.maker(name) if tensor is None else None
        if maker is not None and maker.op_type == "Constant":
            value: TensorProto = maker.attribute[0].t
            return value
        return tensor


def _values(model: onnx.ModelProto) -> Mapping[str, Array]:
    observed = onnx.ModelProto()
    observed.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name]
    del observed.graph.output[:]
    observed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    (image,) = model.graph.input
    shape = (1, image.type.tensor_type.shape.dim[1].dim_value, *EXAMPLE)
    example = np.random.default_rng(0).random(shape, np.float32)
    found = session(observed).run(None, {image.name: example})
    return {image.name: example, **dict(zip(names, found, strict=True))}


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """The model as it stands: ONNX Runtime may not rewrite it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def read_instead(nodes: Iterable[NodeProto], old: str, new: str) -> None:
    for node in nodes:
        node.input[:] = [new if name == old else name for name in node.input]


def get(node: NodeProto, name: str, default: Any = None) -> Any:  # noqa: ANN401
    """An attribute's value; text as ``str``."""
    for attribute in node.attribute:
        if attribute.name == name:
            value = helper.get_attribute_value(attribute)
            return value.decode() if isinstance(value, bytes) else value
    return default


def set_(node: NodeProto, name: str, value: Value) -> None:
    unset(node, name)
    node.attribute.append(helper.make_attribute(name, value))


def unset(node: NodeProto, *names: str) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)
