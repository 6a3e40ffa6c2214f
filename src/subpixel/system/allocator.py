"""glibc's allocator, which keeps what threads have freed: for processes that run for long."""

import ctypes
import sys

_ARENA_MAX = -8
"""``M_ARENA_MAX`` of glibc's ``malloc.h``."""


def limit_arenas(count: int) -> None:
    """Let the threads share so many pools of memory, where glibc would give each core eight, all of
    which keep what was freed in them. It holds for the whole process, and is to be called before
    threads start. Elsewhere than with glibc nothing happens."""
    change = _find("mallopt")
    if change is not None:
        change(_ARENA_MAX, count)


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
