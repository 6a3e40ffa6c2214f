"""The machine under the figures: what it is, and what is installed on it."""

import os
import platform

from subpixel.system.processors import processor_name
from subpixel.system.versions import package_version

MEBIBYTE, GIBIBYTE = 1024**2, 1024**3


def machine_line(*packages: str) -> str:
    """Processor, cores, memory and Python, and the versions of ``packages`` that are there."""
    versions = ((name, package_version(name)) for name in packages)
    return ", ".join(
        [
            processor_name(),
            f"{cores()} cores",
            f"{memory() / GIBIBYTE:.0f} GiB",
            f"Python {platform.python_version()}",
            *(f"{name} {version}" for name, version in versions if version),
        ]
    )


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def memory() -> int:
    """Bytes of physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
