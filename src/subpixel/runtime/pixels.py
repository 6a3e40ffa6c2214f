"""Samples of a picture ↔ pixels of a network."""

from itertools import product
from typing import Any

import numpy as np

from subpixel.colour import luma
from subpixel.errors import NetworkError
from subpixel.media.picture import FULL_SCALE
from subpixel.runtime.alpha import settle
from subpixel.runtime.op import CodeOp, Codes, NetOp, Pixels, Samples

ROWS = 64
"""Rows that are turned into samples at a time: few enough to stay in the processor's cache."""


def upscale_samples(op: NetOp, samples: Samples, *, opaque: bool) -> Samples:
    """Tiles through an RGB network: ``(N, h, w, C)`` → ``(N, h * scale, w * scale, C)``, one dtype.

    Grey goes in as three equal channels and comes out as their luma. Alpha, the last of two or
    four channels, goes through the network by itself; the colour under it should have gone
    through :func:`subpixel.runtime.alpha.bleed`. With ``opaque`` alpha is known to be full, and
    stays full.
    """
    pixels = to_pixels(samples)
    if samples.shape[3] in (1, 3):
        return to_samples(_run(op, pixels), samples.dtype)
    colour, alpha = _run(op, pixels[:, :-1]), pixels[:, -1:]
    coverage = np.ones_like(colour[:, :1]) if opaque else settle(_run(op, alpha), alpha)
    return to_samples(np.concatenate([colour, coverage], axis=1), samples.dtype)


def upscale_codes(op: CodeOp, samples: Codes, *, opaque: bool) -> Codes:
    """:func:`upscale_samples` for 8-bit samples and a network that takes them as they are."""
    if samples.shape[3] in (1, 3):
        return _run_codes(op, samples)
    colour, alpha = _run_codes(op, samples[..., :-1]), samples[..., -1:]
    coverage = np.full_like(colour[..., :1], 255) if opaque else _coverage(op, alpha)
    return np.concatenate([colour, coverage], axis=3)


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
    if not np.isfinite([pixels.min(), pixels.max()]).all():  # NaN is both of them
        raise NetworkError("the network computed NaN or infinity; the picture was not written")
    count, channels, height, width = pixels.shape
    result = np.empty((count, height, width, channels), dtype)
    for tile, top in product(range(count), range(0, height, ROWS)):
        rows = slice(top, top + ROWS)
        result[tile, rows] = _quantised(pixels[tile, :, rows], result.dtype).transpose(1, 2, 0)
    return result


def _quantised(planes: Pixels, dtype: np.dtype[Any]) -> Pixels:
    """Clipped, and for integers in their range: cutting off the fraction then rounds half up."""
    clipped = np.clip(planes, 0.0, 1.0)
    if dtype != np.float32:
        clipped *= np.float32(FULL_SCALE[dtype])
        clipped += np.float32(0.5)
    return clipped


def _run(op: NetOp, pixels: Pixels) -> Pixels:
    if pixels.shape[1] == 3:
        return op(pixels)
    grey = op(np.repeat(pixels, 3, axis=1))
    return np.moveaxis(luma(np.moveaxis(grey, 1, -1))[..., None], -1, 1).astype(np.float32)


def _coverage(op: CodeOp, alpha: Codes) -> Codes:
    enlarged = _run_codes(op, alpha)
    settled = settle(enlarged.transpose(0, 3, 1, 2), alpha.transpose(0, 3, 1, 2))
    coverage: Codes = settled.transpose(0, 2, 3, 1)
    return coverage


def _run_codes(op: CodeOp, codes: Codes) -> Codes:
    if codes.shape[3] == 3:
        return op(codes)
    grey = luma(op(np.repeat(codes, 3, axis=3)))
    rounded: Codes = (grey[..., None] + np.float32(0.5)).astype(np.uint8)
    return rounded
