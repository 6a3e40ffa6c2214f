"""Execution providers of packages of their own, in processes of their own: what is registered stays
so until a process ends."""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest

from networks import sub_pixel_network
from rounding import graph_bound
from software_gpu import make_gpu_environment
from subpixel.errors import ProviderError
from subpixel.runtime import plugins
from subpixel.runtime.devices import DEVICES, Device, PluginPackage
from subpixel.runtime.opening import available_devices, find_obstacle, open_session
from subpixel.zoo.manifest import find_bundled

SIZES = ((1, 3, 12, 17), (2, 3, 9, 8), (1, 3, 12, 17))

COMPARE = """
import json, sys
import numpy as np
from subpixel.errors import SubpixelError
from subpixel.runtime.opening import available_devices, name_hardware, open_session

device, network, folder = sys.argv[1:4]
answer = {}
try:
    for number in range(2):  # the library is registered once, and used again
        session = open_session(open(network, "rb").read(), device=device)
    answer = {
        "provider": session.provider,
        "device": session.device,
        "hardware": name_hardware(device),
        "available": available_devices(),
    }
    for number in range(int(sys.argv[4])):
        pixels = np.load(f"{folder}/{number}.npy")
        np.save(f"{folder}/{number}-larger.npy", session(pixels))
except SubpixelError as error:
    answer["error"] = f"{type(error).__name__}: {error}"
print(json.dumps(answer))
"""


def run_apart(
    device: str, network: Path, folder: Path, environment: Mapping[str, str]
) -> dict[str, object]:
    """What `COMPARE` says of ``network`` on the pictures of ``folder``."""
    pictures = len(list(folder.glob("?.npy")))
    command = [sys.executable, "-c", COMPARE, device, network, folder, pictures]
    done = subprocess.run(
        [str(word) for word in command],
        env={**environment, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def save_pictures(folder: Path) -> list[np.ndarray]:
    pictures = [
        np.random.default_rng(number).random(size, dtype=np.float32)
        for number, size in enumerate(SIZES)
    ]
    for number, pixels in enumerate(pictures):
        np.save(folder / f"{number}.npy", pixels)
    return pictures


def expect_same_pixels(network: Path, pictures: list[np.ndarray], folder: Path) -> None:
    model, on_processor = onnx.load(network), open_session(network, device="cpu")
    for number, pixels in enumerate(pictures):
        larger = np.load(folder / f"{number}-larger.npy")
        bound = 2 * graph_bound(model, pixels)  # either may round as it likes
        np.testing.assert_allclose(larger, on_processor(pixels), rtol=0, atol=bound)


def save_small_network(folder: Path) -> Path:
    onnx.save(sub_pixel_network(channels=3, scale=2), folder / "net.onnx")
    return folder / "net.onnx"


@pytest.mark.slow
@pytest.mark.parametrize("bundled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_webgpu_runs_float32_at_any_size_on_its_own_provider(bundled: bool, tmp_path: Path) -> None:
    environment = make_gpu_environment()
    network = find_bundled("espcn", 2).path if bundled else save_small_network(tmp_path)
    pictures = save_pictures(tmp_path)
    said = run_apart("webgpu", network, tmp_path, environment)
    assert said["provider"] == "WebGpuExecutionProvider", said
    assert said["device"] == "webgpu"
    assert str(said["hardware"]).startswith("CPU")
    assert "webgpu" in list(said["available"])  # type: ignore[call-overload]
    expect_same_pixels(network, pictures, tmp_path)


def in_double_precision(file: Path) -> Path:
    """A convolution's like in float64, which no WebGPU has."""
    nodes = [
        onnx.helper.make_node("Cast", ["x"], ["wide"], to=onnx.TensorProto.DOUBLE),
        onnx.helper.make_node("MatMul", ["wide", "w"], ["product"]),
        onnx.helper.make_node("Cast", ["product"], ["y"], to=onnx.TensorProto.FLOAT),
    ]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 8, 8])
        for name in ("x", "y")
    ]
    weights = onnx.numpy_helper.from_array(np.eye(8), "w")
    graph = onnx.helper.make_graph(nodes, "double", ends[:1], ends[1:], [weights])
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), file)
    return file


