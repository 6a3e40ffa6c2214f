from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from networks import classifier, sub_pixel_network
from rounding import dot_bound, graph_bound
from subpixel.errors import NetworkError, ProviderError, UsageError
from subpixel.runtime import session
from subpixel.runtime.devices import DEVICES
from subpixel.runtime.opening import available_devices, open_session
from subpixel.runtime.session import BROKEN_VERSIONS, Session

CODES = dot_bound(3, 255)
"""Code values divided by 255, and times 255."""


def test_a_session_computes_what_onnx_reference_evaluator_computes() -> None:
    model = sub_pixel_network(channels=3, scale=3)
    pixels = np.random.default_rng(0).random((2, 3, 9, 7), dtype=np.float32)
    before = pixels.copy()
    (expected,) = ReferenceEvaluator(model).run(None, {"x": pixels})
    result = Session(model.SerializeToString())(pixels)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=graph_bound(model, pixels))
    assert np.array_equal(pixels, before)


def test_a_session_says_where_it_runs_and_what_it_takes(tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    model = sub_pixel_network(size=(224, 224))
    onnx.helper.set_model_props(model, {"author": "a stranger"})
    onnx.save(model, file)
    session = Session(file, device="cpu", threads=1)
    assert session.provider == "CPUExecutionProvider"
    assert session.input_shape == ("batch", 1, 224, 224)
    assert session.metadata == {"author": "a stranger"}


def test_float16_networks_take_and_give_float32() -> None:
    model = sub_pixel_network()
    for value in model.graph.input:
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    for value in model.graph.output:
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0]).astype(np.float16)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w"))
    assert (
        Session(model.SerializeToString())(np.zeros((1, 1, 4, 4), np.float32)).dtype == np.float32
    )


@pytest.mark.parametrize("device", sorted(set(DEVICES) - set(available_devices())))
def test_a_provider_that_is_not_there_is_an_error_that_says_how_to_get_it(device: str) -> None:
    with pytest.raises(ProviderError, match=r"it needs |install "):
        open_session(sub_pixel_network().SerializeToString(), device=device)


def test_unknown_devices_and_thread_counts_are_usage_errors() -> None:
    data = sub_pixel_network().SerializeToString()
    with pytest.raises(UsageError, match="one of auto, cpu"):
        open_session(data, device="abacus")
    with pytest.raises(UsageError, match="at least 1"):
        Session(data, threads=0)


def test_auto_takes_the_processor_where_there_is_nothing_else() -> None:
    if "cuda" in available_devices():
        pytest.skip("this ONNX Runtime has CUDA")
    assert open_session(sub_pixel_network().SerializeToString(), device="auto").device == "cpu"


@pytest.mark.parametrize("cut", [0, 10, 100])
def test_a_damaged_file_is_a_network_error(cut: int) -> None:
    with pytest.raises(NetworkError, match="can't load"):
        Session(sub_pixel_network().SerializeToString()[:cut])


def test_an_input_the_network_refuses_is_a_network_error() -> None:
    session = Session(sub_pixel_network().SerializeToString())
    with pytest.raises(NetworkError, match=r"input of shape \(1, 3, 4, 4\)"):
        session(np.zeros((1, 3, 4, 4), np.float32))


def test_two_inputs_are_no_super_resolution_network() -> None:
    model = classifier()
    model.graph.input.append(
        onnx.helper.make_tensor_value_info("second", onnx.TensorProto.FLOAT, [1])
    )
    with pytest.raises(NetworkError, match="no super-resolution network"):
        Session(model.SerializeToString())


@pytest.mark.parametrize("version", BROKEN_VERSIONS)
def test_versions_of_onnx_runtime_that_compute_nan_are_refused(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session.onnxruntime, "__version__", version)
    with pytest.raises(ProviderError, match=rf"{version} can compute NaN"):
        Session(sub_pixel_network().SerializeToString())


def test_onnx_runtime_leaves_no_choice_of_arithmetic() -> None:
    with pytest.raises(ProviderError, match="cpu: ONNX Runtime computes in what the file says"):
        open_session(sub_pixel_network().SerializeToString(), arithmetic="bf16")


def eight_bits() -> onnx.ModelProto:
    """Every 8-bit pixel twice in each direction: ``(N, H, W, 3)``."""
    nodes = [
        onnx.helper.make_node("Concat", ["x", "x"], ["wide"], axis=3),
        onnx.helper.make_node("Reshape", ["wide", "rows"], ["row"]),
        onnx.helper.make_node("Concat", ["row", "row"], ["twice"], axis=2),
        onnx.helper.make_node("Shape", ["x"], ["shape"]),
        onnx.helper.make_node("Mul", ["shape", "factors"], ["larger"]),
        onnx.helper.make_node("Reshape", ["twice", "larger"], ["y"]),
    ]
    kind, free = onnx.TensorProto.UINT8, ["n", "h", "w", 3]
    values = {"rows": [0, 0, -1], "factors": [1, 2, 2, 1]}
    parameters = [
        onnx.numpy_helper.from_array(np.array(value, np.int64), name)
        for name, value in values.items()
    ]
    ends = [onnx.helper.make_tensor_value_info(name, kind, free) for name in ("x", "y")]
    graph = onnx.helper.make_graph(nodes, "twice", ends[:1], ends[1:], parameters)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])


def test_a_file_of_8_bit_pictures_is_both_kinds_of_op() -> None:
    session = Session(eight_bits().SerializeToString())
    assert session.takes_codes
    assert session.input_shape == ("n", 3, "h", "w")
    codes = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    larger = codes.repeat(2, axis=1).repeat(2, axis=2)
    assert np.array_equal(session.codes(codes), larger)
    pixels = session(codes.transpose(0, 3, 1, 2) / np.float32(255))
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels * 255, larger.transpose(0, 3, 1, 2), rtol=0, atol=CODES)


def test_pixels_are_rounded_half_up_to_8_bits() -> None:
    session = Session(eight_bits().SerializeToString())
    values = np.array([-0.5, 0.49, 0.5, 100.51, 254.6, 300], np.float32)
    pixels = np.broadcast_to(values / 255, (1, 3, 1, 6)).astype(np.float32)
    found = session(pixels)[0, 0, 0, ::2] * 255
    np.testing.assert_allclose(found, [0, 0, 1, 101, 255, 255], rtol=0, atol=CODES)


def test_8_bits_in_and_floats_out_are_no_super_resolution_network() -> None:
    model = eight_bits()
    model.graph.node.append(onnx.helper.make_node("Cast", ["y"], ["z"], to=1))
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("z", 1, ["n", "h", "w", 3]))
    with pytest.raises(NetworkError, match="of floats or of uint8"):
        Session(model.SerializeToString())
