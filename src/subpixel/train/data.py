"""Photographs → aligned low- and high-resolution luma crops."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import cycle, product
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.imaging.colour import Rgb8, luma
from subpixel.imaging.resample import imresize
from subpixel.media.image_file import PICTURE_SUFFIXES, read_picture
from subpixel.media.jpeg_degradation import through_jpeg

Luma = NDArray[np.float32]
SHRINKS = (Fraction(1), Fraction(3, 4), Fraction(1, 2))
"""Each photograph is also used at these sizes: smaller copies have finer detail per pixel."""

JPEG_QUALITIES = (35, 50, 65, 75, 85, 95)
"""The qualities that are common on the web, and those of phones and cameras."""


@dataclass(frozen=True)
class Pair:
    """One photograph's luma in 0 … 1: ``low`` is ``(h, w)``, ``high`` ``scale`` times larger."""

    low: Luma
    high: Luma


class Pairs(Protocol):
    """The source of batches: a list of pairs, or :class:`Views`."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Pair: ...


@dataclass(frozen=True, eq=False)
class Photograph:
    """8-bit RGB, ``(H, W, 3)``."""

    rgb: Rgb8

    @cached_property
    def luma(self) -> Luma:
        return _luma(self.rgb)


@dataclass(frozen=True, eq=False)
class View:
    """A photograph without its first rows and columns, which shifts the grid of the low-resolution
    pixels: ``scale²`` views of one photograph are all different."""

    photograph: Photograph
    scale: int
    top: int = 0
    left: int = 0
    quality: int | None = None
    """The quality at which the low resolution is stored as JPEG; None for no compression."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width at low resolution."""
        height, width = self.photograph.rgb.shape[:2]
        return (height - self.top) // self.scale, (width - self.left) // self.scale

    @cached_property
    def pair(self) -> Pair:
        """Computed on first use; ``high`` is a part of the photograph's luma, not a copy."""
        height, width = (side * self.scale for side in self.shape)
        spot = np.s_[self.top : self.top + height, self.left : self.left + width]
        low = imresize(self.photograph.rgb[spot], Fraction(1, self.scale))
        low = low if self.quality is None else through_jpeg(low, self.quality)
        return Pair(_luma(low), self.photograph.luma[spot])


@dataclass(frozen=True)
class Views:
    """The pairs of many views."""

    views: Sequence[View]

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: int, /) -> Pair:
        return self.views[index].pair


def split_pictures(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures under ``folder`` for training, and the last sixteenth of them, held out."""
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
) -> tuple[Views, list[Pair]]:
    """The pictures under ``folder`` as training pairs, and those held out.

    A training picture is used at every size in ``shrinks`` and on each of the ``scale²`` pixel
    grids; views with a low-resolution side shorter than ``crop`` are left out.

    The low resolution is made as in the field's benchmarks: bicubic ``imresize`` of the RGB
    picture, rounded to 8 bits. With ``qualities`` it is then stored as JPEG: every training picture
    once in each quality, the held-out ones in the qualities by turns.
    """
    files, held_out = split_pictures(folder)
    photographs = [Photograph(_sharp(file, shrink)) for file in files for shrink in shrinks]
    starts = range(scale)
    views = [
        View(*facts)
        for facts in product(photographs, (scale,), starts, starts, qualities or (None,))
    ]
    large = [view for view in views if min(view.shape) >= crop]
    if not large:
        raise UsageError(f"no picture in {folder} is {crop * scale} pixels high and wide or more")
    one_each = zip(held_out, cycle(qualities or (None,)), strict=False)
    return Views(large), [
        View(Photograph(_sharp(file)), scale, quality=quality).pair for file, quality in one_each
    ]


def _sharp(file: Path, shrink: Fraction = SHRINKS[0]) -> Rgb8:
    rgb = read_picture(file).rgb8()
    return rgb if shrink == 1 else imresize(rgb, shrink)


def _luma(rgb: Rgb8) -> Luma:
    return (luma(rgb) / 255.0).astype(np.float32)


def draw_batch(pairs: Pairs, size: int, crop: int, seed: int, step: int) -> tuple[Luma, Luma]:
    """``size`` random crops, flipped and rotated at random, as two NCHW arrays.

    The random numbers depend on ``seed`` and ``step`` only, so a resumed run draws the batches of
    an uninterrupted one.
    """
    random = np.random.default_rng((seed, step))
    chosen = [pairs[i] for i in random.integers(len(pairs), size=size)]
    crops = [_random_crop(pair, crop, random) for pair in chosen]
    return np.stack([low for low, _ in crops])[:, None], np.stack([high for _, high in crops])[
        :, None
    ]


def _random_crop(pair: Pair, crop: int, random: np.random.Generator) -> tuple[Luma, Luma]:
    scale = pair.high.shape[0] // pair.low.shape[0]
    top, left = (int(random.integers(side - crop + 1)) for side in pair.low.shape)
    low = pair.low[top : top + crop, left : left + crop]
    high = pair.high[top * scale : (top + crop) * scale, left * scale : (left + crop) * scale]
    turns, flip = int(random.integers(4)), bool(random.integers(2))
    return _turn(low, turns, flip), _turn(high, turns, flip)


def _turn(picture: Luma, turns: int, flip: bool) -> Luma:
    turned = np.rot90(picture, turns)
    return turned[:, ::-1] if flip else turned
