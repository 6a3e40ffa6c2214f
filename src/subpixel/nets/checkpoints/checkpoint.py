"""Loading the network in a checkpoint file, with its facts, without running code from the file."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from subpixel.errors import CheckpointError, UsageError
from subpixel.nets.architectures.architecture import Checkpoint
from subpixel.nets.checkpoints.containers import CHECKPOINT_SUFFIXES
from subpixel.nets.checkpoints.recognition import recognise
from subpixel.nets.checkpoints.settings import AS_SHOWN, Choice, parse_choice, settle_settings
from subpixel.nets.checkpoints.shards import INDEX_SUFFIX, index_of, read_shards
from subpixel.nets.checkpoints.state_dict import Contents, read_contents
from subpixel.system.files.inputs import open_input

MAX_CHECKPOINT_SCALE = 16

__all__ = ["Checkpoint", "CheckpointFile", "Choice", "load_checkpoint", "parse_choice"]


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint file, and the user's choices for loading it."""

    path: Path
    weights: str | None = None
    """The key of one of several sets of weights; None: averaged ones take precedence."""
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


def files_of(network: object) -> tuple[Path, ...]:
    """The file of a network that is named by one, as a path or a :class:`CheckpointFile`."""
    if isinstance(network, CheckpointFile):
        return (network.path,)
    return (Path(network),) if isinstance(network, str | Path) else ()


def load_checkpoint(
    file: str | Path | CheckpointFile,
    *,
    extra_architectures: bool = False,
    scale: int | None = None,
) -> Checkpoint:
    """Load a checkpoint of a known network: PyTorch's format, safetensors, ``.npz``, or the index
    of a sharded one (``….index.json``).

    The architecture, its size and its scale are read from the weights: subpixel's own networks are
    tried first, then spandrel's, and with ``extra_architectures`` those of spandrel_extra_arches,
    some of whose licences forbid commercial use. ``scale`` is for weights that fit any scale: SRCNN
    and VDSR restore an upscaled picture, and with a scale include the bicubic upscaling; without
    one they keep the size. Averaged weights take precedence, and settings that the weights don't
    reveal are determined on photographs, unless a :class:`CheckpointFile` states them.

    The module maps ``(N, C, H, W)`` in 0 … 1 to ``(N, C, H * scale, W * scale)``, on the sizes in
    the spec; the checkpoint's ``notes`` state what was chosen. Raises :class:`CheckpointError`, in
    one line, for a file that is missing, damaged, of an unknown or malformed network or of another
    scale, whose settings can't be determined, or that would run code when unpickled; and
    :class:`UsageError` for a scale or a setting that no network has.
    """
    if scale is not None and not 1 <= scale <= MAX_CHECKPOINT_SCALE:
        raise UsageError(
            f"the scale is {scale}; it is a whole number from 1 to {MAX_CHECKPOINT_SCALE}"
        )
    if not isinstance(file, CheckpointFile):
        file = CheckpointFile(Path(file))
    try:
        return _read_checkpoint(file, extra_architectures or file.extra_architectures, scale)
    except CheckpointError as error:
        raise CheckpointError(f"{file.path}: {error}") from error


def _read_checkpoint(file: CheckpointFile, extra: bool, scale: int | None) -> Checkpoint:
    contents, data = _load_contents(file)
    try:
        network = recognise(contents.weights, scale, extra=extra)
    except CheckpointError as error:
        raise CheckpointError(f"{error}{_part_of(file.path)}") from error
    if scale not in (None, network.spec.scale):
        own = network.spec.scale
        raise CheckpointError(f"enlarges by {own}, not by {scale}; say {own}, or name another")
    network = settle_settings(
        replace(network, notes=(*contents.notes, *network.notes)), file.choice
    )
    origin = f"{file.name} (sha256 {hashlib.sha256(data).hexdigest()[:8]})"
    origin = "; ".join([origin, *network.notes])
    spec = replace(network.spec, name=_stem(file.path), origin=origin, licence=contents.licence)
    return replace(network, spec=spec)


def _load_contents(file: CheckpointFile) -> tuple[Contents, bytes]:
    """The content of the file, and its bytes, including those of the files that it names."""
    data, suffix = _read_file(file.path), file.suffix.lower()
    if suffix == INDEX_SUFFIX:
        return read_shards(file.path, data, file.weights)
    return read_contents(suffix, data, file.weights), data


def _read_file(file: Path) -> bytes:
    try:
        with open_input(file) as stream:
            return stream.read()
    except OSError as error:
        raise CheckpointError(f"can't be read: {error.strerror}") from error


def _stem(file: Path) -> str:
    """The file's name without the suffixes of checkpoints."""
    name = file.name.removesuffix(".index.json")
    for suffix in CHECKPOINT_SUFFIXES if name != file.name else ():
        name = name.removesuffix(suffix)
    return name if name != file.name else file.stem


def _part_of(file: Path) -> str:
    """A hint for a file that is one shard of several."""
    index = index_of(file)
    return f"; it is one part of several; use their index, {index.name}" if index else ""
