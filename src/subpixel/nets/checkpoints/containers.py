"""Reading the bytes of a checkpoint, by content and not by name, without running code.

Pickles are read by PyTorch's restricted unpickler. Objects that trainers store beside the weights
(options, NumPy scalars, paths) are replaced by inert ones; anything else that a pickle imports is
rejected by name.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import safetensors.torch
import torch

from subpixel.errors import CheckpointError, one_line
from subpixel.strict_json import JsonError, parse_json, read_value
from subpixel.system.files.stand_ins import describe_stand_in

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".pkl", ".safetensors", ".npz")
"""The usual suffixes of checkpoints; files with other names are read by their content."""

SAFETENSORS_SUFFIX = ".safetensors"

MAX_INFLATION = 8
"""The maximum compression ratio of an .npz; weights hardly compress."""

ZIP, PICKLE = b"PK\x03\x04", b"\x80"


MAX_HEADER_BYTES = 100_000_000
"""The longest header that the safetensors format allows."""


@dataclass(frozen=True)
class Container:
    """The content of a file, and the metadata in its header."""

    content: object
    header: Mapping[str, str] = field(default_factory=dict)


class Inert:
    """Replaces an object that is no weight; whatever a pickle does with it has no effect."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


HARMLESS = (
    "argparse.Namespace",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.dtype",
    "numpy.ndarray",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "easydict.EasyDict",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.nodes.AnyNode",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "lightning.fabric.utilities.data.AttributeDict",
    "builtins.list",
    "builtins.dict",
    "typing.Any",
)
"""Objects that trainers store beside the weights; none of them is imported or called."""


def read_container(suffix: str, data: bytes) -> Container:
    """Read a PyTorch pickle (zip or legacy), a safetensors file or an .npz.

    The content determines the format; ``suffix`` (".pth", lower case) only matters where it is none
    of these. Raises :class:`CheckpointError` for such a file, for a damaged one, and for a pickle
    that would run code.
    """
    if stand_in := describe_stand_in(data):
        raise CheckpointError(stand_in)
    if data.startswith(ZIP):
        return Container(_from_zip(data))
    if _looks_like_safetensors(data) or suffix == SAFETENSORS_SUFFIX:
        return _from_safetensors(data)
    if data.startswith(PICKLE) or suffix in CHECKPOINT_SUFFIXES:
        return Container(_unpickle(data))
    raise CheckpointError(
        f"ends in {suffix or 'no suffix'!r}; a checkpoint ends in "
        f"{', '.join(CHECKPOINT_SUFFIXES)}, or has the content of one of these"
    )


def _looks_like_safetensors(data: bytes) -> bool:
    """Whether ``data`` begins with the length of a JSON header that fits into the file."""
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8


def _from_safetensors(data: bytes) -> Container:
    try:
        weights = safetensors.torch.load(data)
    except Exception as error:  # SafetensorError, and KeyError for a dtype that PyTorch lacks
        raise CheckpointError(f"is no readable safetensors file: {one_line(error)}") from error
    return Container(weights, _read_notes(data[8 : 8 + int.from_bytes(data[:8], "little")]))


def _read_notes(header: bytes) -> Mapping[str, str]:
    """What a safetensors header says beside its tensors."""
    try:
        values = parse_json(header, max_bytes=MAX_HEADER_BYTES)
        notes = values.get("__metadata__") if isinstance(values, dict) else None
        return {} if notes is None else read_value(notes, Mapping[str, str], "__metadata__")  # type: ignore[type-abstract]
    except JsonError as error:
        raise CheckpointError(f"is no readable safetensors file: {error}") from error


def _from_zip(data: bytes) -> object:
    entries = _zip_entries(data)
    names = [entry.filename for entry in entries]
    if is_program(names):
        raise CheckpointError(
            "is a TorchScript archive, a program, and no checkpoint that PyTorch can read without "
            "running it; save the weights: torch.save(torch.jit.load(...).state_dict(), ...), or "
            "compare with it: subpixel verify FILE.onnx --against it"
        )
    if names and all(name.endswith(".npy") for name in names):
        return _from_npz(data, sum(entry.file_size for entry in entries))
    if names and not any(name.rpartition("/")[2] == "data.pkl" for name in names):
        raise CheckpointError(
            f"is a zip archive with {names[0]!r} in it, and no checkpoint itself; unpack it and "
            "name the file inside"
        )
    claimed = sum(entry.file_size for entry in entries)
    if claimed > len(data):
        raise CheckpointError(
            f"is a compressed archive: {len(data)} bytes that claim to become {claimed}; "
            "PyTorch does not compress checkpoints, so it was not read"
        )
    return _unpickle(data)


def is_program(names: Sequence[str]) -> bool:
    """Whether an archive with these entries is TorchScript: constants and code in one folder."""
    inside = [name.partition("/")[2] for name in names]
    return "constants.pkl" in inside and any(name.startswith("code/") for name in inside)


def _zip_entries(data: bytes) -> list[zipfile.ZipInfo]:
    """The entries of an archive; none for a damaged one, which PyTorch's reader then reports."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.infolist()
    except Exception:  # the reader raises almost anything for damaged data
        return []


def _from_npz(data: bytes, claimed: int) -> Mapping[str, torch.Tensor]:
    if claimed > MAX_INFLATION * len(data):
        raise CheckpointError(
            f"is a compressed archive: {len(data)} bytes that claim to become {claimed}; "
            "weights compress hardly at all, so it was not read"
        )
    try:
        with warnings.catch_warnings(), np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            warnings.simplefilter("ignore")  # of headers that Python 2 has written
            numbers = {key: arrays[key] for key in arrays.files}
    except Exception as error:  # ValueError for pickled objects, BadZipFile, zlib.error, …
        raise CheckpointError(f"is no readable .npz file: {one_line(error)}") from error
    strange = [key for key, value in numbers.items() if not isinstance(value, np.ndarray)]
    if strange:  # NumPy gives the bytes of what has no .npy header
        raise CheckpointError(f"is no readable .npz file: {strange[0]}.npy in it is no array")
    return {
        key: _array_to_tensor(value) for key, value in numbers.items() if value.dtype.kind in "fiub"
    }


def _array_to_tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    native = array.astype(array.dtype.newbyteorder("="), copy=True)
    if native.dtype.kind == "u" and native.dtype.itemsize > 1:
        return torch.from_numpy(native.astype(np.int64))
    return torch.from_numpy(native)


def _unpickle(data: bytes) -> object:
    try:
        with (
            warnings.catch_warnings(),
            torch.serialization.safe_globals([(Inert, name) for name in HARMLESS]),
        ):
            # torch.load warns before it raises, about TorchScript archives for example.
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises almost anything for damaged data
        raise CheckpointError(_why_not_unpickled(str(error))) from error


_FORBIDDEN_CALL = re.compile(
    r"GLOBAL (\S+) was not an allowed|unsupported GLOBAL (\S+) whose module"
)


def _why_not_unpickled(message: str) -> str:
    match = _FORBIDDEN_CALL.search(message)
    if match:
        return (
            f"wants to run {match[1] or match[2]} when it is read, so it was not read; weights "
            "need no code: save them with torch.save(net.state_dict(), ...) or as .safetensors, "
            "or name a function of yours that loads it: --module"
        )
    return "is no checkpoint that PyTorch can read; it is damaged, cut off, or another kind of file"
