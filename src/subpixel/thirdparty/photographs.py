"""Parts of the bundled photograph, small and large: what networks are asked with."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from subpixel.imaging.colour import luma
from subpixel.imaging.resample import imresize
from subpixel.media.photograph import mirror_positions, photograph

PARTS = ((60, 120), (150, 60))
"""Upper left corners, in pixels of the photograph: a face, and fur."""

NOISE = 10
"""Standard deviation, in 8-bit code values, of what a network that doesn't enlarge may remove."""


SATURATION = 4
"""By what vivid colours are farther from grey than the photograph's."""


@dataclass(frozen=True, eq=False)
class Photographs:
    """Pixels in 0 … 1, NCHW: RGB, or luma."""

    small: NDArray[np.float64]
    """What the network is given."""
    large: NDArray[np.float64]
    """What it should make of it: the photograph itself, larger by the network's factor."""
    vivid: NDArray[np.float64]
    """The small ones with their colours exaggerated."""


def photographs(scale: int, channels: int, height: int, width: int) -> Photographs:
    """Small parts of ``height`` by ``width``; noisy ones for a ``scale`` of 1.

    The small ones are made from the large ones as benchmark sets are, by MATLAB's ``imresize``.
    """
    large = [_part(corner, height * scale, width * scale) for corner in PARTS]
    small = [_shrunk(part, scale) if scale > 1 else _noisy(part) for part in large]
    vivid = [_vivid(part) for part in small]
    return Photographs(*(_planes(parts, channels) for parts in (small, large, vivid)))


def _planes(parts: Sequence[NDArray[np.uint8]], channels: int) -> NDArray[np.float64]:
    pixels = np.stack(parts) / 255.0
    colour = pixels if channels == 3 else luma(pixels)[..., None]
    return np.ascontiguousarray(colour.transpose(0, 3, 1, 2))


def _shrunk(part: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    return imresize(part, Fraction(1, scale))


def _noisy(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, NOISE, part.shape)
    return np.clip(np.rint(part + noise), 0, 255).astype(np.uint8)


def _vivid(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = luma(part)[..., None]
    farther = np.rint(grey + SATURATION * (part - grey))
    vivid: NDArray[np.uint8] = np.clip(farther, 0, 255).astype(np.uint8)
    return vivid


def _part(corner: tuple[int, int], height: int, width: int) -> NDArray[np.uint8]:
    """Mirrored at the photograph's edges as often as needed."""
    photo = photograph()
    rows, columns = (
        mirror_positions(start, length, size)
        for start, length, size in zip(corner, (height, width), photo.shape[:2], strict=True)
    )
    return photo[np.ix_(rows, columns)]
