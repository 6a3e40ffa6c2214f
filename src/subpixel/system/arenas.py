"""The allocator's arenas, where the address space is limited."""

import ctypes
import sys


def share_arena() -> bool:
    """Let all threads to come allocate from one arena, where the address space is limited: glibc
    sets 64 MB of it aside for each that has its own. Whether it was done."""
    if not sys.platform.startswith("linux"):
        return False
    import resource

    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and no arenas
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, 1))


_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""
