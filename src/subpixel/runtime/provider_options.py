"""The options of ONNX Runtime's execution providers, as plain data."""

from collections.abc import Mapping
from pathlib import Path

CUDA: Mapping[str, str] = {
    # By default cuDNN benchmarks every algorithm, which takes seconds, for each new shape.
    "cudnn_conv_algo_search": "HEURISTIC",
    # TensorFloat-32 keeps 10 of float32's 23 mantissa bits.
    "use_tf32": "0",
}

TENSORRT: Mapping[str, str] = {
    "trt_engine_cache_enable": "1",
    "trt_timing_cache_enable": "1",
}

CUDA_GRAPHS: Mapping[str, Mapping[str, str]] = {
    "cuda": {"enable_cuda_graph": "1"},
    "tensorrt": {"trt_cuda_graph_enable": "1"},
}
"""The options that make a device capture the work of a shape as one CUDA graph, and replay it."""

GRAPH_MEMORY: Mapping[str, str] = {"cuda": "cuda", "tensorrt": "cuda"}
"""The memory that these graphs read and write, by ONNX Runtime's name."""


def provider_options(device: str, cache: Path, *, captured: bool = False) -> dict[str, str]:
    """The options of the provider of ``device``, by ONNX Runtime's names for them.

    TensorRT takes minutes to build an engine and keeps it in ``cache``. ``captured`` enables CUDA
    graphs, on the devices of :data:`CUDA_GRAPHS`.
    """
    graphs = CUDA_GRAPHS[device] if captured else {}
    if device == "cuda":
        return {**CUDA, **graphs}
    if device == "tensorrt":
        folder = str(cache / "tensorrt")
        return {
            **TENSORRT,
            "trt_engine_cache_path": folder,
            "trt_timing_cache_path": folder,
            **graphs,
        }
    return {}
