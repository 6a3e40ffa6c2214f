"""What this machine has: versions, processors, execution providers."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass

from subpixel.errors import SubpixelError
from subpixel.runtime.devices import DEVICES
from subpixel.runtime.opening import find_obstacle, name_hardware, open_session
from subpixel.system.processes.confinement import Confinement, describe_confinement
from subpixel.system.processors import processor_name
from subpixel.system.versions import package_version
from subpixel.zoo.manifest import INT8, BundledNetwork, read_manifest, verify_bundled

PACKAGES: Mapping[str, str] = {
    "subpixel": "",
    "numpy": "pip install . in the repository",
    "onnx": "pip install . in the repository",
    "onnxruntime": "pip install . in the repository",
    "onnxruntime-gpu": "pip uninstall onnxruntime && pip install onnxruntime-gpu",
    "onnxruntime-ep-webgpu": "pip install '.[webgpu]' in the repository (--device webgpu)",
    "openvino": "pip install '.[openvino]' in the repository (--device openvino)",
    "pyvips": "pip install . in the repository",
    "pyvips-binary": "pip install . in the repository",
    "torch": "pip install '.[torch]' in the repository (export, verify, train)",
    "onnxscript": "pip install '.[torch]' in the repository (the dynamo exporter)",
    "safetensors": "pip install '.[torch]' in the repository (.safetensors checkpoints)",
    "torchmetrics": "pip install '.[perceptual]' in the repository (evaluate --perceptual)",
    "piq": "pip install '.[perceptual]' in the repository (evaluate --brisque)",
    "uvicorn": "pip install '.[serve]' in the repository (serve)",
    "pillow-heif": "pip install '.[heif]' in the repository (HEIC, the photographs of phones)",
    "pillow-jxl-plugin": "pip install '.[jxl]' in the repository (JPEG XL)",
    "rawpy": "pip install '.[raw]' in the repository (camera raw: DNG, NEF, CR3, ARW)",
    "av": "pip install '.[video]' in the repository (films)",
    "ray": "pip install '.[ray]' in the repository (upscale --engine ray)",
    "pillow": "pip install pillow (only to hand Pillow images to the Python API)",
}
"""What subpixel uses, and how to get it."""


@dataclass(frozen=True)
class DeviceState:
    """Whether a network really ran on a device, or what is missing."""

    device: str
    provider: str
    works: bool
    detail: str


@dataclass(frozen=True)
class Environment:
    """One machine, as subpixel sees it."""

    python: str
    system: str
    processor: str
    cores: int
    packages: Mapping[str, str | None]
    """Installed version by name; None where missing."""
    devices: tuple[DeviceState, ...]
    untrusted: Confinement
    """What is taken away from the decoder of a picture that nobody trusts."""


def survey() -> Environment:
    """Look around; each device whose runtime is installed loads the smallest bundled network."""
    return Environment(
        python=platform.python_version(),
        system=platform.platform(),
        processor=processor_name(),
        cores=os.cpu_count() or 1,
        packages={name: package_version(name) for name in PACKAGES},
        devices=tuple(_state(device) for device in DEVICES),
        untrusted=describe_confinement(),
    )


def _state(device: str) -> DeviceState:
    provider = DEVICES[device].provider
    obstacle = find_obstacle(device)
    if obstacle is not None:
        return DeviceState(device, provider, False, obstacle)
    try:
        open_session(verify_bundled(_smallest_network(device)), device=device)
    except SubpixelError as error:
        return DeviceState(device, provider, False, str(error))
    hardware = name_hardware(device)
    return DeviceState(device, provider, True, f"works, on {hardware}" if hardware else "works")


def _smallest_network(device: str) -> BundledNetwork:
    """Of those that the device runs as they are."""
    rows = (
        row
        for row in read_manifest()
        if DEVICES[device].takes_integers or not row.name.endswith(INT8)
    )
    return min(rows, key=lambda row: row.path.stat().st_size)
