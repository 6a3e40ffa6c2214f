"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from subpixel.errors import SubpixelError
from subpixel.system.targets import target_exists


@contextmanager
def atomic_path(file: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a path beside ``file`` to write to; when the block succeeds, it becomes ``file``.

    The data is on disk (``fsync``) before it is renamed, atomically. When the block ends with any
    exception, including ``KeyboardInterrupt``, nothing is left behind and an existing ``file`` is
    unchanged. A symbolic link is followed.

    Raises :class:`FileExistsError` when ``file`` exists and ``overwrite`` is False (also when it
    was created meanwhile), and :class:`OSError` from the file system.
    """
    target = Path(os.path.realpath(file))
    if not overwrite and target.exists():
        raise FileExistsError(f"{file} exists")
    partial = target.with_name(f".{os.urandom(8).hex()}.partial")
    try:
        yield partial
        _sync(partial)
        _move_into_place(partial, target, overwrite=overwrite)
    finally:
        with suppress(OSError):  # where it can't be accessed, it was never created
            partial.unlink()


def write_bytes(file: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write ``data`` as ``file``, atomically.

    Raises :class:`~subpixel.errors.TargetExistsError` where the file exists and ``overwrite`` is
    False, and :class:`SubpixelError`, with the reason, where the folder is missing or can't be
    written, or the disk is full.
    """
    try:
        with atomic_path(file, overwrite=overwrite) as partial, partial.open("xb") as stream:
            stream.write(data)
    except FileExistsError as error:
        raise target_exists(file) from error
    except OSError as error:
        raise SubpixelError(f"{file} can't be written: {error.strerror or error}") from error


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move_into_place(partial: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        partial.replace(target)
        return
    try:
        target.hardlink_to(partial)  # unlike a rename, fails when the name is taken
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        partial.replace(target)
