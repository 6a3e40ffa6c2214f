"""What the pictures show on which two networks are compared."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from subpixel.imaging.colour import luma
from subpixel.media.image_file import read_picture
from subpixel.media.photograph import mirror_positions, photograph
from subpixel.runtime.op import Pixels
from subpixel.runtime.pixels import to_pixels

Content = Literal[
    "noise",
    "zeros",
    "ones",
    "gradients",
    "impulses",
    "photo",
    "grey photo",
    "dark photo",
    "bright photo",
    "random",
]

IMPULSE_SHARE = 1 / 64

DARK = 1 / 16
"""The dark photograph's white; the bright one's black is as far from white."""

LEVELS = 8
"""As many seeds, one after the other, give random pictures of as many ranges of mean brightness,
black to white."""

Shape = tuple[int, int, int]
"""Channels, height and width of one picture."""


def draw(content: Content, shape: Shape, index: int, seed: int) -> Pixels:
    """One picture, ``shape`` of float32 in 0 … 1, the ``index``-th of its batch.

    The same arguments always give the same pixels. The pictures of a batch differ, zeros and
    ones apart, so that mixing them up shows. ``seed`` changes ``"random"`` alone: a photograph
    of any part, brightness, contrast, colour cast and noise.
    """
    return _PICTURES[content](shape, index, seed).astype(np.float32)


def read_pixels(file: Path, channels: int) -> Pixels:
    """A picture file's first frame, ``(channels, height, width)`` of float32 in 0 … 1.

    Alpha is left out; one channel is the luma of the colours.
    """
    planes = to_pixels(read_picture(file).frames[:1])[0]
    colours = planes[: 3 if len(planes) > 2 else 1]
    if channels == 3:
        return np.broadcast_to(colours, (3, *colours.shape[1:]))
    return colours if len(colours) == 1 else luma(colours.transpose(1, 2, 0))[None]


def _noise(shape: Shape, index: int, _seed: int) -> Pixels:
    return _generator(shape, index).random(shape, np.float32)


def _zeros(shape: Shape, _index: int, _seed: int) -> Pixels:
    return np.zeros(shape, np.float32)


def _ones(shape: Shape, _index: int, _seed: int) -> Pixels:
    return np.ones(shape, np.float32)


def _gradients(shape: Shape, index: int, _seed: int) -> Pixels:
    """Ramps from 0 to 1: across, down, and along the diagonal, in turn over channels and batch."""
    channels, height, width = shape
    down, across = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    ramps = (across, down, (across + down) / 2)
    return np.stack([ramps[(plane + index) % 3] for plane in range(channels)])


def _impulses(shape: Shape, index: int, _seed: int) -> Pixels:
    """Single white pixels on black; in every second picture black ones on white."""
    hit = _generator(shape, index).random(shape) < IMPULSE_SHARE
    hit[:, shape[1] // 2, shape[2] // 2] = True
    picture: Pixels = (hit != bool(index % 2)).astype(np.float32)
    return picture


def _photo(shape: Shape, index: int, _seed: int) -> Pixels:
    """The middle of the photograph; later ones moved."""
    return _part(shape, (16 * index, 16 * index))


def _grey_photo(shape: Shape, index: int, seed: int) -> Pixels:
    """The photograph without colour: its channels are equal."""
    grey = _photo((1, *shape[1:]), index, seed)
    return np.repeat(grey, shape[0], axis=0)


def _dark_photo(shape: Shape, index: int, seed: int) -> Pixels:
    dark: Pixels = _photo(shape, index, seed) * np.float32(DARK)
    return dark


def _bright_photo(shape: Shape, index: int, seed: int) -> Pixels:
    bright: Pixels = 1 - _dark_photo(shape, index, seed)
    return bright


def _random(shape: Shape, index: int, seed: int) -> Pixels:
    random = _generator(shape, index, seed)
    photo = _part(shape, (int(random.integers(300)), int(random.integers(300))))
    toned = photo ** random.uniform(0.4, 2.5)
    level = (seed % LEVELS + random.uniform()) / LEVELS
    cast = random.uniform(-0.1, 0.1, (shape[0], 1, 1))
    noise = random.choice([0.0, 0.02, 0.2]) * random.standard_normal(shape)
    contrasted = random.uniform() * (toned - toned.mean())
    picture: Pixels = np.clip(level + cast + contrasted + noise, 0, 1)
    return picture


def _part(shape: Shape, start: tuple[int, int]) -> Pixels:
    """The photograph from ``start``, counted from its middle, mirrored at its edges."""
    channels, *wanted = shape
    rgb = photograph()
    rows, columns = (
        mirror_positions((side - length) // 2 + first, length, side)
        for side, length, first in zip(rgb.shape[:2], wanted, start, strict=True)
    )
    crop = rgb[np.ix_(rows, columns)].astype(np.float32) / np.float32(255)
    planes: Pixels = (crop if channels == 3 else luma(crop)[..., None]).transpose(2, 0, 1)
    return planes


def _generator(shape: Shape, index: int, seed: int = 0) -> np.random.Generator:
    channels, height, width = shape
    return np.random.default_rng((height, width, channels, index, seed))


_PICTURES: Mapping[Content, Callable[[Shape, int, int], Pixels]] = {
    "noise": _noise,
    "zeros": _zeros,
    "ones": _ones,
    "gradients": _gradients,
    "impulses": _impulses,
    "photo": _photo,
    "grey photo": _grey_photo,
    "dark photo": _dark_photo,
    "bright photo": _bright_photo,
    "random": _random,
}
