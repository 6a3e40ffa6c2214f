"""A checkpoint file → the network it holds, and what that network is. No code in it is run."""

import hashlib
from dataclasses import replace
from pathlib import Path

from subpixel.errors import CheckpointError, UsageError
from subpixel.nets.architecture import Checkpoint
from subpixel.nets.recognition import recognise
from subpixel.nets.state_dict import read_contents

LARGEST_SCALE = 16

__all__ = ["Checkpoint", "load_checkpoint"]


def load_checkpoint(
    file: Path, *, extra_architectures: bool = False, scale: int | None = None
) -> Checkpoint:
    """Read a ``.pth``, ``.pt``, ``.ckpt`` or ``.safetensors`` file of a network we know.

    The architecture, its size and its scale are read from the weights: our own small networks
    first, then spandrel's, and with ``extra_architectures`` those of spandrel_extra_arches, some
    of whose licences forbid commercial use. ``scale`` is for weights that fit any scale: SRCNN
    and VDSR restore a picture enlarged before, and with a scale do the bicubic enlargement too;
    without one they leave the size as it is.

    The module maps ``(N, C, H, W)`` in 0 … 1 to ``(N, C, H * scale, W * scale)``, on the sizes
    that the spec names. Raises :class:`CheckpointError`, in one line, for a file that is missing,
    damaged, of an unknown or misshapen network or of another scale, or that would run code when
    unpickled; and :class:`UsageError` for a scale that no network has.
    """
    if scale is not None and not 1 <= scale <= LARGEST_SCALE:
        raise UsageError(f"the scale is {scale}; it is a whole number of 1 to {LARGEST_SCALE}")
    try:
        return _checkpoint(file, extra_architectures, scale)
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {error}") from error


def _checkpoint(file: Path, extra: bool, scale: int | None) -> Checkpoint:
    data = _read(file)
    contents = read_contents(file.suffix.lower(), data)
    found = recognise(contents.weights, scale, extra=extra)
    if scale not in (None, found.spec.scale):
        own = found.spec.scale
        raise CheckpointError(f"enlarges by {own}, not by {scale}; say {own}, or name another")
    origin = f"{file.name} (sha256 {hashlib.sha256(data).hexdigest()[:8]})"
    spec = replace(found.spec, name=file.stem, origin=origin, licence=contents.licence)
    return Checkpoint(found.module, spec)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"can't be read: {error.strerror}") from error
