"""How much memory there is, and how much of it this process holds."""

import mmap
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

SET_ASIDE = 320 << 20
"""Address space for the stacks and arenas of threads to come. GLib, below libvips, ends the process
where it is refused a few bytes: so much must be left that it never is."""


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, and of its cgroup."""
    in_cgroups = _free_in_cgroups(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))
    return max(0, min(int(psutil.virtual_memory().available), *in_cgroups, sys.maxsize))


def address_space() -> int:
    """Bytes that RLIMIT_AS leaves, those taken off that threads will only set aside."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    return limit - int(psutil.Process().memory_info().vms) - SET_ASIDE


def can_allocate(size: int) -> bool:
    """Whether the system lets this process have ``size`` bytes more now; they are given back."""
    flags = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
    try:
        mmap.mmap(-1, size, **flags).close()
    except (OSError, OverflowError):
        return False
    return True


def address_limit_for(size: int) -> int | None:
    """The RLIMIT_AS, in bytes, under which this process may come to hold ``size`` bytes; None where
    the present one is no lower."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    memory = psutil.Process().memory_info()
    needs = int(memory.vms) + SET_ASIDE + max(0, size - int(memory.rss))
    return None if limit == resource.RLIM_INFINITY or limit >= needs else needs


def _free_in_cgroups(root: Path, membership: Path) -> Iterator[int]:
    """What each cgroup that the process is in leaves it: the kernel's cgroup-v2.rst, and v1's."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers in ("", "memory"):
            names = ("memory.max", "memory.current")
            if controllers:
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            inner = root / controllers / place.lstrip("/")
            for folder in (inner, *inner.parents):
                if folder == root.parent:
                    break
                yield from _left(folder, *names)


def _left(folder: Path, limit: str, usage: str) -> Iterator[int]:
    try:
        most, used = ((folder / name).read_text().strip() for name in (limit, usage))
        cached = _reclaimable(folder)
    except OSError:
        return
    if most.isdecimal() and used.isdecimal():
        yield int(most) - max(0, int(used) - cached)


def _reclaimable(folder: Path) -> int:
    """Pages of files that the kernel drops before it refuses anything."""
    lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return sum(int(number) for name, number in lines if name in ("inactive_file", "active_file"))


def resident() -> int:
    """Bytes that this process holds now."""
    return int(psutil.Process().memory_info().rss)
