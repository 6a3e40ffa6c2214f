"""Distances between pictures, by the field's protocol."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.colour import studio_luma
from subpixel.errors import UsageError


def psnr(a: NDArray[Any], b: NDArray[Any], peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB of two arrays of one shape; infinite when they are equal."""
    if a.shape != b.shape:
        raise UsageError(f"the pictures measure {a.shape} and {b.shape}; they must be of one size")
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return math.inf if error == 0 else 10 * math.log10(peak**2 / float(error))


def psnr_luma(rgb: NDArray[np.uint8], truth: NDArray[np.uint8], shave: int) -> float:
    """Y-PSNR in dB of two ``(H, W, 3)`` 8-bit pictures, without ``shave`` pixels of border.

    Studio-range luma is compared: the literature's protocol, with ``shave`` = the scale.
    """
    return psnr(_shaved(studio_luma(rgb), shave), _shaved(studio_luma(truth), shave))


def _shaved(luma: NDArray[np.float64], border: int) -> NDArray[np.float64]:
    return luma[border : luma.shape[0] - border, border : luma.shape[1] - border]
