"""Checkpoints of random weights, which no photograph tells anything of."""

from pathlib import Path

from subpixel.nets.checkpoint import Checkpoint, CheckpointFile, Choice, load_checkpoint


def untrained(file: Path) -> CheckpointFile:
    """``file`` as a checkpoint in its architecture's usual settings, whatever its pictures show."""
    return CheckpointFile(file, choice=Choice(default=True))


def load_untrained(
    file: Path, *, extra_architectures: bool = False, scale: int | None = None
) -> Checkpoint:
    return load_checkpoint(untrained(file), extra_architectures=extra_architectures, scale=scale)
