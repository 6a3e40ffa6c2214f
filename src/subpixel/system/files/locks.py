"""Locks on open files, which the system releases when their process ends, however it ends."""

import os
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def lock_stream(stream: IO[bytes]) -> bool:
    """Lock an open file for its process alone; False where another has locked it.

    On Windows nothing is locked: a file that is open can't be removed there.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_deleted(stream: IO[bytes]) -> bool:
    """Whether an open file has no name any more."""
    return os.fstat(stream.fileno()).st_nlink == 0
