"""A checkpoint's bytes → its weights by name. Nothing in the file is run, nor believed unchecked.

Everything that a file may claim is bounded by what it holds: compressed archives, dictionaries
inside themselves, tensors larger than their data and layers numbered into the millions are
refused, as they would fill the memory here or in the code that builds networks from them.
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
from subpixel.nets.checkpoints.selection import select_weights

Weights = Mapping[str, Tensor]

MAX_SHARING = 8
"""How many times its file's size a state dict may claim; entries may share their data."""

_LICENCES = ("license", "licence", "modelspec.license")


@dataclass(frozen=True)
class Contents:
    """What a checkpoint file holds: dense tensors by name, and what is to be said of them."""

    weights: Weights
    licence: str = "unknown"
    """As the file states it."""
    notes: tuple[str, ...] = ()
    """Which of several sets of weights they are, and in what precision they are stored."""


def read_contents(suffix: str, data: bytes, wanted: str | None = None) -> Contents:
    """Take the weights out of a file's bytes; ``suffix`` says what kind of file it is called.

    Of several sets of weights ``wanted`` names one; else averaged ones come first, then the
    network's own. Floating-point weights become float32. Raises :class:`CheckpointError` for
    bytes that are damaged, of another kind, hold no dictionary of tensors, would run code when
    unpickled, hold NaN or infinity, or claim more than they hold.
    """
    container = read_container(suffix, data)
    licence = _read_licence(container.header or container.content)
    return contents_of(container.content, len(data), licence, wanted)


def contents_of(content: object, size: int, licence: str, wanted: str | None) -> Contents:
    """The same from what was in files of ``size`` bytes together."""
    chosen = select_weights(content, wanted)
    weights = clean_keys(chosen.weights)
    _expect_sound(weights, size)
    notes = tuple(note for note in (str(chosen), _note_precision(weights)) if note)
    return Contents({key: _as_float32(value) for key, value in weights.items()}, licence, notes)


def _read_licence(header: object) -> str:
    stated: Any = header if isinstance(header, Mapping) else {}
    texts = [stated[key] for key in _LICENCES if isinstance(stated.get(key), str)]
    return " ".join(texts[0].split())[:100] if texts else "unknown"


def _note_precision(weights: Weights) -> str:
    """What is to be said of weights that most are stored in fewer bits than they run in."""
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
    broken = [key for key, value in weights.items() if not _is_finite(value)]
    if broken:
        raise CheckpointError(first_few([f"{key} holds NaN or infinity" for key in broken]))


def _is_finite(weight: Tensor) -> bool:
    """Also true of masks of attention: 0, and -infinity where nothing is to be looked at."""
    if not weight.is_floating_point():
        return True
    values = weight.float()
    return bool(torch.isfinite(values).all()) or bool(
        ((values == 0) | (values == -torch.inf)).all()
    )


def first_few(faults: list[str]) -> str:
    """The first three of many findings, and how many more there are."""
    return "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "")
