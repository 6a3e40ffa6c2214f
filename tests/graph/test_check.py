"""One good file passes; each kind of bad one is found by the check that is there for it."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from graphs import Graph, nearest, traced
from subpixel.graph.check import CheckReport, Finding, check_model
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.float16 import to_fp16
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.spec import ModelSpec

SPEC = ModelSpec("test", 2, "luma", "luma", halo=0)


def bad(report: CheckReport) -> dict[str, str]:
    """The messages of what was found wrong, by check."""
    assert bool(report) == all(finding.ok for finding in report.findings)
    return {finding.check: finding.message for finding in report.findings if not finding.ok}


def checked(model: onnx.ModelProto, spec: ModelSpec = SPEC) -> dict[str, str]:
    return bad(check_model(with_spec(model, spec), spec))


@pytest.mark.parametrize("opset", [7, 9, 10, 11, 13, 18, 20])
def test_good_files_pass(opset: int) -> None:
    luma = traced(PlainNet(2, channels=4, depth=2), opset, torch.rand(1, 1, 8, 9))
    rgb = rgb_from_luma(luma, 2)
    rgb_spec = replace(SPEC, interface="rgb")
    assert checked(luma) == {}
    assert checked(rgb, rgb_spec) == {}
    assert checked(to_fp16(rgb), replace(rgb_spec, precision="fp16")) == {}


def test_a_file_of_one_size_passes_where_the_facts_say_so() -> None:
    fixed = nearest(2, dims=["batch", 16, 24], out_dims=["batch", 32, 48])
    spec = replace(SPEC, fixed_size=(16, 24))
    assert checked(fixed, spec) == {}
    assert "(any, 16, 24) in" in checked(fixed)["declared axes"]
    assert "(any, 16, 24) in" in checked(nearest(2), spec)["declared axes"]


def test_every_check_says_what_it_found() -> None:
    report = check_model(with_spec(nearest(2), SPEC), SPEC)
    assert all(report.findings)
    assert len({finding.check for finding in report.findings}) == 10
    assert Finding("onnx checker", True, "accepts the graph, shapes included") in report.findings


def test_a_malformed_graph_stops_there() -> None:
    model = nearest(2)
    model.graph.node[0].input[0] = "nowhere"
    assert list(checked(model)) == ["onnx checker"]


def test_a_declared_shape_that_contradicts_the_graph() -> None:
    model = nearest(2, dims=["batch", 8, 8], out_dims=["batch", 17, 16])
    assert list(checked(model, replace(SPEC, fixed_size=(8, 8)))) == ["onnx checker"]


def test_another_number_of_channels_or_inputs() -> None:
    assert (
        "must be one of each"
        in checked(nearest(2), replace(SPEC, interface="rgb"))["input and output"]
    )
    model = nearest(2)
    model.graph.input.append(helper.make_tensor_value_info("more", 1, [1]))
    assert "more" in checked(model)["input and output"]


def test_what_is_no_picture_stops_there() -> None:
    model = nearest(2)
    del model.graph.output[0].type.tensor_type.shape.dim[3]
    assert len(checked(model)) == 1
    vector = helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["input"], ["output"])],
        "vector",
        [vector],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, ["n"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    assert list(checked(model)) == ["input and output"]


def test_a_fixed_batch() -> None:
    model = nearest(2, dims=[1, "height", "width"], out_dims=[1, None, None])
    assert "(1, any, any) in" in checked(model)["declared axes"]
    assert checked(model, replace(SPEC, fixed_batch=1)) == {}


def test_a_size_baked_in_by_tracing() -> None:
    # Declared open, but the pixel shuffle reshapes to the traced example's 8 × 10.
    graph = Graph(opset=10)
    wide = graph.conv("input", 4, pads=[1, 1, 1, 1])
    split = graph.node("Reshape", wide, graph.constant([-1, 1, 2, 2, 8, 10]))
    moved = graph.node("Transpose", split, perm=[0, 1, 4, 2, 5, 3])
    baked = graph.node("Reshape", moved, graph.constant([-1, 1, 16, 20]))
    assert "real axes" in checked(graph.model(baked))


def test_a_batch_baked_in_by_tracing() -> None:
    # Height and width are computed from the picture, the batch is the traced example's.
    graph = Graph()
    rest = graph.node("Shape", "input", start=1)
    shape = graph.node("Concat", graph.constant([1]), rest, axis=0)
    baked = graph.node("Reshape", "input", shape)
    assert "gives (1, 1, 9, 13)" in checked(graph.model(baked), replace(SPEC, scale=1))["real axes"]


def test_another_scale() -> None:
    assert "facts say (2, 1, 27, 39)" in checked(nearest(2), replace(SPEC, scale=3))["real axes"]


def test_an_opset_from_the_future() -> None:
    model = nearest(2)
    model.opset_import[0].version = onnx.defs.onnx_opset_version() + 1
    assert checked(model)
    model = nearest(2)
    model.ir_version = 99
    assert checked(model)


def test_an_operator_that_onnx_runtime_lacks() -> None:
    # float64 convolution is ONNX, but ONNX Runtime has none on the CPU.
    graph = Graph()
    weights = graph.constant(np.ones((4, 1, 1, 1)), np.float64)
    large = graph.node("DepthToSpace", graph.node("Conv", "input", weights), blocksize=2)
    model = graph.model(large, kind=onnx.TensorProto.DOUBLE)
    assert "refuses it" in checked(model)["onnx runtime"]


def test_an_operator_of_another_domain() -> None:
    graph = Graph()
    model = graph.model(graph.node("FastGelu", "input", domain="com.microsoft"))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    found = checked(model, replace(SPEC, scale=1))
    assert "com.microsoft::FastGelu" in found["domains"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_no_numbers(value: float) -> None:
    model = nearest(2)
    weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[0] = value
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "c0"))
    assert checked(model) == {"parameters finite": "hold NaN or infinity: c0"}


@pytest.mark.parametrize(("value", "sound"), [(-np.inf, True), (np.nan, False)])
def test_what_a_mask_is_filled_with_may_be_infinite(value: float, sound: bool) -> None:
    model = nearest(2)
    model.graph.initializer.append(numpy_helper.from_array(np.float32(value), "fill"))
    assert ("parameters finite" in checked(model)) is not sound


@pytest.mark.parametrize(("value", "sound"), [(-np.inf, True), (np.inf, False), (np.nan, False)])
@pytest.mark.parametrize("as_node", [False, True])
def test_a_mask_for_attention_may_hold_many_infinities(
    value: float, sound: bool, as_node: bool
) -> None:
    mask = np.where(np.triu(np.ones((4, 4), bool), 1), value, 0).astype(np.float32)
    model, tensor = nearest(2), numpy_helper.from_array(mask, "mask")
    if as_node:
        model.graph.node.insert(0, helper.make_node("Constant", [], ["mask"], value=tensor))
    else:
        model.graph.initializer.append(tensor)
    expected = {} if sound else {"parameters finite": "hold NaN or infinity: mask"}
    assert checked(model) == expected


def test_parameters_in_another_file() -> None:
    model = nearest(2)
    parameter = model.graph.initializer[0]
    parameter.ClearField("raw_data")
    parameter.data_location = onnx.TensorProto.EXTERNAL
    parameter.external_data.add(key="location", value="weights.bin")
    found = check_model(with_spec(model, SPEC), SPEC)
    assert not found


def test_facts_missing_unreadable_or_others() -> None:
    assert "no facts" in bad(check_model(nearest(2), SPEC))["metadata"]
    model = with_spec(nearest(2), SPEC)
    other = bad(check_model(model, replace(SPEC, halo=7)))["metadata"]
    assert "halo is 0, not 7" in other
    model.metadata_props[0].value = "{"
    assert "not JSON" in bad(check_model(model, SPEC))["metadata"]


@pytest.mark.parametrize(("mode", "fine"), [("CRD", True), ("DCR", False)])
def test_depth_to_space_in_the_order_of_pytorch(mode: str, fine: bool) -> None:
    graph = Graph(channels=3)
    large = graph.node("DepthToSpace", graph.conv("input", 12, 1), blocksize=2, mode=mode)
    found = checked(graph.model(large, channels=3, into=3), replace(SPEC, interface="rgb"))
    assert list(found) == ([] if fine else ["depth to space"])
