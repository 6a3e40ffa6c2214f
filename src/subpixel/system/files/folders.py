"""Folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from subpixel.errors import SubpixelError
from subpixel.system.files.targets import target_exists


def expect_free_folder(folder: Path, mark: str, *, overwrite: bool) -> None:
    """Check that ``folder`` may be written, before the work starts.

    It may where it is missing or empty, or with ``overwrite`` where it holds the file ``mark``, by
    which the program that makes such folders knows its own. Raises
    :class:`~subpixel.errors.TargetExistsError` or :class:`SubpixelError` otherwise: a folder of
    anything else is never replaced.
    """
    try:
        if not os.path.lexists(folder):
            return
        if not folder.is_dir():
            raise SubpixelError(f"{folder} can't be written: it is a file; name a folder")
        if not any(folder.iterdir()):
            return
        if (folder / mark).is_file() and not overwrite:
            raise target_exists(folder)
    except OSError as error:
        raise SubpixelError(f"{folder} can't be written: {error.strerror or error}") from error
    if not (folder / mark).is_file():
        raise SubpixelError(
            f"{folder} holds other things, and is not replaced, --overwrite or not; name a new "
            "or an empty folder"
        )


@contextmanager
def whole_folder(folder: Path, mark: str, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty draft of ``folder``; when the block succeeds, it takes the folder's name.

    When the block ends with any exception nothing is left behind, and a folder that was there is
    as it was. Raises what :func:`expect_free_folder` does, and :class:`SubpixelError` where the
    disk is full or the folder can't be written.
    """
    target = Path(os.path.realpath(folder))
    expect_free_folder(target, mark, overwrite=overwrite)
    draft = target.with_name(f".{os.urandom(8).hex()}.partial")
    try:
        draft.mkdir(parents=True)
        yield draft
        expect_free_folder(target, mark, overwrite=overwrite)
        _take_place(draft, target)
    except OSError as error:
        raise SubpixelError(f"{folder} can't be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _take_place(draft: Path, target: Path) -> None:
    """A folder can't be exchanged in one step everywhere: the old one is set aside first, and put
    back where the new one can't take its name."""
    if not target.exists():
        draft.rename(target)
        return
    old = target.with_name(f".{os.urandom(8).hex()}.partial")
    target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        old.rename(target)
        raise
    with suppress(OSError):
        shutil.rmtree(old)
