"""Folders that appear whole or not at all."""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from subpixel.errors import SubpixelError
from subpixel.system.files.atomic import remove_stale_drafts
from subpixel.system.files.locks import lock_folder
from subpixel.system.files.targets import target_exists

FindForeign = Callable[[Path], str | None]
"""Why a folder that holds something may not be replaced: what is in it that is not of the
program's own making; None where it all is."""


def expect_free_folder(folder: Path, find_foreign: FindForeign, *, overwrite: bool) -> None:
    """Check that ``folder`` may be written, before the work starts: it is missing or empty, or with
    ``overwrite`` holds nothing foreign.

    Raises :class:`~subpixel.errors.TargetExistsError` or :class:`SubpixelError` otherwise.
    """
    try:
        if not os.path.lexists(folder):
            return
        if not folder.is_dir():
            raise SubpixelError(f"{folder} can't be written: it is no folder; name another")
        if not any(folder.iterdir()):
            return
        foreign = find_foreign(folder)
    except OSError as error:
        raise SubpixelError(f"{folder} can't be written: {error.strerror or error}") from error
    if foreign:
        raise SubpixelError(
            f"{folder} is not replaced, --overwrite or not: {foreign}; name a new or an empty "
            "folder"
        )
    if not overwrite:
        raise target_exists(folder)


@contextmanager
def whole_folder(
    folder: Path, find_foreign: FindForeign, *, overwrite: bool = False
) -> Iterator[Path]:
    """Yield an empty draft of ``folder``; when the block succeeds, it takes the folder's name.

    When the block ends with any exception nothing is left behind, and a folder that was there is
    as it was; what a process that was killed has left beside it is removed. Raises what
    :func:`expect_free_folder` does, and :class:`SubpixelError` where the disk is full or the folder
    can't be written.
    """
    target = Path(os.path.realpath(folder))
    expect_free_folder(target, find_foreign, overwrite=overwrite)
    try:
        with _draft_folder(target) as draft:
            yield draft
            expect_free_folder(target, find_foreign, overwrite=overwrite)
            _take_place(draft, target)
    except OSError as error:
        raise SubpixelError(f"{folder} can't be written: {error.strerror or error}") from error
    remove_stale_drafts(target.parent)


@contextmanager
def _draft_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside ``target``, locked where folders can be; it is removed in the end if
    it still has its name."""
    draft, descriptor = _make_draft(target)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        _unlock(descriptor)


def _make_draft(target: Path) -> tuple[Path, int | None]:
    while True:
        draft = target.with_name(f".{os.urandom(8).hex()}.partial")
        draft.mkdir(parents=True)
        with suppress(FileNotFoundError):  # removed by another process, before it was locked
            descriptor = lock_folder(draft)
            if draft.exists():
                return draft, descriptor
            _unlock(descriptor)


def _unlock(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def make_hidden_folder(folder: Path) -> None:
    """Make ``folder``, whose name begins with a dot, where it is missing, and those above it.

    The dot hides it everywhere but on Windows, which is told. Raises :class:`OSError`.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32" and is_new:
        import ctypes

        ctypes.windll.kernel32.SetFileAttributesW(str(folder), stat.FILE_ATTRIBUTE_HIDDEN)


def _take_place(draft: Path, target: Path) -> None:
    """A folder can't be exchanged in one step everywhere: the old one is set aside first, and put
    back where the new one can't take its name."""
    if not target.exists():
        draft.rename(target)
        return
    old = target.with_name(f".{os.urandom(8).hex()}.partial")
    descriptor = lock_folder(target)  # as long as it has a draft's name
    try:
        target.rename(old)
        _rename_or_restore(draft, old, target)
        with suppress(OSError):
            shutil.rmtree(old)
    finally:
        _unlock(descriptor)


def _rename_or_restore(draft: Path, old: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError:
        old.rename(target)
        raise
