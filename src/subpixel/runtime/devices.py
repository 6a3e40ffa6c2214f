"""The devices that a network can run on: how to install them, and their providers' options."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from subpixel.errors import UsageError

Runtime = Literal["onnxruntime", "openvino"]
"""The library that runs the network, by its import name."""

Arithmetic = Literal["fp32", "bf16", "fp16"]
"""The floating-point type of the computation, where a runtime offers a choice."""


HardwareKind = Literal["CPU", "GPU", "NPU"]
"""By ONNX Runtime's names."""


@dataclass(frozen=True)
class PluginPackage:
    """A package that brings an execution provider beside any ONNX Runtime, as a library."""

    module: str
    """By its import name; its ``get_library_path`` says where the library is."""
    hardware: tuple[HardwareKind, ...]
    """What the device may be, the preferred kind first."""


@dataclass(frozen=True)
class Device:
    """A kind of hardware, its runtime's name for it, and how to install that."""

    provider: str
    """ONNX Runtime's execution provider, or OpenVINO itself."""
    install: str
    runtime: Runtime = "onnxruntime"
    plugin: PluginPackage | None = None
    """Where the provider may come from, beside ONNX Runtime itself."""
    takes_integers: bool = True
    """Whether it runs networks of 8-bit integers; else their float32 forms run in their place,
    because its integers aren't the processor's."""


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
        "a GPU with its driver for Vulkan, Direct3D 12 or Metal, then: "
        "pip install onnxruntime-ep-webgpu",
        plugin=PluginPackage("onnxruntime_ep_webgpu", ("GPU", "CPU")),
        takes_integers=False,
    ),
    "openvino-plugin": Device(
        "OpenVINOExecutionProvider",
        "an Intel GPU or processor, then: pip install onnxruntime-ep-openvino",
        plugin=PluginPackage("onnxruntime_ep_openvino", ("GPU", "CPU")),
        takes_integers=False,
    ),
    "tensorrt-rtx": Device(
        "NvTensorRTRTXExecutionProvider",
        "an NVIDIA RTX GPU with its driver, then: pip install onnxruntime-ep-nv-tensorrt-rtx",
        plugin=PluginPackage("onnxruntime_ep_nv_tensorrt_rtx", ("GPU",)),
        takes_integers=False,
    ),
    "qnn": Device(
        "QNNExecutionProvider",
        "a Qualcomm NPU with its driver, then: pip install onnxruntime-qnn",
        plugin=PluginPackage("onnxruntime_qnn", ("NPU",)),
        takes_integers=False,
    ),
}

AUTOMATIC = ("cuda", "cpu")
"""What ``auto`` tries, in this order."""

RACING = ("webgpu",)
"""What ``auto`` takes in place of the processor where both were run and this is the faster
(:mod:`subpixel.upscaling.choice.device_race`). All other devices must be named."""


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

OPENVINO_PLUGIN: Mapping[str, str] = {
    # By default it computes in bfloat16 or float16 where the hardware does.
    "load_config": json.dumps(
        {kind: {"INFERENCE_PRECISION_HINT": "f32"} for kind in ("CPU", "GPU")}
    ),
}

QNN: Mapping[str, str] = {"backend_type": "htp", "enable_htp_fp16_precision": "0"}

CUDA_GRAPHS: Mapping[str, Mapping[str, str]] = {
    "cuda": {"enable_cuda_graph": "1"},
    "tensorrt": {"trt_cuda_graph_enable": "1"},
}
"""The options that make a device capture the work of a shape as one CUDA graph, and replay it."""

GRAPH_MEMORY: Mapping[str, str] = {"cuda": "cuda", "tensorrt": "cuda"}
"""The memory that these graphs read and write, by ONNX Runtime's name."""


def provider_options(device: str, cache: Path, *, captured: bool = False) -> dict[str, str]:
    """The options of the provider of ``device``, by ONNX Runtime's names for them.

    TensorRT takes minutes to build an engine and keeps it in ``cache``, as TensorRT for RTX does.
    ``captured`` enables CUDA graphs, on the devices of :data:`CUDA_GRAPHS`.
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
    if device == "tensorrt-rtx":
        return {"nv_runtime_cache_path": str(cache / "tensorrt-rtx")}
    return dict({"openvino-plugin": OPENVINO_PLUGIN, "qnn": QNN}.get(device, {}))
