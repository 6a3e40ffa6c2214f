"""The processors of this machine."""

import os
import platform
from pathlib import Path

import psutil


def cores() -> int:
    """Physical cores that this process may run on: two threads of one core share its arithmetic
    units."""
    allowed = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def processor_name() -> str:
    """The processor's marketing name, where the system provides it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def graphics_names() -> tuple[str, ...]:
    """NVIDIA's graphics processors and their driver, as listed by the Linux driver."""
    folder = Path("/proc/driver/nvidia")
    cards = sorted(folder.glob("gpus/*/information"))
    files = [*cards, folder / "version"] if cards else []
    return tuple(file.read_text(errors="replace").strip() for file in files if file.is_file())
