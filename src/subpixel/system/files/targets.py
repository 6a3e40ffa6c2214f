"""Output files and folders: checks before the work starts."""

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from subpixel.errors import SubpixelError, TargetExistsError, UsageError


def expect_free(target: Path, *, overwrite: bool) -> None:
    """Check that a file or folder may be written, before the work starts.

    Raises :class:`TargetExistsError` where it exists and ``overwrite`` is False, and
    :class:`SubpixelError` where that can't be determined.
    """
    try:
        exists = target.exists()
    except OSError as error:
        raise SubpixelError(f"{target} can't be written: {error.strerror or error}") from error
    if exists and not overwrite:
        raise target_exists(target)


def expect_free_file(target: Path, *, overwrite: bool) -> None:
    """:func:`expect_free` and :func:`expect_replaceable`."""
    expect_replaceable(target)
    expect_free(target, overwrite=overwrite)


def expect_inputs_spared(target: Path, inputs: Iterable[Path]) -> None:
    """Check that ``target`` is none of ``inputs`` and no folder that holds one, be it by another
    name or through a link.

    Raises :class:`UsageError` where it is.
    """
    if not _exists(target):
        return
    for file in filter(_exists, inputs):
        if any(_are_one(target, path) for path in (file, *_parents(file))):
            raise UsageError(
                f"{target} {'is' if target.is_file() else 'holds'} one of the inputs, which are "
                "never overwritten; name another"
            )


def _parents(file: Path) -> Iterable[Path]:
    return Path(os.path.realpath(file)).parents


def expect_replaceable(target: Path) -> None:
    """Check that ``target`` is a file or nothing: what else there is, is never replaced.

    Raises :class:`SubpixelError` for a folder, a pipe, a device or a socket, and where that can't
    be determined.
    """
    try:
        is_other = target.exists() and not target.is_file()
    except OSError as error:
        raise SubpixelError(f"{target} can't be written: {error.strerror or error}") from error
    if is_other:
        kind = "a folder" if target.is_dir() else "a pipe, a device or a socket"
        raise SubpixelError(f"{target} can't be written: it is {kind}; name a file")


def target_exists(target: Path) -> TargetExistsError:
    """The error for a ``target`` that exists."""
    return TargetExistsError(
        f"{target} exists; use --overwrite (in Python overwrite=True) to replace it, or name "
        "another"
    )


def expect_onnx_target(target: Path, inputs: Iterable[Path], *, overwrite: bool) -> None:
    """:func:`expect_free_file` for an ONNX file that is made of ``inputs`` and is none of them;
    raises :class:`UsageError` for another suffix."""
    if target.suffix.lower() != ".onnx":
        raise UsageError(f"{target}: an ONNX file's name ends in .onnx")
    expect_inputs_spared(target, inputs)
    expect_free_file(target, overwrite=overwrite)


def make_folder(folder: Path) -> Path:
    """Make ``folder`` with its parents and return it.

    Raises :class:`SubpixelError` where it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SubpixelError(f"{folder}: the folder can't be made: {error.strerror}") from error
    return folder


def are_distinct(first: Path, second: Path) -> bool:
    """Whether the file system takes these two paths for two files.

    Where neither exists, that is tried out with empty files of these names in a folder of their
    own, which is removed again. True where that can't be tried.
    """
    there = [_exists(path) for path in (first, second)]
    if any(there):
        return not (all(there) and _are_one(first, second))
    folder = Path(os.path.commonpath([first.absolute().parent, second.absolute().parent]))
    below = [path.absolute().relative_to(folder) for path in (first, second)]
    while not os.path.isdir(folder):  # noqa: PTH112 - it may be out of reach
        folder = folder.parent
    try:
        with TemporaryDirectory(dir=folder, prefix=".") as probe:
            one, other = (Path(probe) / path for path in below)
            one.parent.mkdir(parents=True, exist_ok=True)
            one.touch()
            return not other.exists()
    except OSError:
        return True


def _are_one(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:  # removed meanwhile
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long
        return False
