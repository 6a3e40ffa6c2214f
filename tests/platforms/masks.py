"""Processors older than this one, shown to a process by its environment.

PyTorch and oneDNN heed variables of their own, on any x86. ONNX Runtime and OpenBLAS ask the
processor itself: ``older_x86.c`` answers in its stead, where Linux lets it.
"""

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "older_x86.c"
PROCESSOR = Path("/proc/cpuinfo")


VECTORS = ("AVX", "AVX2", "AVX512F")


@dataclass(frozen=True)
class Mask:
    """An x86 processor: what it has that the next older one lacks, and what it is called."""

    flag: str
    """As in /proc/cpuinfo: a processor without it can't be shown on this machine."""
    aten: str
    """`ATEN_CPU_CAPABILITY`: the kernels that PyTorch takes."""
    onednn: str
    """`ONEDNN_MAX_CPU_ISA`: those that PyTorch's convolutions take."""
    vectors: frozenset[str]
    """What NumPy calls the vector instructions that are left, of `VECTORS`."""


MASKS = {
    "avx512vnni": Mask("avx512_vnni", "avx512", "AVX512_CORE_VNNI", frozenset(VECTORS[:3])),
    "avx512": Mask("avx512f", "avx512", "AVX512_CORE", frozenset(VECTORS[:3])),
    "avxvnni": Mask("avx_vnni", "avx2", "AVX2_VNNI", frozenset(VECTORS[:2])),
    "avx2": Mask("avx2", "avx2", "AVX2", frozenset(VECTORS[:2])),
    "avx": Mask("avx", "default", "AVX", frozenset(VECTORS[:1])),
    "sse41": Mask("sse4_1", "default", "SSE41", frozenset(VECTORS[:0])),
}
"""By the names that `older_x86.c` has for them, newest first."""


def lack(name: str) -> str | None:
    """Why this machine can't show the processor to PyTorch and oneDNN either; None if it can."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return f"{name} is an x86 processor, this is {platform.machine()}"
    if PROCESSOR.exists() and MASKS[name].flag not in _flags():
        return f"this processor lacks {MASKS[name].flag}: {name} can't be shown"
    return None


def cpuid_lack() -> str | None:
    """Why `older_x86.c` can't work here, so that ONNX Runtime sees all of the processor."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "cpuid can be answered for on Linux on x86-64 only"
    if "cpuid_fault" not in _flags():
        return "this processor or its hypervisor lacks cpuid_fault"
    if shutil.which("gcc") is None:
        return "gcc is needed to build older_x86.c"
    return None


def _flags() -> set[str]:
    return set(PROCESSOR.read_text(encoding="utf-8").split())


def variables(name: str) -> dict[str, str]:
    """For PyTorch and oneDNN."""
    mask = MASKS[name]
    return {"ATEN_CPU_CAPABILITY": mask.aten, "ONEDNN_MAX_CPU_ISA": mask.onednn}


def cpuid_variables(name: str, folder: Path) -> dict[str, str]:
    """For everything in the process, by a library that is built into ``folder``."""
    library = folder / "older_x86.so"
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
    subprocess.run(command, check=True)
    return {"OLDER_X86": name, "LD_PRELOAD": str(library)}