def test_what_would_run_on_the_processor_without_a_word_is_an_error(tmp_path: Path) -> None:
    environment = make_gpu_environment()
    said = run_apart("webgpu", in_double_precision(tmp_path / "net.onnx"), tmp_path, environment)
    assert "ProviderError" in str(said["error"])
    assert "does not take the operators MatMul" in str(said["error"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"VK_ICD_FILENAMES": "/nowhere"}, "did not start"),
        ({"ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER": "0"}, "finds no GPU or CPU"),
    ],
)
def test_without_a_gpu_webgpu_is_an_error_that_says_so(
    change: dict[str, str], reason: str, tmp_path: Path
) -> None:
    environment = make_gpu_environment() | change
    said = run_apart("webgpu", find_bundled("espcn", 2).path, tmp_path, environment)
    assert "ProviderError: webgpu: " in str(said["error"])
    assert reason in str(said["error"])
    assert DEVICES["webgpu"].install in str(said["error"])


@pytest.mark.slow
def test_openvinos_plug_in_computes_in_float32(tmp_path: Path) -> None:
    """It would compute in bfloat16 where the processor does: 0.01 off, and more."""
    if find_spec("onnxruntime_ep_openvino") is None:
        pytest.skip("needs onnxruntime-ep-openvino")
    network, pictures = find_bundled("espcn", 2).path, save_pictures(tmp_path)
    said = run_apart("openvino-plugin", network, tmp_path, {})
    assert said["provider"] == "OpenVINOExecutionProvider", said
    expect_same_pixels(network, pictures, tmp_path)


def put_plugin(monkeypatch: pytest.MonkeyPatch, module: object) -> None:
    package = PluginPackage("a_plugin", ("GPU",))
    device = Device("AProvider", "what it needs", plugin=package)
    monkeypatch.setitem(DEVICES, "webgpu", device)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "a_plugin", module)  # type: ignore[arg-type]


def test_a_library_that_cannot_be_loaded_is_an_error_that_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = str(tmp_path / "gone.so")
    spec = SimpleNamespace(name="a_plugin")
    put_plugin(monkeypatch, SimpleNamespace(get_library_path=lambda: library, __spec__=spec))
    with pytest.raises(ProviderError, match=r"a_plugin can't be used.*what it needs"):
        open_session(b"", device="webgpu")
    assert "can't be used" in str(find_obstacle("webgpu"))
    assert "webgpu" not in available_devices()


def test_the_preferred_kind_of_hardware_is_taken_and_a_card_before_a_built_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hardware(provider: str, kind: str, number: int, **facts: str) -> SimpleNamespace:
        device = SimpleNamespace(type=SimpleNamespace(name=kind), metadata=facts, vendor="Maker")
        return SimpleNamespace(ep_name=provider, device=device, number=number, ep_metadata={})

    spec = SimpleNamespace(name="a_plugin")
    put_plugin(monkeypatch, SimpleNamespace(__spec__=spec))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["AProvider"])
    there = [
        hardware("CPUExecutionProvider", "GPU", 0),
        hardware("AProvider", "CPU", 1, Discrete="1"),
        hardware("AProvider", "GPU", 2),
        hardware("AProvider", "GPU", 3, Discrete="1"),
    ]
    monkeypatch.setattr(onnxruntime, "get_ep_devices", lambda: there)
    assert plugins.find_hardware("webgpu").number == 3
    assert plugins.describe_hardware(plugins.find_hardware("webgpu")) == "GPU, Maker"
    there[2:] = []
    with pytest.raises(ProviderError, match=r"finds no GPU.*what it needs"):
        plugins.find_hardware("webgpu")
