"""The devices that a network can run on: how to install them, and their providers' options."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from subpixel.errors import UsageError

Runtime = Literal["onnxruntime", "openvino"]
"""The library that runs the network, by its import name."""

Arithmetic = Literal["fp32", "bf16", "fp16"]
"""The floating-point type of the computation, where a runtime offers a choice."""


@dataclass(frozen=True)
class Device:
    """A kind of hardware, its runtime's name for it, and how to install that."""

    provider: str
    """ONNX Runtime's execution provider, or OpenVINO itself."""
    install: str
    runtime: Runtime = "onnxruntime"


DEVICES: Mapping[str, Device] = {
    "cpu": Device("CPUExecutionProvider", "pip install onnxruntime"),
    "cuda": Device(
        "CUDAExecutionProvider",
        "an NVIDIA GPU with its driver, then: pip uninstall onnxruntime && "
        "pip install 'onnxruntime-gpu[cuda,cudnn]'",
    ),
    "tensorrt": Device(
        "TensorrtExecutionProvider",
        "NVIDIA's TensorRT, then: pip uninstall onnxruntime && pip install onnxruntime-gpu",
    ),
    "openvino": Device("OpenVINO", "pip install openvino", "openvino"),
    "directml": Device(
        "DmlExecutionProvider",
        "Windows with DirectX 12: pip uninstall onnxruntime && pip install onnxruntime-directml",
    ),
    "coreml": Device("CoreMLExecutionProvider", "macOS: pip install onnxruntime"),
    "webgpu": Device(
        "WebGpuExecutionProvider",
        "pip uninstall onnxruntime && pip install onnxruntime-webgpu",
    ),
}

AUTOMATIC = ("cuda", "cpu")
"""What ``auto`` tries, in this order. The other devices must be named."""


def find_device(device: str) -> Device:
    """The device of that name; :class:`UsageError` says which there are."""
    if device not in DEVICES:
        raise UsageError(f"device is {device!r}; it is one of auto, {', '.join(DEVICES)}")
    return DEVICES[device]


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
