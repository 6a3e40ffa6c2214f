"""OpenVINO beside ONNX Runtime: the same network, the same pixels."""

import importlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from PIL import Image

from networks import classifier, sub_pixel_network
from rounding import dot_bound, graph_bound
from subpixel.errors import NetworkError, ProviderError, UsageError
from subpixel.graph.passes.float16 import to_fp16
from subpixel.imaging.metrics import psnr
from subpixel.network.opening import open_network
from subpixel.network.settings import RunSettings
from subpixel.runtime import openvino
from subpixel.runtime.openvino import TELEMETRY, OpenVinoSession, is_installed
from subpixel.runtime.session import Session
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

needs_openvino = pytest.mark.skipif(
    not is_installed(), reason="needs OpenVINO: pip install '.[openvino]'"
)


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@needs_openvino
def test_openvino_computes_what_onnx_reference_evaluator_computes() -> None:
    model, pixels = sub_pixel_network(channels=3, scale=3), _noise(2, 3, 9, 7)
    before = pixels.copy()
    (expected,) = ReferenceEvaluator(model).run(None, {"x": pixels})
    result = OpenVinoSession(model.SerializeToString())(pixels)
    assert result.dtype == np.float32
    within = graph_bound(model, pixels)  # bfloat16 would be off by 8e-3
    np.testing.assert_allclose(result, expected, rtol=0, atol=within)
    assert np.array_equal(pixels, before)


@needs_openvino
def test_it_says_where_it_runs_and_what_it_takes(tmp_path: Path) -> None:
    model, file = sub_pixel_network(size=(224, 224)), tmp_path / "netz ü.onnx"
    onnx.helper.set_model_props(model, {"author": "a stranger", "subpixel.x": '"ß"'})
    onnx.save(model, file)
    session = OpenVinoSession(file, threads=1)
    assert (session.device, session.provider) == ("openvino", "OpenVINO")
    assert session.input_shape == (None, 1, 224, 224)
    assert session.metadata == Session(file).metadata


@needs_openvino
def test_runs_side_by_side_do_not_mix_their_pictures() -> None:
    session = OpenVinoSession(sub_pixel_network(3, 2).SerializeToString(), threads=1, runs=2)
    pictures = [_noise(1, 3, 20 + i % 3, 30) * np.float32(i / 16) for i in range(16)]
    expected = [session(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(session, pictures))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@needs_openvino
def test_float16_networks_take_and_give_float32() -> None:
    session = OpenVinoSession(to_fp16(sub_pixel_network(3)).SerializeToString())
    pixels = _noise(1, 3, 4, 4)
    exact = Session(sub_pixel_network(3).SerializeToString())(pixels)
    assert session(pixels).dtype == np.float32
    np.testing.assert_allclose(session(pixels), exact, atol=2e-3)


@needs_openvino
@pytest.mark.parametrize("cut", [0, 10, 100])
def test_a_damaged_file_is_a_network_error(
    cut: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cut.onnx"
    file.write_bytes(sub_pixel_network().SerializeToString()[:cut])
    for model in (file, file.read_bytes()):
        with pytest.raises(NetworkError):
            OpenVinoSession(model)
    assert capfd.readouterr().err == "", "OpenVINO's own readers would complain here"


@needs_openvino
def test_an_input_the_network_refuses_is_a_network_error() -> None:
    session = OpenVinoSession(sub_pixel_network().SerializeToString())
    with pytest.raises(NetworkError, match=r"input of shape \(1, 3, 4, 4\): (?!Exception from)"):
        session(np.zeros((1, 3, 4, 4), np.float32))


@needs_openvino
def test_two_inputs_are_no_super_resolution_network() -> None:
    model = classifier()
    second = onnx.helper.make_tensor_value_info("second", onnx.TensorProto.FLOAT, [1])
    model.graph.input.append(second)
    model.graph.node.append(onnx.helper.make_node("Mul", ["y", "second"], ["z"]))
    model.graph.output[0].name = "z"
    with pytest.raises(NetworkError, match="no super-resolution network"):
        OpenVinoSession(model.SerializeToString())


def _nearest_neighbour_of_codes() -> onnx.ModelProto:
    """``(N, H, W, 3)`` uint8 → twice as high and wide."""
    kind, free = onnx.TensorProto.UINT8, ["n", "h", "w", 3]
    ends = [onnx.helper.make_tensor_value_info(name, kind, free) for name in ("x", "y")]
    scales = onnx.numpy_helper.from_array(np.array([1, 2, 2, 1], np.float32), "scales")
    way = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    node = onnx.helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest", **way)
    graph = onnx.helper.make_graph([node], "codes", ends[:1], ends[1:], [scales])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])


