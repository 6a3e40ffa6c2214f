import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from networks import classifier, sub_pixel_network
from subpixel.graph.geometry.footprint import count_bytes_per_pixel, measure_bytes_per_pixel
from subpixel.zoo.manifest import find_bundled


def test_a_chain_holds_two_neighbours() -> None:
    """3 planes, then 12, then 3 at twice the side: the last two are the most."""
    assert count_bytes_per_pixel(sub_pixel_network(channels=3, scale=2)) == 4 * (12 + 3 * 2 * 2)


def test_a_skip_connection_keeps_its_start() -> None:
    weights = numpy_helper.from_array(np.zeros((8, 3, 1, 1), np.float32), "w")
    back = numpy_helper.from_array(np.zeros((3, 8, 1, 1), np.float32), "v")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["wide"]),
            helper.make_node("Relu", ["wide"], ["bent"]),
            helper.make_node("Conv", ["bent", "v"], ["thin"]),
            helper.make_node("Add", ["thin", "x"], ["y"]),
        ],
        "skip",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w_"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weights, back],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    assert count_bytes_per_pixel(model) == 4 * (3 + 8 + 8)


def test_what_cannot_be_followed_is_not_guessed() -> None:
    assert count_bytes_per_pixel(classifier()) is None


def test_what_is_counted_is_what_is_seen() -> None:
    """Nearly: ONNX Runtime lays channels out in blocks, which takes tensors of its own."""
    model = onnx.load(find_bundled("fast", 3).path)
    counted, seen = count_bytes_per_pixel(model), measure_bytes_per_pixel(model)
    assert counted is not None
    assert seen is not None
    assert 0.7 * counted < seen < 1.5 * counted


def test_integers_take_less_than_floats() -> None:
    exact, rounded = (onnx.load(find_bundled(name, 3).path) for name in ("fast", "fast-int8"))
    assert count_bytes_per_pixel(rounded) is None
    counted, seen = count_bytes_per_pixel(exact), measure_bytes_per_pixel(rounded)
    assert counted is not None
    assert seen is not None
    assert 27 < seen < counted
