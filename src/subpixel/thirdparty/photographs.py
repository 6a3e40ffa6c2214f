"""Crops of the bundled photograph, small and large, to test networks with."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from subpixel.imaging.colour import luma
from subpixel.imaging.resample import imresize
from subpixel.media.photograph import mirror_positions, photograph

PARTS = ((60, 120), (150, 60))
"""Top left corners in the photograph, in pixels: a face, and fur."""

NOISE = 10
"""The standard deviation, in 8-bit code values, of the noise for networks that don't enlarge."""


SATURATION = 4
"""The factor by which vivid colours are farther from grey than the photograph's."""


@dataclass(frozen=True, eq=False)
class Photographs:
    """Pixels in 0 … 1, NCHW: RGB, or luma."""

    small: NDArray[np.float64]
    """The network's input."""
    large: NDArray[np.float64]
    """The expected result: the photograph itself, larger by the network's scale."""
    vivid: NDArray[np.float64]
    """The small ones with their colours exaggerated."""


def make_photographs(scale: int, channels: int, height: int, width: int) -> Photographs:
    """Small crops of ``height`` by ``width``; noisy ones for a ``scale`` of 1.

    The small ones are made from the large ones like benchmark sets, by MATLAB's ``imresize``.
    """
    large = [_crop_part(corner, height * scale, width * scale) for corner in PARTS]
    small = [_shrink_part(part, scale) if scale > 1 else _add_noise(part) for part in large]
    vivid = [_exaggerate_colours(part) for part in small]
    return Photographs(*(_planes(parts, channels) for parts in (small, large, vivid)))


def _planes(parts: Sequence[NDArray[np.uint8]], channels: int) -> NDArray[np.float64]:
    pixels = np.stack(parts) / 255.0
    colour = pixels if channels == 3 else luma(pixels)[..., None]
    return np.ascontiguousarray(colour.transpose(0, 3, 1, 2))


def _shrink_part(part: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    return imresize(part, Fraction(1, scale))


def _add_noise(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, NOISE, part.shape)
    return np.clip(np.rint(part + noise), 0, 255).astype(np.uint8)


def _exaggerate_colours(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = luma(part)[..., None]
    farther = np.rint(grey + SATURATION * (part - grey))
    vivid: NDArray[np.uint8] = np.clip(farther, 0, 255).astype(np.uint8)
    return vivid


def _crop_part(corner: tuple[int, int], height: int, width: int) -> NDArray[np.uint8]:
    """Mirrored at the photograph's edges as often as needed."""
    photo = photograph()
    rows, columns = (
        mirror_positions(start, length, size)
        for start, length, size in zip(corner, (height, width), photo.shape[:2], strict=True)
    )
    return photo[np.ix_(rows, columns)]
