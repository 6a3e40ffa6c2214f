"""Where results go: names that are free, folders that exist."""

from pathlib import Path

from subpixel.errors import SubpixelError, TargetExistsError, UsageError


def expect_free(target: Path, *, overwrite: bool) -> None:
    """Check a file or folder that is to be written: before the work, not after it.

    Raises :class:`TargetExistsError` where it exists and ``overwrite`` is False, and
    :class:`SubpixelError` where the file system does not even say whether it does.
    """
    try:
        exists = target.exists()
    except OSError as error:
        raise SubpixelError(f"{target} can't be written: {error.strerror or error}") from error
    if exists and not overwrite:
        raise target_exists(target)


def target_exists(target: Path) -> TargetExistsError:
    """The error for a ``target`` that is taken."""
    return TargetExistsError(
        f"{target} exists; use --overwrite (in Python overwrite=True) to replace it, or name "
        "another"
    )


def expect_onnx_target(target: Path, *, overwrite: bool) -> None:
    """:func:`expect_free` for an ONNX file; raises :class:`UsageError` for another suffix."""
    if target.suffix.lower() != ".onnx":
        raise UsageError(f"{target}: an ONNX file's name ends in .onnx")
    expect_free(target, overwrite=overwrite)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; raises :class:`SubpixelError` where it can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SubpixelError(f"{folder}: the folder can't be made: {error.strerror}") from error
