"""The devices that a network can run on, and how to install them."""

from collections.abc import Mapping
from dataclasses import dataclass
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
