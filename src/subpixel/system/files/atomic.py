"""Files that appear whole or not at all.

A file is written as a draft. Where the system can (Linux: ``O_TMPFILE``), a draft has no name, so
that nothing remains of it whatever becomes of the process. Elsewhere it is a hidden file beside its
target, locked as long as its process lives: :func:`remove_stale_drafts` removes those of dead ones.
"""

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from subpixel.errors import SubpixelError
from subpixel.system.files.locks import is_deleted, lock_folder, lock_stream
from subpixel.system.files.targets import expect_replaceable, target_exists

DRAFT_NAME = re.compile(r"\.[0-9a-f]{16}\.partial")

OPEN_FILES = Path("/proc/self/fd")
"""Where a file without a name can be reached, to be given one."""

Seal = Callable[[BinaryIO], None]
"""Gets a file that is complete and on disk, but has no name yet; what it raises, leaves nothing."""


@contextmanager
def atomic_file(
    file: Path, *, overwrite: bool = False, seal: Seal = lambda stream: None
) -> Iterator[BinaryIO]:
    """Yield a stream to write to and read; when the block succeeds, its content becomes ``file``.

    The data is on disk (``fsync``), and ``seal`` was called with it, before it takes its name,
    atomically. When the block or ``seal`` ends with any exception, including ``KeyboardInterrupt``,
    nothing is left behind and an existing ``file`` is unchanged. A symbolic link is followed. What
    replaces a file has its permissions, and its owner as far as the system admits.

    Raises :class:`FileExistsError` when ``file`` exists and ``overwrite`` is False (also when it
    was created meanwhile), :class:`SubpixelError` when it is a folder, a pipe or a device, and
    :class:`OSError` from the file system.
    """
    target = Path(os.path.realpath(file))
    if not overwrite and target.exists():
        raise FileExistsError(f"{file} exists")
    expect_replaceable(target)
    draft = _open_draft(target.parent)
    try:
        yield draft.stream
        draft.stream.flush()
        _keep_permissions(draft.stream, target)
        os.fsync(draft.stream.fileno())
        seal(draft.stream)
        _move_into_place(draft, target, overwrite=overwrite)
    finally:
        _discard(draft)


def write_bytes(file: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write ``data`` as ``file``, atomically, and remove stale drafts beside it.

    Raises :class:`~subpixel.errors.TargetExistsError` where the file exists and ``overwrite`` is
    False, and :class:`SubpixelError`, with the reason, where the folder is missing or can't be
    written, or the disk is full.
    """
    try:
        with atomic_file(file, overwrite=overwrite) as stream:
            stream.write(data)
    except FileExistsError as error:
        raise target_exists(file) from error
    except OSError as error:
        raise SubpixelError(f"{file} can't be written: {error.strerror or error}") from error
    remove_stale_drafts(file.parent)


def remove_stale_drafts(folder: Path) -> None:
    """Remove the drafts in ``folder`` that dead processes left there."""
    with suppress(OSError), os.scandir(folder) as entries:
        drafts = [Path(entry.path) for entry in entries if DRAFT_NAME.fullmatch(entry.name)]
        for draft in drafts:
            _remove_if_stale(draft)


@dataclass(frozen=True)
class _Draft:
    stream: BinaryIO
    name: Path | None
    """None where it has none."""


def _open_draft(folder: Path) -> _Draft:
    unnamed = getattr(os, "O_TMPFILE", None)
    if unnamed is not None and OPEN_FILES.is_dir():
        with suppress(OSError):  # a file system without them, or what opening by name says better
            descriptor = os.open(folder, unnamed | os.O_RDWR, 0o666)
            return _Draft(os.fdopen(descriptor, "w+b"), None)
    return _open_named_draft(folder)


def _open_named_draft(folder: Path) -> _Draft:
    while True:
        name = folder / f".{os.urandom(8).hex()}.partial"
        stream = name.open("x+b")
        lock_stream(stream)
        if not is_deleted(stream):  # by another process, between opening and locking
            return _Draft(stream, name)
        stream.close()


def _remove_if_stale(draft: Path) -> None:
    """A draft that can be locked has no process any more. On Windows one that is open can't be
    removed, and a folder can't be locked."""
    with suppress(OSError):
        if draft.is_dir():
            _remove_folder_if_stale(draft)
            return
        with draft.open("rb") as stream:
            is_stale = lock_stream(stream)
            if is_stale and os.name != "nt":
                draft.unlink()
        if is_stale and os.name == "nt":
            draft.unlink()


def _remove_folder_if_stale(draft: Path) -> None:
    descriptor = lock_folder(draft)
    if descriptor is not None:
        try:
            shutil.rmtree(draft)
        finally:
            os.close(descriptor)


def _keep_permissions(stream: BinaryIO, target: Path) -> None:
    """Those of the file that is replaced."""
    if os.name == "nt" or not target.exists():
        return
    status, descriptor = target.stat(), stream.fileno()
    with suppress(OSError):  # only the superuser gives files away
        os.fchown(descriptor, status.st_uid, status.st_gid)
    with suppress(OSError):
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _move_into_place(draft: _Draft, target: Path, *, overwrite: bool) -> None:
    if draft.name is not None:
        _rename(draft.stream, draft.name, target, overwrite=overwrite)
    elif overwrite:
        name = target.with_name(f".{os.urandom(8).hex()}.partial")
        lock_stream(draft.stream)
        try:
            _link(draft.stream, name)
            name.replace(target)
        finally:
            name.unlink(missing_ok=True)
    else:
        _link(draft.stream, target)


def _link(stream: BinaryIO, name: Path) -> None:
    """Give a file without a name one that isn't taken; or a copy of it, where links are refused."""
    folder = os.open(name.parent, os.O_RDONLY)
    try:
        # With a folder's descriptor Python calls linkat, which follows the link in /proc.
        os.link(OPEN_FILES / str(stream.fileno()), name.name, dst_dir_fd=folder)
    except FileExistsError:
        raise
    except OSError:
        _copy_draft(stream, name)
    finally:
        os.close(folder)


def _copy_draft(stream: BinaryIO, target: Path) -> None:
    draft = _open_named_draft(target.parent)
    try:
        stream.seek(0)
        shutil.copyfileobj(stream, draft.stream)
        draft.stream.flush()
        os.fsync(draft.stream.fileno())
        assert draft.name is not None
        _rename(draft.stream, draft.name, target, overwrite=False)
    finally:
        _discard(draft)


def _rename(stream: BinaryIO, name: Path, target: Path, *, overwrite: bool) -> None:
    if os.name == "nt":  # what is open can't be renamed there
        stream.close()
    if overwrite:
        name.replace(target)
        return
    try:
        target.hardlink_to(name)  # unlike a rename, fails when the name is taken
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        name.replace(target)


def _discard(draft: _Draft) -> None:
    """Close the draft, and remove its name where it still has it."""
    with suppress(OSError):  # a full disk, which was an error before
        draft.stream.close()
    if draft.name is not None:
        with suppress(OSError):
            draft.name.unlink()
