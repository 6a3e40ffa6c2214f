"""Transparency on its way through a network: no fringes, and opaque stays opaque.

Colour and alpha go through the network apart. Multiplying colour by alpha first and dividing it
out again would be exact for a linear filter only; a network leaves a rim around every shape. So
the colour that transparent pixels hide is replaced with that of the visible ones around them: the
shape's edge is then in alpha alone, and the network sees no edge in colour.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from subpixel.media.picture import FULL_SCALE
from subpixel.runtime.op import Pixels, Samples

REACH = 1
"""Input pixels on each side that bound what alpha can be between them."""


def bleed(samples: Samples) -> Samples:
    """Straight colour and alpha, ``(H, W, C)`` → the same, without any colour that is hidden.

    Every pixel keeps its colour as far as it is opaque; the rest comes from its neighbourhood,
    the nearer and the more opaque the more (pull-push: S. Gortler et al., "The Lumigraph",
    SIGGRAPH 1996, section 3.4). Alpha is left as it is.
    """
    white = np.float32(FULL_SCALE[samples.dtype])
    pixels = samples.astype(np.float32) / white
    alpha = pixels[..., -1:]
    colour = _pull_push(pixels[..., :-1] * alpha, alpha) * white
    result = samples.copy()
    result[..., :-1] = colour if samples.dtype == np.float32 else np.rint(colour)
    return result


def _pull_push(premultiplied: Pixels, weight: Pixels) -> Pixels:
    if weight.shape[:2] == (1, 1):
        return np.divide(premultiplied, weight, out=premultiplied * 0, where=weight > 0)
    total = _halved(weight)
    share = np.divide(np.minimum(total, 1), total, out=total * 0, where=total > 0)
    behind = _pull_push(_halved(premultiplied) * share, total * share)
    height, width = weight.shape[:2]
    return premultiplied + (1 - weight) * behind.repeat(2, 0).repeat(2, 1)[:height, :width]


def _halved(pixels: Pixels) -> Pixels:
    """Sums over squares of two by two; zeros beyond an odd edge."""
    height, width, channels = pixels.shape
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)))
    squares = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, channels)
    return np.asarray(squares.sum(axis=(1, 3)))


def settle(coverage: Pixels, alpha: Pixels) -> Pixels:
    """Enlarged alpha kept within what ``alpha``, ``(1, 1, H, W)``, has around each pixel.

    A network's 0.998 is no opacity, and its overshoot beside an edge would be a faint rim.
    """
    scale = coverage.shape[2] // alpha.shape[2]
    lowest, highest = (_neighbourhood(alpha, extreme) for extreme in (np.min, np.max))
    return np.clip(coverage, _enlarge(lowest, scale), _enlarge(highest, scale))


def _neighbourhood(alpha: Pixels, extreme: Callable[..., Pixels]) -> Pixels:
    side = 2 * REACH + 1
    padded = np.pad(alpha, ((0, 0), (0, 0), (REACH, REACH), (REACH, REACH)), mode="edge")
    along_rows = extreme(sliding_window_view(padded, side, axis=2), axis=-1)
    return extreme(sliding_window_view(along_rows, side, axis=3), axis=-1)


def _enlarge(pixels: Pixels, scale: int) -> Pixels:
    return pixels.repeat(scale, axis=2).repeat(scale, axis=3)
