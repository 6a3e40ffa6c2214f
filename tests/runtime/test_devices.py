import json
from pathlib import Path

import pytest

from subpixel.runtime.devices import CUDA_GRAPHS, DEVICES, provider_options

CACHE = Path("cache")


def test_cuda_neither_searches_for_seconds_nor_rounds() -> None:
    options = provider_options("cuda", CACHE)
    assert options == {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
    assert provider_options("cuda", CACHE, captured=True) == {**options, "enable_cuda_graph": "1"}


def test_tensorrt_keeps_its_engines() -> None:
    options = provider_options("tensorrt", CACHE, captured=True)
    assert options["trt_engine_cache_enable"] == options["trt_cuda_graph_enable"] == "1"
    assert Path(options["trt_engine_cache_path"]) == CACHE / "tensorrt"
    assert Path(options["trt_timing_cache_path"]) == CACHE / "tensorrt"


def test_openvinos_plug_in_is_told_to_compute_in_float32() -> None:
    """By default it computes in bfloat16 where the processor does."""
    told = json.loads(provider_options("openvino-plugin", CACHE)["load_config"])
    assert {kind: hints["INFERENCE_PRECISION_HINT"] for kind, hints in told.items()} == {
        "CPU": "f32",
        "GPU": "f32",
    }


def test_an_npu_is_told_to_keep_float32_and_an_rtx_gpu_where_its_engines_lie() -> None:
    assert provider_options("qnn", CACHE)["enable_htp_fp16_precision"] == "0"
    folder = provider_options("tensorrt-rtx", CACHE)["nv_runtime_cache_path"]
    assert Path(folder) == CACHE / "tensorrt-rtx"


TOLD = {*CUDA_GRAPHS, "openvino-plugin", "tensorrt-rtx", "qnn"}


@pytest.mark.parametrize("device", sorted(set(DEVICES) - TOLD))
def test_other_devices_are_told_nothing(device: str) -> None:
    assert provider_options(device, CACHE) == {}


@pytest.mark.parametrize("device", DEVICES)
def test_options_are_text(device: str) -> None:
    """ONNX Runtime takes nothing else."""
    options = provider_options(device, CACHE)
    assert all(isinstance(part, str) for item in options.items() for part in item)
