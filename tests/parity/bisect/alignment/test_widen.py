"""Reduced precision undone."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import quantiser
from graphs import Graph, run, store_in_bfloat16
from rounding import graph_bound
from subpixel.graph.flow import flow
from subpixel.graph.int8.quantize import to_int8
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.float16 import to_fp16
from subpixel.graph.precision import graph_precision
from subpixel.parity.bisect.alignment.align import align
from subpixel.parity.bisect.alignment.widen import widen_types, with_parameters_of
from subpixel.spec import ModelSpec, Precision

PICTURE = np.random.default_rng(0).random((1, 1, 9, 7), np.float32)


def network() -> onnx.ModelProto:
    graph = Graph(opset=22)
    value = "input"
    for _ in range(3):
        value = graph.node("Relu", graph.conv(value, 4, pads=[1, 1, 1, 1]))
    model = graph.model(graph.shuffle(value, 2))
    model.ir_version = 10
    return with_spec(model, ModelSpec("small", 2, "luma", "luma"))


def quantised(model: onnx.ModelProto) -> onnx.ModelProto:
    return to_int8(model, [PICTURE])


NARROWED: dict[Precision, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "fp16": to_fp16,
    "bf16": store_in_bfloat16,
    "int8": quantised,
}
ROUNDING = graph_bound(network(), PICTURE)
OFF: dict[Precision, float] = {"fp16": 2e-3, "bf16": 2e-2, "int8": 5e-2}


@pytest.mark.parametrize("precision", NARROWED)
def test_a_widened_network_computes_in_float32(precision: Precision) -> None:
    narrow = NARROWED[precision](network())
    assert graph_precision(narrow) == precision
    wide = widen_types(narrow)
    assert graph_precision(wide) == "fp32"
    onnx.checker.check_model(wide)
    operators = {node.op_type for node in flow(wide).nodes}
    assert not operators & {"Cast", "QuantizeLinear", "DequantizeLinear"}
    expected = run(network(), PICTURE)
    assert 0 < np.abs(run(wide, PICTURE) - expected).max() < OFF[precision]


@pytest.mark.parametrize("precision", NARROWED)
def test_unrounded_parameters_make_it_whole(precision: Precision) -> None:
    wide = flow(widen_types(NARROWED[precision](network())))
    whole = with_parameters_of(align(wide, flow(network())), precision)
    np.testing.assert_allclose(
        run(whole.model, PICTURE), run(network(), PICTURE), rtol=0, atol=ROUNDING
    )


def test_what_rounding_does_not_explain_stays() -> None:
    changed = network()
    weights = next(t for t in changed.graph.initializer if list(t.dims) == [4, 4, 3, 3])
    values = numpy_helper.to_array(weights).copy()
    values.flat[7] *= 1.01
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    wide = flow(widen_types(to_fp16(changed)))
    whole = with_parameters_of(align(wide, flow(network())), "fp16")
    found = numpy_helper.to_array(whole.parameters[weights.name])
    expected = numpy_helper.to_array(flow(network()).parameters[weights.name])
    assert list(np.flatnonzero(found != expected)) == [7]


def test_a_network_in_float32_is_left_as_it_is() -> None:
    assert graph_precision(network()) == "fp32"
    np.testing.assert_array_equal(run(widen_types(network()), PICTURE), run(network(), PICTURE))


def test_casts_that_make_numbers_of_sizes_stay() -> None:
    graph = Graph()
    sizes = graph.node("Cast", graph.node("Shape", "input"), to=TensorProto.FLOAT)
    model = graph.model(graph.node("Mul", "input", graph.node("ReduceMax", sizes, keepdims=0)))
    assert "Cast" in {node.op_type for node in widen_types(model).graph.node}


def test_operators_on_integers_become_ordinary_ones() -> None:
    """QOperator files, as ONNX Runtime's quantiser writes them."""
    narrow = quantiser.quantised(network(), "QOperator", [PICTURE])
    assert any(node.op_type == "QLinearConv" for node in narrow.graph.node)
    wide = widen_types(narrow)
    assert graph_precision(wide) == "fp32"
    onnx.checker.check_model(wide)
    assert not any(node.op_type.startswith("QLinear") for node in wide.graph.node)
    expected = run(network(), PICTURE)
    assert 0 < np.abs(run(wide, PICTURE) - expected).max() < OFF["int8"]
    whole = with_parameters_of(align(flow(wide), flow(network())), "int8")
    np.testing.assert_allclose(run(whole.model, PICTURE), expected, rtol=0, atol=ROUNDING)


def test_parameters_that_are_cast() -> None:
    """Weights in float16, the arithmetic in float32."""
    model = network()
    for tensor in list(model.graph.initializer):
        name = tensor.name
        half = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}/half"))
        cast = helper.make_node("Cast", [tensor.name], [name], f"{name}/cast", to=TensorProto.FLOAT)
        model.graph.node.insert(0, cast)
    assert graph_precision(model) == "fp16"
    wide = flow(widen_types(model))
    assert "Cast" not in {node.op_type for node in wide.nodes}
    np.testing.assert_array_equal(run(wide.model, PICTURE), run(model, PICTURE))


def test_a_relu_is_put_back_only_where_there_may_be_negative_values() -> None:
    """Not behind the picture, nor behind what joins values that have none."""
    graph = Graph()
    picture = _through_integers(graph, "input")
    positive = graph.node("Relu", graph.conv(picture, 4, pads=[1, 1, 1, 1]))
    joined = graph.node("Concat", _through_integers(graph, positive), picture, axis=1)
    graph.channels = 5
    signed = graph.conv(_through_integers(graph, joined), 4, pads=[1, 1, 1, 1])
    model = graph.model(graph.shuffle(_through_integers(graph, signed), 2))
    wide = widen_types(model)
    put_back = [node.input[0] for node in wide.graph.node if node.op_type == "Relu"]
    assert len(put_back) == 2, "the network's own, and one behind the convolution"
    assert signed in put_back


def _through_integers(graph: Graph, source: str) -> str:
    ends = graph.constant(np.float32(1 / 255), np.float32), graph.constant(0, np.uint8)
    return graph.node("DequantizeLinear", graph.node("QuantizeLinear", source, *ends), *ends)
