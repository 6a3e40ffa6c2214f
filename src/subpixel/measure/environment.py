"""What this machine has: versions, processors, execution providers."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from subpixel.errors import SubpixelError
from subpixel.runtime.session import DEVICES, Session, available_devices
from subpixel.zoo.manifest import bundled, verified

PACKAGES: Mapping[str, str] = {
    "subpixel": "",
    "numpy": "pip install . in the repository",
    "onnx": "pip install . in the repository",
    "onnxruntime": "pip install . in the repository",
    "onnxruntime-gpu": "pip uninstall onnxruntime && pip install onnxruntime-gpu",
    "pyvips": "pip install . in the repository",
    "pyvips-binary": "pip install . in the repository",
    "torch": "pip install '.[torch]' in the repository (export, verify, train)",
    "onnxscript": "pip install '.[torch]' in the repository (the dynamo exporter)",
    "safetensors": "pip install '.[torch]' in the repository (.safetensors checkpoints)",
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


def survey() -> Environment:
    """Look around; each device in the installed ONNX Runtime runs the smallest bundled network."""
    return Environment(
        python=platform.python_version(),
        system=platform.platform(),
        processor=processor_name(),
        cores=os.cpu_count() or 1,
        packages={name: installed_version(name) for name in PACKAGES},
        devices=tuple(_state(device) for device in DEVICES),
    )


def installed_version(package: str) -> str | None:
    """The installed version of a distribution, without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor_name() -> str:
    """The processor's marketing name, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _state(device: str) -> DeviceState:
    provider = DEVICES[device].provider
    if device not in available_devices():
        return DeviceState(device, provider, False, f"missing: {DEVICES[device].install}")
    try:
        smallest = min(bundled(), key=lambda row: row.path.stat().st_size)
        Session(verified(smallest), device=device)
    except SubpixelError as error:
        return DeviceState(device, provider, False, str(error))
    return DeviceState(device, provider, True, "works")
