"""A checkpoint file → the network it holds, and what that network is. No code in it is run."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from subpixel.errors import CheckpointError, UsageError
from subpixel.nets.architectures.architecture import Checkpoint
from subpixel.nets.checkpoints.containers import SUFFIXES
from subpixel.nets.checkpoints.recognition import recognise
from subpixel.nets.checkpoints.settings import AS_SHOWN, Choice, parse_choice, settle
from subpixel.nets.checkpoints.shards import INDEX_SUFFIX, index_of, read_shards
from subpixel.nets.checkpoints.state_dict import Contents, read_contents

LARGEST_SCALE = 16

__all__ = ["Checkpoint", "CheckpointFile", "Choice", "load_checkpoint", "parse_choice"]


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint's file, and what its user says of what it holds."""

    path: Path
    weights: str | None = None
    """Which of several sets of weights, by its key; None: averaged ones first."""
    choice: Choice = AS_SHOWN
    """The settings that the weights don't tell, as far as they are known."""
    extra_architectures: bool = False
    """Whether it may be of a network of spandrel_extra_arches, some of whose licences forbid
    commercial use."""

    @property
    def suffix(self) -> str:
        return self.path.suffix

    @property
    def name(self) -> str:
        return self.path.name


def load_checkpoint(
    file: str | Path | CheckpointFile,
    *,
    extra_architectures: bool = False,
    scale: int | None = None,
) -> Checkpoint:
    """Read a checkpoint of a network we know: PyTorch's own, safetensors, ``.npz``, or the index
    of one in several files (``….index.json``).

    The architecture, its size and its scale are read from the weights: our own small networks
    first, then spandrel's, and with ``extra_architectures`` those of spandrel_extra_arches, some
    of whose licences forbid commercial use. ``scale`` is for weights that fit any scale: SRCNN
    and VDSR restore a picture enlarged before, and with a scale do the bicubic enlargement too;
    without one they leave the size as it is. Averaged weights come before others, and settings
    that no weight tells are found out on photographs; a :class:`CheckpointFile` says otherwise.

    The module maps ``(N, C, H, W)`` in 0 … 1 to ``(N, C, H * scale, W * scale)``, on the sizes
    that the spec names; the checkpoint's ``notes`` say what was chosen. Raises
    :class:`CheckpointError`, in one line, for a file that is missing, damaged, of an unknown or
    misshapen network or of another scale, whose settings stay open, or that would run code when
    unpickled; and :class:`UsageError` for a scale or a setting that no network has.
    """
    if scale is not None and not 1 <= scale <= LARGEST_SCALE:
        raise UsageError(f"the scale is {scale}; it is a whole number of 1 to {LARGEST_SCALE}")
    if not isinstance(file, CheckpointFile):
        file = CheckpointFile(Path(file))
    try:
        return _checkpoint(file, extra_architectures or file.extra_architectures, scale)
    except CheckpointError as error:
        raise CheckpointError(f"{file.path}: {error}") from error


def _checkpoint(file: CheckpointFile, extra: bool, scale: int | None) -> Checkpoint:
    contents, data = _contents(file)
    try:
        found = recognise(contents.weights, scale, extra=extra)
    except CheckpointError as error:
        raise CheckpointError(f"{error}{_part_of(file.path)}") from error
    if scale not in (None, found.spec.scale):
        own = found.spec.scale
        raise CheckpointError(f"enlarges by {own}, not by {scale}; say {own}, or name another")
    found = settle(replace(found, notes=(*contents.notes, *found.notes)), file.choice)
    origin = f"{file.name} (sha256 {hashlib.sha256(data).hexdigest()[:8]})"
    origin = "; ".join([origin, *found.notes])
    spec = replace(found.spec, name=_stem(file.path), origin=origin, licence=contents.licence)
    return replace(found, spec=spec)


def _contents(file: CheckpointFile) -> tuple[Contents, bytes]:
    """What the file holds, and its bytes, with those of the files that it names."""
    data, suffix = _read(file.path), file.suffix.lower()
    if suffix == INDEX_SUFFIX:
        return read_shards(file.path, data, file.weights)
    return read_contents(suffix, data, file.weights), data


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"can't be read: {error.strerror}") from error


def _stem(file: Path) -> str:
    """The name without what says that it is a checkpoint."""
    name = file.name.removesuffix(".index.json")
    for suffix in SUFFIXES if name != file.name else ():
        name = name.removesuffix(suffix)
    return name if name != file.name else file.stem


def _part_of(file: Path) -> str:
    """Advice on a file that is one of several."""
    index = index_of(file)
    return f"; it is one part of several, name their index: {index.name}" if index else ""
