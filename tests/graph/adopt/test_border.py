"""A border that is put back: exact on nearest neighbour, whatever is left out."""

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from disguises import run
from subpixel.graph.adopt.border import Border, with_border

FAR = 2**31


def leaving_out(scale: int, top: int, left: int, bottom: int, right: int) -> onnx.ModelProto:
    """Nearest neighbour, of whose result these rows and columns are cut off."""
    constants = {
        "scales": np.float32([1, 1, scale, scale]),
        "starts": np.array([top, left]),
        "ends": np.array([-bottom or FAR, -right or FAR]),
        "axes": np.array([2, 3]),
    }
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("Slice", ["large", "starts", "ends", "axes"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "nearest",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, None, None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@settings(max_examples=40)
@given(
    st.integers(1, 4),
    st.tuples(*[st.integers(0, 9)] * 4),
    st.sampled_from([1, 2, 4]),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_the_result_is_whole_and_in_its_place(
    scale: int, cut: tuple[int, int, int, int], multiple: int, times: tuple[int, int]
) -> None:
    top, left, bottom, right = cut
    border = Border(top, left, top + bottom, left + right)
    model = with_border(leaving_out(scale, *cut), scale, border, multiple)
    onnx.checker.check_model(model, full_check=True)
    height, width = (4 * multiple * n for n in times)
    picture = np.random.default_rng(0).random((2, 1, height, width), np.float32)
    expected = picture.repeat(scale, axis=2).repeat(scale, axis=3)
    assert (run(model, picture) == expected).all()
