"""glibc's allocator: the arenas of its threads, which keep what was freed in them."""

import ctypes
import sys

_ARENA_MAX = -8
"""``M_ARENA_MAX`` of glibc's ``malloc.h``."""


def limit_arenas(count: int) -> bool:
    """Let the threads share so many pools of memory, where glibc would give each core eight, all of
    which keep what was freed in them. It holds for the whole process, and is to be called before
    threads start. Whether it was done: elsewhere than with glibc nothing happens."""
    change = _find("mallopt")
    return change is not None and bool(change(_ARENA_MAX, count))


def share_arena() -> bool:
    """Let all threads to come allocate from one arena, where the address space is limited: 64 MB of
    it are set aside for each that has its own. Whether it was done."""
    if sys.platform != "linux":
        return False
    import resource

    limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    return limited and limit_arenas(1)


def return_free_memory() -> None:
    """Give the system back what was freed; takes a few milliseconds."""
    trim = _find("malloc_trim")
    if trim is not None:
        trim(0)


def _find(name: str) -> "ctypes._NamedFuncPointer | None":
    """A function of the C library; None where it isn't glibc's."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, "gnu_get_libc_version") else None
