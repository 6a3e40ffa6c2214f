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


@pytest.mark.parametrize("device", sorted(set(DEVICES) - set(CUDA_GRAPHS)))
def test_other_devices_are_told_nothing(device: str) -> None:
    assert provider_options(device, CACHE) == {}


@pytest.mark.parametrize("device", DEVICES)
def test_options_are_text(device: str) -> None:
    """ONNX Runtime takes nothing else."""
    options = provider_options(device, CACHE)
    assert all(isinstance(part, str) for item in options.items() for part in item)
