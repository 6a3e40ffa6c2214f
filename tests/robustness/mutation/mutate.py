"""The mutator of each format, and how many changes a case has."""

import random
from collections.abc import Callable, Sequence
from functools import partial

from tests.robustness.mutation.archives import mutate_archive, mutate_pickle, mutate_safetensors
from tests.robustness.mutation.json_text import mutate_json
from tests.robustness.mutation.messages import mutate_message
from tests.robustness.mutation.pieces import BOXES, GIF, JPEG, PNG, RIFF, Grammar, mutate_pieces
from tests.robustness.mutation.plain import MAX_BYTES, Dice, mutate_bytes
from tests.robustness.mutation.tiff import mutate_tiff

Mutator = Callable[[Dice, bytes, bytes], bytes]


def _by_pieces(grammar: Grammar) -> Mutator:
    return partial(_mutate_by, grammar)


def _mutate_by(grammar: Grammar, dice: Dice, data: bytes, other: bytes) -> bytes:
    return mutate_pieces(dice, data, other, grammar)


MUTATORS: dict[str, Mutator] = {
    ".png": _by_pieces(PNG),
    ".jpg": _by_pieces(JPEG),
    ".webp": _by_pieces(RIFF),
    ".avif": _by_pieces(BOXES),
    ".heic": _by_pieces(BOXES),
    ".jxl": _by_pieces(BOXES),
    ".gif": _by_pieces(GIF),
    ".tif": mutate_tiff,
    ".exif": mutate_tiff,
    ".onnx": mutate_message,
    ".pth": mutate_archive,
    ".npz": mutate_archive,
    ".pkl": mutate_pickle,
    ".safetensors": mutate_safetensors,
    ".json": mutate_json,
}
"""By the suffix of a seed; other files are changed as bytes."""

STRUCTURE_SHARE = 0.65
"""Of the changes, those that know the format."""

SECURED = (".onnx", ".pth", ".npz", ".safetensors", ".json")
"""Suffixes of files that a changed byte makes unreadable as a whole, or whose bytes are weights:
most changes know the format."""

SECURED_SHARE = 0.9


def mutate(dice: random.Random, suffix: str, data: bytes, others: Sequence[bytes]) -> bytes:
    """``data`` with one to six changes; never empty."""
    share = SECURED_SHARE if suffix in SECURED else STRUCTURE_SHARE
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 6))):
        other = dice.choice(others) if others else data
        structured = suffix in MUTATORS and dice.random() < share
        change = MUTATORS[suffix] if structured else mutate_bytes
        data = change(dice, data, other) or b"\0"
    return data[:MAX_BYTES]
