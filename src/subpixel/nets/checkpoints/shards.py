"""Sharded checkpoints: several files and their index.

``model.safetensors.index.json`` and ``pytorch_model.bin.index.json``, as transformers and
accelerate write them: ``{"metadata": …, "weight_map": {key: file}}``.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from subpixel.errors import CheckpointError
from subpixel.nets.checkpoints.containers import read_container
from subpixel.nets.checkpoints.selection import is_weight
from subpixel.nets.checkpoints.state_dict import Contents, contents_of
from subpixel.strict_json import JsonError, parse_json

INDEX_SUFFIX = ".json"

MAX_INDEX_BYTES = 64 << 20
"""More than the index of any checkpoint has."""

SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}(\.\w+)")


def read_shards(file: Path, index: bytes, wanted_key: str | None = None) -> tuple[Contents, bytes]:
    """The weights that an index lists, read from the files beside it, and all bytes read.

    Raises :class:`CheckpointError` for an index of another form, for a file that is missing or not
    beside it, and for one that lacks a weight.
    """
    places = _weight_map(index)
    data = {name: _read_part(file.parent, name) for name in sorted(set(places.values()))}
    parts = {name: _read_tensors(name, content) for name, content in data.items()}
    absent = [key for key, name in places.items() if key not in parts[name]]
    if absent:
        raise CheckpointError(f"{places[absent[0]]} lacks {absent[0]}, which the index has there")
    weights = {key: parts[name][key] for key, name in places.items()}
    everything = b"".join([index, *data.values()])
    return contents_of(weights, len(everything), "unknown", wanted_key), everything


def _weight_map(index: bytes) -> Mapping[str, str]:
    try:
        content = parse_json(index, max_bytes=MAX_INDEX_BYTES)
    except JsonError as error:
        raise CheckpointError(f"is no index of a checkpoint in several files: {error}") from error
    places = content.get("weight_map") if isinstance(content, dict) else None
    if places is None:
        raise CheckpointError("is no index of a checkpoint in several files: it has no weight_map")
    if not isinstance(places, dict) or not all(isinstance(n, str) for n in places.values()):
        raise CheckpointError("is no index of a checkpoint: its weight_map names no files")
    return places


def _read_part(folder: Path, name: str) -> bytes:
    if not name or Path(name).name != name or "\\" in name:
        raise CheckpointError(f"names the file {name!r}; the files of a checkpoint lie beside it")
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise CheckpointError(f"its part {name} can't be read: {error.strerror}") from error


def _read_tensors(name: str, data: bytes) -> Mapping[str, Tensor]:
    content = read_container(Path(name).suffix.lower(), data).content
    if not isinstance(content, Mapping):
        raise CheckpointError(f"its part {name} holds no dictionary of weights")
    return {str(key): value for key, value in content.items() if is_weight(value)}


def index_of(file: Path) -> Path | None:
    """The index that ``file`` belongs to by its name, if it is beside it."""
    form = SHARD.fullmatch(file.name)
    index = file.with_name(f"{form[1]}{form[2]}.index.json") if form else None
    return index if index and index.is_file() else None