@needs_openvino
def test_a_file_of_8_bit_pictures_is_both_kinds_of_op() -> None:
    session = OpenVinoSession(_nearest_neighbour_of_codes().SerializeToString())
    assert session.takes_codes
    assert session.input_shape == (None, 3, None, None)
    codes = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    larger = codes.repeat(2, axis=1).repeat(2, axis=2)
    assert np.array_equal(session.codes(codes), larger)
    pixels = session(codes.transpose(0, 3, 1, 2) / np.float32(255))
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(
        pixels * 255, larger.transpose(0, 3, 1, 2), rtol=0, atol=dot_bound(3, 255)
    )


@needs_openvino
def test_thread_counts_are_checked() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        OpenVinoSession(b"", threads=0)


@needs_openvino
@pytest.mark.parametrize("arithmetic", ["bf16", "fp16"])
def test_arithmetic_is_as_asked_for_or_refused(arithmetic: openvino.Arithmetic) -> None:
    """Where the processor lacks it OpenVINO computes in float32, without a word."""
    data, pixels = sub_pixel_network(3, 2).SerializeToString(), _noise(1, 3, 16, 16)
    library = importlib.import_module("openvino")
    able = library.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if arithmetic.upper() not in able:
        with pytest.raises(ProviderError, match=f"no {arithmetic}"):
            OpenVinoSession(data, arithmetic=arithmetic)
        return
    result = OpenVinoSession(data, arithmetic=arithmetic)(pixels)
    assert 1e-5 < np.abs(result - OpenVinoSession(data)(pixels)).max() < 0.05


@needs_openvino
@pytest.mark.parametrize(("name", "least"), [("fast", 80), ("fast-int8", 45)])
def test_tiles_on_openvino_are_the_picture_of_onnx_runtime(name: str, least: float) -> None:
    """In int8 a rounding here or there differs, and what follows from it."""
    picture = (_noise(80, 100, 3) * 255).astype(np.uint8)
    there = Upscaler(name, scale=2, device="openvino", tile=48, threads=2)(picture)
    here = Upscaler(name, scale=2, device="cpu", tile=48, threads=2)(picture)
    assert psnr(there, here) >= least


@needs_openvino
def test_a_network_opens_on_openvino_with_its_facts() -> None:
    network = open_network("fast", RunSettings("openvino", threads=3), scale=2)
    assert (network.provider, network.workers) == ("OpenVINO", 3)
    assert network.spec == open_network("fast", RunSettings("cpu"), scale=2).spec


@needs_openvino
def test_importing_openvino_reports_to_nobody(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from subpixel.runtime.openvino import OpenVinoSession\n"
        f"OpenVinoSession(Path({str(find_bundled('fast', 2).path)!r}))\n"
        f"assert {TELEMETRY!r} not in sys.modules\n"
        "import openvino; assert openvino.convert_model"
    )
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **home, "CI": ""})
    assert not list(tmp_path.iterdir())


@needs_openvino
def test_the_first_run_may_be_in_several_threads_at_once() -> None:
    """OpenVINO's bindings deadlock there by themselves, three times in ten on two cores."""
    code = (
        "import sys, threading; import numpy as np; from pathlib import Path\n"
        "from subpixel.runtime.openvino import OpenVinoSession\n"
        f"file = {str(find_bundled('fast', 2).path)!r}\n"
        "session = OpenVinoSession(Path(file), threads=1, runs=4)\n"
        "barrier, pixels = threading.Barrier(4), np.zeros((1, 3, 16, 16), np.float32)\n"
        "sys.setswitchinterval(1e-6)\n"
        "run = lambda: (barrier.wait(), session(pixels))\n"
        "threads = [threading.Thread(target=run, daemon=True) for _ in range(4)]\n"
        "[thread.start() for thread in threads]; [thread.join(60) for thread in threads]\n"
        "assert not any(thread.is_alive() for thread in threads)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


WITHOUT = "import sys; sys.modules['openvino'] = None\n"
"""Python's own way to say that a module can't be imported."""


def test_where_openvino_is_missing_the_device_is_an_error_that_says_what_to_install(
    tmp_path: Path,
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    verb = ["upscale", str(tmp_path / "a.png"), "--device", "openvino"]
    code = f"from subpixel.cli.main import run; sys.exit(run({verb!r}))"
    done = subprocess.run([sys.executable, "-c", WITHOUT + code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install '.[openvino]'" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("there", [False, pytest.param(True, marks=needs_openvino)])
def test_doctor_says_whether_openvino_is_there(there: bool) -> None:
    code = "from subpixel.cli.main import run; run(['doctor', '--json'])"
    done = subprocess.run(
        [sys.executable, "-c", code if there else WITHOUT + code],
        capture_output=True,
        text=True,
        check=True,
    )
    states = {state["device"]: state for state in json.loads(done.stdout)["devices"]}
    assert states["openvino"]["works"] is there
    assert there or "pip install openvino" in states["openvino"]["detail"]
