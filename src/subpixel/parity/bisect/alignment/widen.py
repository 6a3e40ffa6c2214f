"""A network of reduced precision with its arithmetic back in float32."""

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from subpixel.graph.flow import AnyArray, Flow, flow
from subpixel.parity.bisect.alignment.align import Alignment
from subpixel.parity.bisect.alignment.qoperator import without_qoperators
from subpixel.spec import Precision

NARROW = (TensorProto.FLOAT16, TensorProto.BFLOAT16)

TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype", "stash_type")
"""Attributes that hold a type."""

STEPS: Mapping[Precision, tuple[float, float]] = {
    "fp16": (2.0**-10, 2.0**-24),
    "bf16": (2.0**-7, 2.0**-126),
    "int8": (0.0, 1 / 63),
}
"""How far rounding to a precision moves a parameter: relative to itself (one unit in the last
place, so that truncation counts as rounding) and, float types: absolutely; int8: relative to the
largest of its tensor (7 bits and a sign would be 1/127; some leave one bit free)."""


NEVER_NEGATIVE = ("Relu", "Clip", "Sigmoid", "Softmax", "Abs")
"""Operators after which cutting off below zero changes nothing, as a rule."""

KEEP_SIGN = (
    "QuantizeLinear",
    "DequantizeLinear",
    "Concat",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Reshape",
    "Transpose",
    "DepthToSpace",
    "Slice",
)
"""Operators that give no negative values where they get none."""


def widen_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that computes in float32 all that ``model`` computes in float16, bfloat16 or int8.

    Its parameters stay rounded. Of int8, the form with QuantizeLinear and DequantizeLinear (QDQ)
    is understood, and the operators that are defined by it (QOperator); those of dynamic
    quantisation stay as they are.
    """
    result = onnx.ModelProto()
    result.CopyFrom(flow(model).model)
    for tensor in _all_tensors(result.graph):
        _widen_tensor(tensor)
    for node in result.graph.node:
        _widen_type_attributes(node)
    for value in (*result.graph.input, *result.graph.output):
        if value.type.tensor_type.elem_type in NARROW:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    del result.graph.value_info[:]
    without_qoperators(result)
    _pass_quantisation(result.graph)
    _pass_casts(result)
    return result


def with_parameters_of(alignment: Alignment, precision: Precision) -> Flow:
    """The left graph, where its parameters are those of the right one rounded, with the latter.

    Numbers that rounding to ``precision`` does not explain stay as they are.
    """
    left, right = alignment.left, alignment.right
    better: dict[str, TensorProto] = {}
    for ours, theirs in alignment.nodes.items():
        names = zip(left.nodes[ours].input, right.nodes[theirs].input, strict=False)
        for a, b in names:
            if a in left.parameters and b in right.parameters:
                found = _restore_parameter(left.parameters[a], right.parameters[b], precision)
                better |= {a: found} if found is not None else {}
    model = onnx.ModelProto()
    model.CopyFrom(left.model)
    for tensor in model.graph.initializer:
        if tensor.name in better:
            tensor.CopyFrom(better[tensor.name])
    return flow(model)


def _restore_parameter(
    ours: TensorProto, theirs: TensorProto, precision: Precision
) -> TensorProto | None:
    if ours.data_type != TensorProto.FLOAT or theirs.data_type != TensorProto.FLOAT:
        return None
    a, b = numpy_helper.to_array(ours), numpy_helper.to_array(theirs)
    if a.shape != b.shape:
        return None
    relative, absolute = STEPS[precision]
    if precision == "int8":
        absolute *= float(np.abs(b).max(initial=0.0))
    explained = np.abs(a - b) <= relative * np.abs(b) + absolute
    return numpy_helper.from_array(np.where(explained, b, a), ours.name)


def _all_tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t


def _widen_tensor(tensor: TensorProto) -> None:
    if tensor.data_type in NARROW:
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _widen_type_attributes(node: NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.name in TYPE_ATTRIBUTES and attribute.i in NARROW:
            attribute.i = TensorProto.FLOAT


def _pass_quantisation(graph: onnx.GraphProto) -> None:
    """Let values through where they are quantised and dequantised; dequantise parameters.

    Quantisers fold a Relu into the quantisation after it, which cuts off below zero: there it is
    put back.
    """
    parameters = {tensor.name: tensor for tensor in graph.initializer}
    positive = _never_negative(graph, parameters)
    kept: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in parameters:
            graph.initializer.append(_dequantise_parameter(node, parameters))
            continue
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            cut_off = node.op_type == "QuantizeLinear" and _starts_at_zero(node, parameters)
            rectifies = cut_off and node.input[0] not in positive
            node = _unary("Relu" if rectifies else "Identity", node)
        kept.append(node)
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(nodes)


def _never_negative(graph: onnx.GraphProto, parameters: Mapping[str, TensorProto]) -> set[str]:
    """The picture, in 0 … 1, and values that are known to have no negative numbers."""
    positive = {image.name for image in graph.input}
    for node in graph.node:
        sources = [name for name in node.input if name and name not in parameters]
        if node.op_type == "DequantizeLinear":
            sources = sources[:1]
        keeps = node.op_type in KEEP_SIGN and sources and positive.issuperset(sources)
        if node.op_type in NEVER_NEGATIVE or keeps:
            positive.update(node.output)
    return positive


def _dequantise_parameter(node: NodeProto, parameters: Mapping[str, TensorProto]) -> TensorProto:
    values, scale, *zero = (numpy_helper.to_array(parameters[name]) for name in node.input if name)
    axis = next((given.i for given in node.attribute if given.name == "axis"), 1)
    scale, *zero = (_lay_along(part, axis, values.ndim) for part in (scale, *zero))
    centred = values.astype(np.float32) - (zero[0].astype(np.float32) if zero else 0)
    return numpy_helper.from_array((centred * scale).astype(np.float32), node.output[0])


def _lay_along(part: AnyArray, axis: int, rank: int) -> AnyArray:
    """A vector laid along ``axis`` of a tensor of that rank; a single number as it is."""
    if part.size == 1:
        return part.reshape(())
    return part.reshape([-1 if i == axis % rank else 1 for i in range(rank)])


def _starts_at_zero(node: NodeProto, parameters: Mapping[str, TensorProto]) -> bool:
    """Whether zero is the least value that the integers of a QuantizeLinear can mean."""
    if len(node.input) < 3 or node.input[2] not in parameters:
        return len(node.input) < 3  # then they are uint8, from 0 on
    zero = numpy_helper.to_array(parameters[node.input[2]])
    return bool(np.all(zero == np.iinfo(zero.dtype).min))


def _unary(operator: str, node: NodeProto) -> NodeProto:
    """``operator`` in the place of ``node``, on its first input."""
    return helper.make_node(operator, node.input[:1], node.output, name=node.name)


def _pass_casts(model: onnx.ModelProto) -> None:
    """Casts from float32 to float32 have become Identity."""
    kinds = dict(flow(model).kinds)
    kinds |= {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for node in model.graph.node:
        to = next((given.i for given in node.attribute if given.name == "to"), None)
        if node.op_type == "Cast" and to == kinds.get(node.input[0]) == TensorProto.FLOAT:
            node.CopyFrom(_unary("Identity", node))
