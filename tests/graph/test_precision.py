"""The precision of a graph, told from what stands in it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    quantize_dynamic,
    quantize_static,
)

from graphs import Graph, store_in_bfloat16
from subpixel.graph.int8.quantize import to_int8
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.float16 import to_fp16
from subpixel.graph.precision import graph_precision
from subpixel.spec import ModelSpec, Precision

PICTURE = np.random.default_rng(0).random((1, 1, 9, 7), np.float32)


def network(opset: int = 22) -> onnx.ModelProto:
    graph = Graph(opset=opset)
    value = "input"
    for _ in range(2):
        value = graph.node("Relu", graph.conv(value, 4, pads=[1, 1, 1, 1]))
    model = graph.model(graph.shuffle(value, 2))
    model.ir_version = 10
    return model


CONVERSIONS: dict[Precision, Callable[[onnx.ModelProto], onnx.ModelProto]] = {
    "fp32": lambda model: model,
    "fp16": to_fp16,
    "bf16": store_in_bfloat16,
    "int8": lambda model: to_int8(model, [PICTURE]),
}


@pytest.mark.parametrize("claimed", CONVERSIONS)
@pytest.mark.parametrize("precision", CONVERSIONS)
def test_metadata_is_not_believed(precision: Precision, claimed: Precision) -> None:
    model = CONVERSIONS[precision](network())
    lying = with_spec(model, ModelSpec("small", 2, "luma", "luma", precision=claimed))
    assert graph_precision(model) == graph_precision(lying) == precision


class Pictures(CalibrationDataReader):
    def __init__(self) -> None:
        self._left = [{"input": PICTURE}]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self._left.pop() if self._left else None


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_both_forms_of_static_quantisation_are_int8(tmp_path: Path, form: QuantFormat) -> None:
    given, made = tmp_path / "given.onnx", tmp_path / "made.onnx"
    onnx.save(network(17), given)
    quantize_static(given, made, Pictures(), quant_format=form)
    assert graph_precision(onnx.load(made)) == "int8"


def test_dynamic_quantisation_is_int8(tmp_path: Path) -> None:
    given, made = tmp_path / "given.onnx", tmp_path / "made.onnx"
    onnx.save(network(17), given)
    quantize_dynamic(given, made, op_types_to_quantize=["Conv"])
    assert graph_precision(onnx.load(made)) == "int8"


def test_what_no_output_needs_does_not_count() -> None:
    """Else one dead tensor would buy a file of fp32 the tolerance of fp16."""
    model = network()
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float16), "dead"))
    model.graph.node.append(helper.make_node("Cast", ["dead"], ["end"], to=TensorProto.FLOAT16))
    assert graph_precision(model) == "fp32"


def test_a_rounding_of_the_result_counts() -> None:
    graph = Graph()
    half = graph.node("Cast", graph.conv("input", 4, pads=[1] * 4), to=TensorProto.FLOAT16)
    model = graph.model(graph.node("Cast", half, to=TensorProto.FLOAT), into=4)
    assert graph_precision(model) == "fp16"


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_an_input_of_few_bits_counts(kind: int) -> None:
    model = network()
    model.graph.input[0].type.tensor_type.elem_type = kind
    expected = {TensorProto.FLOAT16: "fp16", TensorProto.BFLOAT16: "bf16"}
    assert graph_precision(model) == expected[kind]


def test_branches_and_functions_are_looked_into() -> None:
    half = helper.make_node("Cast", ["input"], ["half"], to=TensorProto.FLOAT16)
    back = helper.make_node("Cast", ["half"], ["y"], to=TensorProto.FLOAT)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    branch = helper.make_graph([half, back], "branch", [], [output])
    graph = Graph()
    condition = graph.constant(np.array(True), np.bool_)
    branching = graph.node("If", condition, then_branch=branch, else_branch=branch)
    assert graph_precision(graph.model(branching)) == "fp16"

    calling = Graph()
    model = calling.model(calling.node("Rounded", "input", domain="own"))
    opset = helper.make_opsetid("", 18)
    model.functions.append(
        helper.make_function("own", "Rounded", ["input"], ["y"], [half, back], [opset])
    )
    model.opset_import.append(helper.make_opsetid("own", 1))
    assert graph_precision(model) == "fp16"


def test_a_picture_of_code_values_is_whole() -> None:
    """Dequantising an input is a multiplication of what the picture holds."""
    graph = Graph()
    step = graph.constant(np.array(1 / 255), np.float32)
    model = graph.model(graph.conv(graph.node("DequantizeLinear", "input", step), 1))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    assert graph_precision(model) == "fp32"


def test_double_precision_is_no_less_than_fp32() -> None:
    model = network()
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            wide = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
    for end in (*model.graph.input, *model.graph.output):
        end.type.tensor_type.elem_type = TensorProto.DOUBLE
    assert graph_precision(model) == "fp32"
