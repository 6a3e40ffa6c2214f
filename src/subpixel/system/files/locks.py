"""Locks on open files, which the system releases when their process ends, however it ends."""

import errno
import os
import sys
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MAX_REGIONS = 1 << 31
"""How many regions a file has: Windows places locks by 32-bit numbers."""

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What file systems without locks answer, as Lustre where it is mounted without them."""

_HELD_ELSEWHERE = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


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


def lock_folder(folder: Path) -> int | None:
    """A descriptor of the folder that locks it until it is closed, or its process ends; None where
    another has locked it, or folders can't be locked, as on Windows. Raises :class:`OSError` where
    there is no such folder; a link is none."""
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def is_deleted(stream: IO[bytes]) -> bool:
    """Whether an open file has no name any more."""
    return os.fstat(stream.fileno()).st_nlink == 0


class RegionLocks:
    """Locks by number, 0 up to :data:`MAX_REGIONS`, each on one byte of a file that may be empty.

    They hold between processes, and between machines where the file lies on storage whose locks do
    (NFS, SMB); a child that is forked has none of them. One object for a file in a process: closing
    a second one would give up the locks of the first, as POSIX wants it. Not for several threads.

    Raises :class:`OSError` where the file can't be opened, or its file system has no locks.
    """

    def __init__(self, file: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(file, flags, 0o666)
        self._numbers: set[int] = set()

    def acquire(self, number: int) -> bool:
        """Take a lock; False where another process has it, or this one already."""
        if number in self._numbers:
            return False
        try:
            _lock_region(self._descriptor, number)
        except OSError as error:
            if error.errno in _HELD_ELSEWHERE:
                return False
            raise
        self._numbers.add(number)
        return True

    def release(self, number: int) -> None:
        """Give up a lock that was taken."""
        self._numbers.remove(number)
        _unlock_region(self._descriptor, number)

    def is_held(self, number: int) -> bool:
        """Whether any process has a lock, this one included."""
        if not self.acquire(number):
            return True
        self.release(number)
        return False

    def close(self) -> None:
        """Give up all locks."""
        os.close(self._descriptor)
        self._numbers.clear()


if sys.platform == "win32":
    import msvcrt

    def _lock_region(descriptor: int, number: int) -> None:
        os.lseek(descriptor, number, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock_region(descriptor: int, number: int) -> None:
        os.lseek(descriptor, number, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:

    def _lock_region(descriptor: int, number: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)

    def _unlock_region(descriptor: int, number: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, number)
