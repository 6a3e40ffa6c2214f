"""Reduced precision undone."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from graphs import Graph, run
from onnx import TensorProto, numpy_helper

from subpixel.graph.align import align
from subpixel.graph.bfloat import to_bf16
from subpixel.graph.flow import flow
from subpixel.graph.half import to_fp16
from subpixel.graph.metadata import with_spec
from subpixel.graph.quantize import to_int8
from subpixel.graph.widen import precision_of, widened, with_parameters_of
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
    "bf16": to_bf16,
    "int8": quantised,
}
OFF: dict[Precision, float] = {"fp16": 2e-3, "bf16": 2e-2, "int8": 5e-2}


@pytest.mark.parametrize("precision", NARROWED)
def test_a_widened_network_computes_in_float32(precision: Precision) -> None:
    narrow = NARROWED[precision](network())
    assert precision_of(narrow) == precision
    wide = widened(narrow)
    assert precision_of(wide) == "fp32"
    onnx.checker.check_model(wide)
    operators = {node.op_type for node in flow(wide).nodes}
    assert not operators & {"Cast", "QuantizeLinear", "DequantizeLinear"}
    expected = run(network(), PICTURE)
    assert 0 < np.abs(run(wide, PICTURE) - expected).max() < OFF[precision]


@pytest.mark.parametrize("precision", NARROWED)
def test_unrounded_parameters_make_it_whole(precision: Precision) -> None:
    wide = flow(widened(NARROWED[precision](network())))
    whole = with_parameters_of(align(wide, flow(network())), precision)
    np.testing.assert_allclose(run(whole.model, PICTURE), run(network(), PICTURE), atol=1e-6)


def test_what_rounding_does_not_explain_stays() -> None:
    changed = network()
    weights = next(t for t in changed.graph.initializer if list(t.dims) == [4, 4, 3, 3])
    values = numpy_helper.to_array(weights).copy()
    values.flat[7] *= 1.01
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    wide = flow(widened(to_fp16(changed)))
    whole = with_parameters_of(align(wide, flow(network())), "fp16")
    found = numpy_helper.to_array(whole.parameters[weights.name])
    expected = numpy_helper.to_array(flow(network()).parameters[weights.name])
    assert list(np.flatnonzero(found != expected)) == [7]


def test_a_network_in_float32_is_left_as_it_is() -> None:
    assert precision_of(network()) == "fp32"
    np.testing.assert_array_equal(run(widened(network()), PICTURE), run(network(), PICTURE))


def test_casts_that_make_numbers_of_sizes_stay() -> None:
    graph = Graph()
    sizes = graph.node("Cast", graph.node("Shape", "input"), to=TensorProto.FLOAT)
    model = graph.model(graph.node("Mul", "input", graph.node("ReduceMax", sizes, keepdims=0)))
    assert "Cast" in {node.op_type for node in widened(model).graph.node}
