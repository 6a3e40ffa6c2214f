"""Samples of a picture ↔ pixels of a network, and alpha on the way."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from subpixel.colour import luma
from subpixel.errors import NetworkError
from subpixel.media.picture import FULL_SCALE
from subpixel.runtime.op import NetOp, Pixels

Samples = NDArray[Any]

ALPHA_REACH = 2
"""Input pixels on each side that decide whether a spot is wholly opaque or transparent."""


def upscale_samples(op: NetOp, samples: Samples, *, opaque: bool) -> Samples:
    """One tile through an RGB network: ``(h, w, C)`` → ``(h * scale, w * scale, C)``, same dtype.

    Grey goes in as three equal channels and comes out as their luma. Unless ``opaque``, the
    last channel is alpha: colour is multiplied by it first, both go through the network, and
    colour is divided by it again, so that the hidden colour of transparent pixels can't shine
    through (T. Porter, T. Duff, "Compositing digital images", SIGGRAPH 1984). With ``opaque``
    an alpha channel is known to be full and stays full.
    """
    channels = samples.shape[2]
    pixels = to_pixels(samples)
    if channels in (1, 3):
        result = _run(op, pixels)
    elif opaque:
        result = _with_full_alpha(_run(op, pixels[:, :-1]))
    else:
        result = _run_with_alpha(op, pixels)
    return to_samples(result, samples.dtype)


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


def _with_full_alpha(colour: Pixels) -> Pixels:
    return np.concatenate([colour, np.ones_like(colour[:, :1])], axis=1)


def _run_with_alpha(op: NetOp, pixels: Pixels) -> Pixels:
    colour, alpha = pixels[:, :-1], pixels[:, -1:]
    premultiplied = np.clip(_run(op, colour * alpha), 0.0, 1.0)
    coverage = _settle(np.clip(_run(op, alpha), 0.0, 1.0), alpha)
    with np.errstate(divide="ignore", invalid="ignore"):
        straight = np.where(coverage > 0.0, premultiplied / coverage, 0.0)
    return np.concatenate([np.minimum(straight, 1.0), coverage], axis=1)


def _settle(coverage: Pixels, alpha: Pixels) -> Pixels:
    """Make alpha exact where its whole neighbourhood is: a network's 0.998 is no opacity."""
    scale = coverage.shape[2] // alpha.shape[2]
    lowest, highest = (_neighbourhood(alpha, extreme) for extreme in (np.min, np.max))
    opaque, clear = (_enlarge(mask, scale) for mask in (lowest == 1.0, highest == 0.0))
    return np.where(opaque, np.float32(1.0), np.where(clear, np.float32(0.0), coverage))


def _neighbourhood(alpha: Pixels, extreme: Callable[..., Pixels]) -> Pixels:
    side = 2 * ALPHA_REACH + 1
    padded = np.pad(alpha, ((0, 0), (0, 0), (ALPHA_REACH,) * 2, (ALPHA_REACH,) * 2), mode="edge")
    along_rows = extreme(sliding_window_view(padded, side, axis=2), axis=-1)
    return extreme(sliding_window_view(along_rows, side, axis=3), axis=-1)


def _enlarge(mask: NDArray[np.bool_], scale: int) -> NDArray[np.bool_]:
    return mask.repeat(scale, axis=2).repeat(scale, axis=3)
