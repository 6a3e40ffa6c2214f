"""bfloat16 against PyTorch's own, run by ONNX's reference evaluator: our CPU has no kernels."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from graphs import Graph, traced
from subpixel.errors import NetworkError
from subpixel.graph.geometry.receptive import halo
from subpixel.graph.metadata import read_spec, with_spec
from subpixel.graph.passes.bfloat16 import to_bf16
from subpixel.graph.passes.wrap import rgb_from_luma
from subpixel.nets.architectures.plain import PlainNet
from subpixel.spec import ModelSpec


def evaluated(model: onnx.ModelProto, pixels: np.ndarray) -> np.ndarray:
    (result,) = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: pixels})
    return np.asarray(result)


@pytest.mark.parametrize("opset", [9, 11, 18])
def test_as_near_to_float32_as_pytorchs_bfloat16(opset: int) -> None:
    torch.manual_seed(0)
    net = PlainNet(2, channels=4, depth=2).eval()
    narrow = to_bf16(traced(net, opset, torch.rand(1, 1, 8, 9)))
    onnx.checker.check_model(narrow, full_check=True)
    kinds = {t.data_type for t in narrow.graph.initializer}
    assert TensorProto.BFLOAT16 in kinds
    assert TensorProto.FLOAT not in kinds
    pixels = np.random.default_rng(0).random((2, 1, 10, 7), np.float32)
    with torch.inference_mode():
        exact = net(torch.from_numpy(pixels)).numpy()
        theirs = net.bfloat16()(torch.from_numpy(pixels).bfloat16()).float().numpy()
    ours = evaluated(narrow, pixels)
    assert ours.dtype == np.float32
    assert ours.shape == exact.shape
    assert 0 < np.abs(ours - exact).max() < 2 * np.abs(theirs - exact).max() + 1 / 255


def test_a_wrapped_network_keeps_its_halo_and_its_facts() -> None:
    torch.manual_seed(0)
    luma = traced(PlainNet(2, channels=4, depth=1), 18, torch.rand(1, 1, 8, 9))
    model = with_spec(rgb_from_luma(luma, 2), ModelSpec("test", 2, "luma", "rgb"))
    before = model.SerializeToString()
    narrow = to_bf16(model)
    assert model.SerializeToString() == before
    assert read_spec(narrow) == ModelSpec("test", 2, "luma", "rgb", precision="bf16")
    assert halo(narrow) == halo(model)
    assert [e.type.tensor_type.elem_type for e in (*narrow.graph.input, *narrow.graph.output)] == [
        TensorProto.FLOAT,
        TensorProto.FLOAT,
    ]


def test_weights_are_rounded_as_pytorch_rounds_them() -> None:
    random = np.random.default_rng(0)
    weights = (random.normal(size=4096) * 10.0 ** random.integers(-30, 30, 4096)).astype(np.float32)
    graph = Graph()
    model = graph.model(graph.node("Mul", "input", graph.constant(weights, np.float32)))
    (rounded,) = to_bf16(model).graph.initializer
    expected = torch.from_numpy(weights).bfloat16()
    bits = np.frombuffer(rounded.raw_data, "<u2")
    assert np.array_equal(bits, expected.view(torch.uint16).numpy())


def test_what_onnx_wants_in_float32_stays() -> None:
    graph = Graph()
    scales = graph.constant([1, 1, 2, 2], np.float32)
    large = graph.node("Resize", graph.conv("input", 1, pads=[1] * 4), "", scales)
    narrow = to_bf16(graph.model(large))
    kinds = {t.name: t.data_type for t in narrow.graph.initializer}
    assert kinds[scales] == TensorProto.FLOAT
    assert evaluated(narrow, np.ones((1, 1, 4, 4), np.float32)).shape == (1, 1, 8, 8)


def test_constants_and_casts_inside_the_graph() -> None:
    graph = Graph()
    half = graph.node("Constant", value=numpy_helper.from_array(np.float32(0.5)))
    whole = graph.node("Cast", graph.node("Mul", "input", half), to=TensorProto.INT32)
    back = graph.node("Cast", whole, to=TensorProto.FLOAT)
    narrow = to_bf16(
        graph.model(graph.node("Concat", back, "input", half_row(graph), axis=1), into=3)
    )
    pixels = np.full((1, 1, 1, 1), 5.0, np.float32)
    assert evaluated(narrow, pixels).ravel().tolist() == [2.0, 5.0, 0.5]


def half_row(graph: Graph) -> str:
    return graph.constant(np.full((1, 1, 1, 1), 0.5), np.float32)


def test_branches_are_refused() -> None:
    graph = Graph()
    body = helper.make_graph(
        [helper.make_node("Identity", ["input"], ["inner"])],
        "body",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )
    choice = graph.node("If", graph.constant(True, bool), then_branch=body, else_branch=body)
    with pytest.raises(NetworkError, match="branches or loops"):
        to_bf16(graph.model(choice))


def test_onnx_runtimes_cpu_provider_still_has_no_kernels() -> None:
    """Fails when it has: then bf16 is a cell like any other, and the docstrings must say so."""
    graph = Graph()
    narrow = to_bf16(graph.model(graph.conv("input", 1, pads=[1] * 4)))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    with pytest.raises(Exception, match="NOT_IMPLEMENTED"):
        onnxruntime.InferenceSession(
            narrow.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
