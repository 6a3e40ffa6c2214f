"""Graphs cut into pieces, which together are the whole."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from graphs import Graph, run, traced
from rounding import graph_bound
from subpixel.errors import NetworkError
from subpixel.graph.execute import evaluate_flow, runtime_engine
from subpixel.graph.flow import Flow, flow

PICTURE = np.random.default_rng(0).random((2, 1, 9, 7), np.float32)


def network() -> onnx.ModelProto:
    """A residual connection, a size that is reckoned, a Constant and an Identity."""
    graph = Graph(channels=1)
    first = graph.conv("input", 4, pads=[1, 1, 1, 1])
    graph.nodes.append(
        helper.make_node("Constant", [], ["half"], value=numpy_helper.from_array(np.float32(0.5)))
    )
    scaled = graph.node("Mul", graph.node("Identity", first), "half")
    second = graph.conv(graph.node("Relu", scaled), 4, pads=[1, 1, 1, 1])
    total = graph.node("Add", first, second)
    shaped = graph.node("Reshape", total, graph.node("Shape", first))
    return graph.model(graph.shuffle(shaped, 2))


@pytest.fixture
def whole() -> Flow:
    return flow(network())


def test_constants_are_parameters_and_identities_are_gone(whole: Flow) -> None:
    operators = [node.op_type for node in whole.nodes]
    assert "Constant" not in operators
    assert operators.count("Identity") == 1, "the one that makes the output stays"
    assert "half" in whole.parameters
    result = evaluate_flow(whole, runtime_engine(), {"input": PICTURE}, ["output"])["output"]
    within = graph_bound(network(), PICTURE)
    np.testing.assert_allclose(result, run(network(), PICTURE), rtol=0, atol=within)


def test_what_the_output_does_not_need_is_left_out() -> None:
    model = network()
    model.graph.node.append(helper.make_node("Relu", ["input"], ["unread"]))
    assert "unread" not in flow(model).maker


def test_every_frontier_carries_on_to_the_whole(whole: Flow) -> None:
    engine, picture = runtime_engine(), {"input": PICTURE}
    expected = evaluate_flow(whole, engine, picture, ["output"])["output"]
    frontiers = list(whole.frontiers())
    assert len(frontiers) == len(whole.nodes) + 1
    assert frontiers[-1] == ("output",)
    for alive in frontiers[1:]:
        found = evaluate_flow(whole, engine, picture, list(alive))
        rest = evaluate_flow(whole, engine, {**picture, **found}, ["output"])
        np.testing.assert_array_equal(rest["output"], expected)


def test_a_cut_holds_only_what_lies_between(whole: Flow) -> None:
    relu = next(node for node in whole.nodes if node.op_type == "Relu")
    source = np.zeros((1, 4, 3, 3), np.float32)
    model = whole.cut({relu.input[0]: source, "input": PICTURE}, list(relu.output))
    assert [node.op_type for node in model.graph.node] == ["Relu"]
    assert [given.name for given in model.graph.input] == [relu.input[0]]
    assert not model.graph.initializer


def test_sizes_are_not_what_the_picture_shows(whole: Flow) -> None:
    shape = next(node for node in whole.nodes if node.op_type == "Shape")
    assert shape.output[0] not in whole.shown
    assert {"input", "output"} <= whole.shown
    reshape = next(i for i, node in enumerate(whole.nodes) if node.op_type == "Reshape")
    assert len(whole.reads[reshape]) == 2
    assert whole.shown_reads[reshape] == whole.reads[reshape][:1]


def test_types_are_inferred_past_wrong_declarations() -> None:
    model = network()
    model.graph.value_info.append(helper.make_tensor_value_info("t0", TensorProto.FLOAT, [1, 99]))
    assert flow(model).kinds["t0"] == TensorProto.FLOAT


def test_functions_are_put_in_line() -> None:
    twice = helper.make_function(
        "own", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])],
        [helper.make_opsetid("", 18)],
    )  # fmt: skip
    graph = Graph()
    result = graph.node("Twice", "input", domain="own")
    model = graph.model(result)
    model.functions.append(twice)
    model.opset_import.append(helper.make_opsetid("own", 1))
    assert [node.op_type for node in flow(model).nodes] == ["Add", "Identity"]


def test_parameters_that_old_files_list_as_inputs() -> None:
    model = traced(nn.Conv2d(1, 1, 3), 8, torch.zeros(1, 1, 5, 5))
    assert len(model.graph.input) > 1
    found = evaluate_flow(flow(model), runtime_engine(), {"input": PICTURE}, ["output"])
    within = graph_bound(model, PICTURE)
    np.testing.assert_allclose(found["output"], run(model, PICTURE), rtol=0, atol=within)


def test_two_inputs_are_refused() -> None:
    model = network()
    model.graph.input.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [1]))
    with pytest.raises(NetworkError, match="2 inputs"):
        flow(model)
