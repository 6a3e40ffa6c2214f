"""Operators on quantised values (QOperator) as ordinary ones between QuantizeLinear and
DequantizeLinear (QDQ).

``QLinearConv(x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias)`` and its like are
by definition what the ordinary operator makes of the dequantised inputs, quantised.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPERATORS: Mapping[str, int] = {
    "QLinearConv": 2,
    "QLinearMatMul": 2,
    "QLinearAdd": 2,
    "QLinearMul": 2,
    "QLinearSigmoid": 1,
    "QLinearLeakyRelu": 1,
    "QLinearAveragePool": 1,
    "QLinearGlobalAveragePool": 1,
}
"""How many quantised inputs each has: value, scale and zero point, before those of the result."""

CONCAT = "QLinearConcat"
"""The scale and the zero point of the result come first; then any number of inputs."""

QLINEAR = "QLinear"

CHANNEL_AXIS: Mapping[str, int] = {"QLinearConv": 0, "QLinearMatMul": -1}
"""Along which axis weights have a scale each."""


def is_known(node: NodeProto) -> bool:
    """Whether :func:`without_qoperators` takes a node apart."""
    return node.op_type in OPERATORS or node.op_type == CONCAT


def without_qoperators(model: onnx.ModelProto) -> None:
    """Put QDQ in the place of the operators in :data:`OPERATORS`, in place; names stay."""
    parameters = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        if is_known(node):
            nodes.extend(_as_qdq(model, node, parameters))
        else:
            nodes.append(NodeProto.FromString(node.SerializeToString()))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _as_qdq(
    model: onnx.ModelProto, node: NodeProto, parameters: Mapping[str, TensorProto]
) -> Iterator[NodeProto]:
    names = list(node.input)
    quantised, result = _split_operands(node.op_type, names)
    inputs = [f"{node.output[0]}/dequantised_{i}" for i in range(len(quantised))]
    axis = CHANNEL_AXIS.get(node.op_type, 0)
    for source, name in zip(quantised, inputs, strict=True):
        yield helper.make_node("DequantizeLinear", source, [name], name, axis=axis)
    if len(names) > 3 * len(quantised) + 2 and names[-1] in parameters:
        inputs.append(f"{node.output[0]}/bias")
        bias = _bias(parameters, names[-1], names[1], names[4])
        model.graph.initializer.append(numpy_helper.from_array(bias, inputs[-1]))
    whole = f"{node.output[0]}/whole"
    ordinary = helper.make_node(node.op_type.removeprefix(QLINEAR), inputs, [whole], node.name)
    ordinary.attribute.extend(each for each in node.attribute if each.name != "channels_last")
    yield ordinary
    yield helper.make_node("QuantizeLinear", [whole, *result], node.output, f"{whole}/quantised")


def _split_operands(
    operator: str, names: Sequence[str]
) -> tuple[list[Sequence[str]], Sequence[str]]:
    """Value, scale and zero point of each input; scale and zero point of the result."""
    if operator == CONCAT:
        return [names[i : i + 3] for i in range(2, len(names), 3)], names[:2]
    count = OPERATORS[operator]
    return [names[3 * i : 3 * i + 3] for i in range(count)], names[3 * count : 3 * count + 2]


def _bias(
    parameters: Mapping[str, TensorProto], bias: str, source: str, weights: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A bias is int32, in steps of the input's times the weights'."""
    values, *scales = (
        numpy_helper.to_array(parameters[name]).astype(np.float64).ravel()
        for name in (bias, source, weights)
    )
    return (values * scales[0] * scales[1]).astype(np.float32)
