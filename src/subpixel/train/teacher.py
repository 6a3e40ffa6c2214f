"""Loading a teacher for knowledge distillation."""

from pathlib import Path

from subpixel.errors import CheckpointError, NetworkError
from subpixel.nets.checkpoints.checkpoint import Checkpoint, CheckpointFile, load_checkpoint
from subpixel.nets.padding import with_working_sizes
from subpixel.upscaling.tiles.tiling import working_size


def load_teacher(file: Path | CheckpointFile, scale: int, crop: int) -> Checkpoint:
    """The network in ``file``, for luma ``(N, 1, crop, crop)``, each side ``scale`` times as long.

    Networks whose weights fit any scale (SRCNN, VDSR) include the upscaling by ``scale``. Raises
    :class:`CheckpointError` for a file that can't be loaded, and for a network of RGB, of another
    scale or for other sizes.
    """
    teacher = load_checkpoint(file, scale=scale)
    try:
        _expect_fit(teacher, crop)
    except NetworkError as error:
        path = file.path if isinstance(file, CheckpointFile) else file
        raise CheckpointError(f"{path}: {error}") from error
    return teacher


def _expect_fit(teacher: Checkpoint, crop: int) -> None:
    if teacher.spec.interface != "luma":
        raise CheckpointError("takes RGB; a teacher takes luma, as the networks that we train do")
    spec = with_working_sizes(teacher.module, teacher.spec)
    multiple, minimum = spec.size_multiple, spec.size_minimum
    if working_size(crop, crop, multiple, minimum, spec.square) != (crop, crop):
        raise CheckpointError(
            f"takes sides of at least {minimum} that are multiples of {multiple}; a teacher for "
            f"this preset takes its crops of {crop}×{crop}"
        )
