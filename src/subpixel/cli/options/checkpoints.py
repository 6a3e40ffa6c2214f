"""A checkpoint that a command line names, and what it says of it."""

from pathlib import Path
from typing import TYPE_CHECKING

from subpixel.errors import UsageError

if TYPE_CHECKING:
    from subpixel.nets.checkpoints.checkpoint import CheckpointFile


def make_checkpoint_file(
    file: Path,
    weights: str | None,
    settings: tuple[str, ...],
    extra_architectures: bool = False,
) -> "Path | CheckpointFile":
    """``file`` with what ``--weights``, ``--setting`` and ``--extra-architectures`` say; the path
    alone where they don't.

    Raises :class:`UsageError` for an ONNX file with either, and for a setting of another form.
    """
    is_onnx = file.suffix.lower() == ".onnx"
    if weights is None and not settings and (is_onnx or not extra_architectures):
        return file
    if is_onnx:
        raise UsageError(f"{file} is an ONNX file; --weights and --setting are for checkpoints")
    from subpixel.nets.checkpoints.checkpoint import CheckpointFile, parse_choice

    return CheckpointFile(file, weights, parse_choice(settings), extra_architectures)
