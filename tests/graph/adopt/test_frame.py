"""Nodes around a network: what reads the picture reads them, in branches too."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from disguises import run
from rounding import gamma
from subpixel.convention import BYTE_RANGE
from subpixel.graph.adopt.value_range import with_unit_range


def branching() -> onnx.ModelProto:
    """The picture and as much again: the second from inside a branch."""
    branch = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )
    graph = helper.make_graph(
        [
            helper.make_node("If", ["yes"], ["again"], then_branch=branch, else_branch=branch),
            helper.make_node("Add", ["x", "again"], ["y"]),
        ],
        "branching",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [numpy_helper.from_array(np.array(True), "yes")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_branches_read_what_was_put_in_front() -> None:
    model = branching()
    before = model.SerializeToString()
    wrapped = with_unit_range(model, BYTE_RANGE, BYTE_RANGE)
    assert model.SerializeToString() == before
    onnx.checker.check_model(wrapped, full_check=True)
    picture = np.random.default_rng(0).random((1, 3, 4, 5), np.float32)
    np.testing.assert_allclose(
        run(wrapped, picture), 2 * picture, rtol=2 * gamma(4)
    )  # times 255, by 255, a sum


def test_a_result_that_the_network_reads_itself_stays_its_own() -> None:
    """What is put behind must not come back into the network."""
    model = branching()
    model.graph.node.append(helper.make_node("Sub", ["y", "x"], ["z"]))
    model.graph.output[0].name = "z"
    model.graph.node.append(helper.make_node("Identity", ["z"], ["unread"]))
    picture = np.random.default_rng(0).random((1, 3, 4, 5), np.float32)
    wrapped = with_unit_range(model, BYTE_RANGE, BYTE_RANGE)
    within = 2 * gamma(5) * 3  # 2 - 1 of it is left: three times as much has been rounded
    np.testing.assert_allclose(run(wrapped, picture), picture, rtol=within)
