"""Samples of a picture ↔ pixels of a network."""

from itertools import product
from typing import Any

import numpy as np

from subpixel.errors import NetworkError
from subpixel.media.picture import FULL_SCALE
from subpixel.runtime.op import CodeOp, Pixels, Samples

ROWS = 64
"""Rows converted at a time: few enough to stay in the processor's cache."""


def through_codes(op: CodeOp, pixels: Pixels) -> Pixels:
    """An 8-bit network as a :class:`~subpixel.runtime.op.NetOp`: pixels are clipped and rounded
    half up to code values."""
    codes = (np.clip(pixels, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    result = op(codes.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    enlarged: Pixels = np.multiply(result, np.float32(1 / 255), dtype=np.float32, order="C")
    return enlarged


def to_pixels(samples: Samples) -> Pixels:
    """``(N, h, w, C)`` samples → ``(N, C, h, w)`` float32 in 0 … 1, contiguous."""
    planes = samples.transpose(0, 3, 1, 2)
    step = np.float32(1.0 / FULL_SCALE[samples.dtype])
    return np.multiply(planes, step, dtype=np.float32, order="C")


def to_samples(pixels: Pixels, dtype: np.dtype[Any]) -> Samples:
    """``(N, C, h, w)`` → ``(N, h, w, C)`` samples; integers are clipped and rounded half up.

    Raises :class:`NetworkError` when the network computed NaN or infinity. Floats are only
    clipped.
    """
    if not np.isfinite([pixels.min(), pixels.max()]).all():  # NaN propagates to both
        raise NetworkError("the network computed NaN or infinity; the picture was not written")
    count, channels, height, width = pixels.shape
    result = np.empty((count, height, width, channels), dtype)
    for tile, top in product(range(count), range(0, height, ROWS)):
        rows = slice(top, top + ROWS)
        result[tile, rows] = _scale_to_range(pixels[tile, :, rows], result.dtype).transpose(1, 2, 0)
    return result


def _scale_to_range(planes: Pixels, dtype: np.dtype[Any]) -> Pixels:
    """Clip, and scale to an integer dtype's range, plus a half: truncation then rounds half up."""
    clipped = np.clip(planes, 0.0, 1.0)
    if dtype != np.float32:
        clipped *= np.float32(FULL_SCALE[dtype])
        clipped += np.float32(0.5)
    return clipped
