"""A checkpoint's bytes → its weights by name, without running or trusting anything in the file.

Everything that a file claims is bounded by its size: compressed archives, recursive dictionaries,
tensors larger than their data and layers numbered into the millions are rejected, as they would
exhaust the memory here or in the code that builds networks from them.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from subpixel.errors import CheckpointError
from subpixel.nets.checkpoints.containers import read_container
from subpixel.nets.checkpoints.keys import clean_keys
from subpixel.nets.checkpoints.selection import printable, select_weights

Weights = Mapping[str, Tensor]

MAX_SHARING = 8
"""The maximum ratio of a state dict's claimed size to its file's; entries may share their data."""

MAX_DIMENSIONS = 64
"""Of a tensor that PyTorch computes with (``TensorIterator``)."""

_LICENCES = ("license", "licence", "modelspec.license")


@dataclass(frozen=True)
class Contents:
    """The content of a checkpoint file: dense tensors by name, and notes on them."""

    weights: Weights
    licence: str = "unknown"
    """As stated in the file."""
    notes: tuple[str, ...] = ()
    """The selected set of weights, and the precision in which they are stored."""


def read_contents(suffix: str, data: bytes, key: str | None = None) -> Contents:
    """Read the weights from a file's bytes; ``suffix`` is that of the file's name.

    Of several sets of weights ``key`` names one; else averaged ones take precedence over the
    network's own. Floating-point weights become float32. Raises :class:`CheckpointError` for data
    that is damaged, of another kind, without a dictionary of tensors, would run code when
    unpickled, contains NaN or infinity, or claims more than it holds.
    """
    container = read_container(suffix, data)
    licence = _read_licence(container.header or container.content)
    return contents_of(container.content, len(data), licence, key)


def contents_of(content: object, size: int, licence: str, key: str | None) -> Contents:
    """The same from the content of files of ``size`` bytes together."""
    chosen = select_weights(content, key)
    weights = clean_keys(chosen.weights)
    _expect_sound(weights, size)
    notes = tuple(note for note in (str(chosen), _note_precision(weights)) if note)
    return Contents({name: _as_float32(w) for name, w in weights.items()}, licence, notes)


def _read_licence(header: object) -> str:
    stated: Any = header if isinstance(header, Mapping) else {}
    texts = [stated[key] for key in _LICENCES if isinstance(stated.get(key), str)]
    return " ".join(texts[0].split())[:100] if texts else "unknown"


def _note_precision(weights: Weights) -> str:
    """A note on weights that are mostly stored in fewer bits than float32."""
    dtypes = Counter[torch.dtype]()
    for weight in weights.values():
        if weight.is_floating_point():
            dtypes[weight.dtype] += weight.numel()
    dtype = dtypes.most_common(1)[0][0] if dtypes else torch.float32
    if dtype.itemsize >= torch.float32.itemsize:
        return ""
    return f"weights stored as {str(dtype).removeprefix('torch.')}, run in float32"


def _as_float32(weight: Tensor) -> Tensor:
    return weight.detach().float() if weight.is_floating_point() else weight.detach()


def _expect_sound(weights: Weights, size: int) -> None:
    claimed = sum(value.numel() * value.element_size() for value in weights.values())
    if claimed > MAX_SHARING * size:
        raise CheckpointError(
            f"holds {size} bytes, but its weights share their data to claim {claimed}"
        )
    max_number = 100 + 10 * len(weights)
    for key in weights:
        for number in re.findall(r"(?<![^.])\d+(?![^.])", key):
            if len(number) > 9 or int(number) > max_number:
                raise CheckpointError(
                    f"numbers a layer {number[:20]}, but holds no more than {len(weights)} weights"
                )
    deep = [key for key, value in weights.items() if value.dim() > MAX_DIMENSIONS]
    if deep:
        raise CheckpointError(
            f"{printable(deep[0])} has {weights[deep[0]].dim()} dimensions; PyTorch computes with "
            f"up to {MAX_DIMENSIONS}"
        )
    broken = [key for key, value in weights.items() if not _is_finite(value)]
    if broken:
        raise CheckpointError(first_few([f"{key} holds NaN or infinity" for key in broken]))


def _is_finite(weight: Tensor) -> bool:
    """Also true for attention masks: 0, and -infinity where attention is masked."""
    if not weight.is_floating_point():
        return True
    values = weight.float()
    return bool(torch.isfinite(values).all()) or bool(
        ((values == 0) | (values == -torch.inf)).all()
    )


def first_few(faults: list[str]) -> str:
    """The first three faults, and the number of further ones."""
    return "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "")
