"""MATLAB's bicubic ``imresize`` by one over a whole number, for parts of pictures.

Away from a picture's edges every sample is made with the same weights, so a part needs only what is
around it.
"""

from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from subpixel.imaging.resample import resize_taps

HALF = 0.5 + 1e-4
"""What is added before rounding down; sums in single precision may fall short of a half."""


def round_half_up(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """To whole numbers of 0 … 255."""
    rounded: NDArray[np.float32] = np.clip(np.floor(values + np.float32(HALF)), 0, 255)
    return rounded


def reach(scale: int) -> int:
    """How many samples beside its own ``scale`` a reduced sample depends on, on either side."""
    return 2 * scale


def reduction_taps(scale: int) -> NDArray[np.float32]:
    """The weights of the ``5 * scale`` samples from ``reach`` before a reduced sample's own on."""
    taps, weights = resize_taps(20 * scale, Fraction(1, scale), start=10, stop=11)
    whole = np.zeros(5 * scale)
    places = taps[0] - (10 * scale - reach(scale))
    inside = (places >= 0) & (places < len(whole))
    assert not weights[0][~inside].any()
    whole[places[inside]] = weights[0][inside]
    return whole.astype(np.float32)


@cache
def reduction(scale: int, side: int) -> NDArray[np.float32]:
    """``(side, side * scale + 2 * reach)``: reduces an axis whose ends are beyond those needed."""
    matrix = np.zeros((side, side * scale + 2 * reach(scale)), np.float32)
    for row, line in enumerate(matrix):
        line[row * scale : (row + 5) * scale] = reduction_taps(scale)
    return matrix
