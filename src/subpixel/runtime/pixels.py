"""Samples of a picture ↔ pixels of a network."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.colour import luma
from subpixel.errors import NetworkError
from subpixel.media.picture import FULL_SCALE
from subpixel.runtime.alpha import settle
from subpixel.runtime.op import NetOp, Pixels

Samples = NDArray[Any]


def upscale_samples(op: NetOp, samples: Samples, *, opaque: bool) -> Samples:
    """One tile through an RGB network: ``(h, w, C)`` → ``(h * scale, w * scale, C)``, same dtype.

    Grey goes in as three equal channels and comes out as their luma. Alpha, the last of two or
    four channels, goes through the network by itself; the colour under it should have gone
    through :func:`subpixel.runtime.alpha.bleed`. With ``opaque`` alpha is known to be full, and
    stays full.
    """
    pixels = to_pixels(samples)
    if samples.shape[2] in (1, 3):
        return to_samples(_run(op, pixels), samples.dtype)
    colour, alpha = _run(op, pixels[:, :-1]), pixels[:, -1:]
    full = np.ones_like(colour[:, :1])
    coverage = full if opaque else settle(_run(op, alpha), alpha)
    return to_samples(np.concatenate([colour, coverage], axis=1), samples.dtype)


def to_pixels(samples: Samples) -> Pixels:
    """``(h, w, C)`` samples → ``(1, C, h, w)`` float32 in 0 … 1, contiguous."""
    planes = samples.transpose(2, 0, 1)[None]
    step = np.float32(1.0 / FULL_SCALE[samples.dtype])
    return np.multiply(planes, step, dtype=np.float32, order="C")


def to_samples(pixels: Pixels, dtype: np.dtype[Any]) -> Samples:
    """``(1, C, h, w)`` → ``(h, w, C)`` samples; integers are clipped and rounded half up.

    Raises :class:`NetworkError` when the network computed NaN or infinity. Floats are only
    clipped.
    """
    # A sum is finite exactly when no term is NaN or infinite (float64 can't overflow here).
    if not np.isfinite(pixels.sum(dtype=np.float64)):
        raise NetworkError("the network computed NaN or infinity; the picture was not written")
    full_scale = FULL_SCALE[np.dtype(dtype)]
    planes = np.clip(pixels[0], 0.0, 1.0)
    if dtype != np.float32:
        planes *= np.float32(full_scale)
        planes += np.float32(0.5)
    return np.ascontiguousarray(planes.astype(dtype).transpose(1, 2, 0))


def _run(op: NetOp, pixels: Pixels) -> Pixels:
    if pixels.shape[1] == 3:
        return op(pixels)
    grey = op(np.repeat(pixels, 3, axis=1))
    return np.moveaxis(luma(np.moveaxis(grey, 1, -1))[..., None], -1, 1).astype(np.float32)
