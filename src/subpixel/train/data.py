"""Photographs → aligned low- and high-resolution luma crops."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subpixel.colour import luma
from subpixel.errors import UsageError
from subpixel.media.image_file import PICTURE_SUFFIXES, read_picture
from subpixel.media.jpeg import through_jpeg
from subpixel.resample import imresize

Luma = NDArray[np.float32]
Rgb = NDArray[np.uint8]

SHRINKS = (Fraction(1), Fraction(3, 4), Fraction(1, 2))
"""Each photograph is also used at these sizes: smaller copies hold finer detail per pixel."""

JPEG_QUALITIES = (35, 50, 65, 75, 85, 95)
"""What pictures on the web are stored at, and what phones and cameras store."""


@dataclass(frozen=True)
class Pair:
    """One photograph's luma in 0 … 1: ``low`` is ``(h, w)``, ``high`` ``scale`` times larger."""

    low: Luma
    high: Luma


def split(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures under ``folder`` to train on, and the last sixteenth, which is held out."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if len(files) < 2:
        raise UsageError(f"{folder} holds {len(files)} pictures; training needs at least 2")
    held_out = max(1, len(files) // 16)
    return files[:-held_out], files[-held_out:]


def load_pairs(
    folder: Path,
    scale: int,
    crop: int,
    shrinks: Sequence[Fraction] = SHRINKS,
    qualities: Sequence[int] = (),
) -> tuple[list[Pair], list[Pair]]:
    """The pictures under ``folder`` as pairs to train on, and those held out.

    Copies with a low-resolution side shorter than ``crop`` are left out of the training pairs.

    The low resolution is made as the field's benchmarks make theirs: bicubic ``imresize`` of
    the RGB picture, rounded to 8 bits. With ``qualities`` it then goes through JPEG: those to
    train on once in each quality, those held out in one after the other.
    """
    files, held_out = split(folder)
    sharp = (_sharp(file, shrink) for file in files for shrink in shrinks)
    train = [pair for rgb in sharp for pair in _pairs(rgb, scale, qualities or (None,))]
    train = [pair for pair in train if min(pair.low.shape) >= crop]
    if not train:
        raise UsageError(f"no picture in {folder} is {crop * scale} pixels high and wide or more")
    one_each = zip(held_out, cycle(qualities or (None,)), strict=False)
    return train, [pair for file, q in one_each for pair in _pairs(_sharp(file), scale, (q,))]


def _sharp(file: Path, shrink: Fraction = SHRINKS[0]) -> Rgb:
    rgb = read_picture(file).rgb8()
    return rgb if shrink == 1 else imresize(rgb, shrink)


def _pairs(rgb: Rgb, scale: int, qualities: Sequence[int | None]) -> list[Pair]:
    """One pair for each JPEG quality, None standing for no compression; ``high`` is shared."""
    height, width = (side // scale * scale for side in rgb.shape[:2])
    high = rgb[:height, :width]
    low, truth = imresize(high, Fraction(1, scale)), _luma(high)
    return [Pair(_luma(low if q is None else through_jpeg(low, q)), truth) for q in qualities]


def _luma(rgb: Rgb) -> Luma:
    return (luma(rgb) / 255.0).astype(np.float32)


def batch(pairs: Sequence[Pair], size: int, crop: int, seed: int, step: int) -> tuple[Luma, Luma]:
    """``size`` random crops, flipped and turned at random, as two NCHW arrays.

    The random numbers depend on ``seed`` and ``step`` alone, so a resumed run sees the batches
    that an unbroken one would have seen.
    """
    random = np.random.default_rng((seed, step))
    chosen = [pairs[i] for i in random.integers(len(pairs), size=size)]
    crops = [_crop(pair, crop, random) for pair in chosen]
    return np.stack([low for low, _ in crops])[:, None], np.stack([high for _, high in crops])[
        :, None
    ]


def _crop(pair: Pair, crop: int, random: np.random.Generator) -> tuple[Luma, Luma]:
    scale = pair.high.shape[0] // pair.low.shape[0]
    top, left = (int(random.integers(side - crop + 1)) for side in pair.low.shape)
    low = pair.low[top : top + crop, left : left + crop]
    high = pair.high[top * scale : (top + crop) * scale, left * scale : (left + crop) * scale]
    turns, flip = int(random.integers(4)), bool(random.integers(2))
    return _turn(low, turns, flip), _turn(high, turns, flip)


def _turn(picture: Luma, turns: int, flip: bool) -> Luma:
    turned = np.rot90(picture, turns)
    return turned[:, ::-1] if flip else turned
