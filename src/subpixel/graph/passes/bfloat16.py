"""Networks in bfloat16: the range of float32 in half the bytes, with 8 significant bits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

import numpy as np
import onnx
from onnx import (
    NodeProto,
    TensorProto,
    defs,
    helper,
    inliner,
    numpy_helper,
    shape_inference,
)

from subpixel.errors import NetworkError, one_line
from subpixel.graph.geometry.propagate import ONNX_DOMAINS, onnx_opset
from subpixel.graph.metadata import with_precision
from subpixel.graph.passes.opset import at_opset

OPSET = 22
"""From here on ONNX's convolution takes bfloat16."""

SUFFIX = "/bf16"
"""Ends the name of a tensor's bfloat16 copy."""

TYPED = ("Cast", "Constant", "ConstantOfShape", "EyeLike", "RandomNormal", "RandomUniform")
"""Operators whose attributes say the type of their result; it stays, and is cast where needed."""


def to_bf16(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a float32 network with weights and arithmetic in bfloat16.

    Its input and output stay float32, and so does what ONNX's operators demand in float32 (the
    scales of a Resize). The facts in the file say ``bf16``. The graph is at opset 22 or more.
    Whether it can be run is up to the execution provider: ONNX Runtime's CPU provider has no
    bfloat16 convolution.

    Raises :class:`~subpixel.errors.NetworkError` when the graph branches or loops, or can't be
    brought to that opset.
    """
    inlined = inliner.inline_local_functions(model) if model.functions else model
    source = at_opset(inlined, OPSET, "bf16")
    _expect_straight(source.graph)
    narrowed = _Narrowed(_float32_tensors(source), _parameters(source))
    for node in source.graph.node:
        narrowed.take(node, onnx_opset(source))
    narrowed.finish([end.name for end in source.graph.output])
    result = onnx.ModelProto()
    result.CopyFrom(source)
    for name in ("node", "initializer", "value_info"):
        result.graph.ClearField(name)
    result.graph.node.extend(narrowed.nodes)
    result.graph.initializer.extend(narrowed.kept.values())
    return with_precision(_checked(result), "bf16")


@dataclass
class _Narrowed:
    """The new graph as it grows: every float32 tensor by its own name, in bfloat16 by ours."""

    wide: frozenset[str]
    """Names of the float32 tensors of the old graph."""
    parameters: Mapping[str, TensorProto]
    nodes: list[NodeProto] = field(default_factory=list)
    kept: dict[str, TensorProto] = field(default_factory=dict)
    """Parameters that something reads, in the type in which it does."""
    made: set[str] = field(default_factory=set)
    """Tensors that the nodes so far have computed."""

    def take(self, node: NodeProto, opset: int) -> None:
        """Add ``node``, in bfloat16 wherever ONNX lets it take and give that."""
        result = NodeProto()
        result.CopyFrom(node)
        takes, gives = _narrow_ends(node, opset)
        result.input[:] = [
            self._read(name, narrow) for name, narrow in zip(node.input, takes, strict=False)
        ]
        result.output[:] = [
            name + SUFFIX if narrow and name in self.wide else name
            for name, narrow in zip(node.output, gives, strict=False)
        ]
        self.made.update(result.output)
        self.nodes.append(result)

    def finish(self, outputs: list[str]) -> None:
        """Give the network's own results in float32."""
        for name in outputs:
            self._read(name, narrow=False)

    def _read(self, name: str, narrow: bool) -> str:
        """The name of the tensor in the type asked for, which is made where it isn't there."""
        if name not in self.wide:
            self._keep(name)
            return name
        wanted = name + SUFFIX if narrow else name
        if name in self.parameters:
            self._keep(name, wanted)
        elif narrow and wanted not in self.made:
            self._cast(name, wanted, TensorProto.BFLOAT16)
        elif not narrow and name + SUFFIX in self.made and name not in self.made:
            self._cast(name + SUFFIX, wanted, TensorProto.FLOAT)
        return wanted

    def _keep(self, name: str, wanted: str | None = None) -> None:
        if name in self.parameters:
            tensor = self.parameters[name]
            narrow = wanted not in (None, name)
            self.kept[wanted or name] = _rounded(tensor, name + SUFFIX) if narrow else tensor

    def _cast(self, source: str, result: str, kind: int) -> None:
        self.nodes.append(helper.make_node("Cast", [source], [result], f"{result}/Cast", to=kind))
        self.made.add(result)


def _expect_straight(graph: onnx.GraphProto) -> None:
    for node in graph.node:
        if any(a.HasField("g") or a.graphs for a in node.attribute):
            raise NetworkError(
                f"the node {node.name or node.op_type} branches or loops, which to_bf16 doesn't "
                "follow; keep this network in fp32 or fp16"
            )


def _float32_tensors(model: onnx.ModelProto) -> frozenset[str]:
    graph = shape_inference.infer_shapes(model).graph
    described = chain(graph.input, graph.value_info, graph.output)
    tensors = {v.name for v in described if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    parameters = {p.name for p in graph.initializer if p.data_type == TensorProto.FLOAT}
    return frozenset(tensors | parameters)


def _parameters(model: onnx.ModelProto) -> dict[str, TensorProto]:
    return {parameter.name: parameter for parameter in model.graph.initializer}


def _narrow_ends(node: NodeProto, opset: int) -> tuple[Iterator[bool], Iterator[bool]]:
    """For each input and each output of ``node``: does ONNX let it be bfloat16?"""
    if node.domain not in ONNX_DOMAINS:
        return repeat(False), repeat(False)
    schema = defs.get_schema(node.op_type, opset)
    gives = repeat(False) if node.op_type in TYPED else _allowed(schema.outputs)
    return _allowed(schema.inputs), gives


def _allowed(ends: Sequence[defs.OpSchema.FormalParameter]) -> Iterator[bool]:
    """The last one stands for all that follow: only it can be variadic."""
    allowed = ["tensor(bfloat16)" in end.types for end in ends]
    return chain(allowed, repeat(allowed[-1])) if allowed else repeat(False)


def _rounded(tensor: TensorProto, name: str) -> TensorProto:
    """To the nearest bfloat16, ties to even: the upper half of float32's bits."""
    bits = np.ascontiguousarray(numpy_helper.to_array(tensor), np.float32).view(np.uint32)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return TensorProto(
        name=name,
        data_type=TensorProto.BFLOAT16,
        dims=tensor.dims,
        raw_data=nearest.astype("<u2").tobytes(),
    )


def _checked(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, shape_inference.InferenceError, ValueError) as error:
        raise NetworkError(f"the network can't be written in bf16: {one_line(error)}") from error
    return model
