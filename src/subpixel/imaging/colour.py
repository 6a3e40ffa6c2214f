"""The luma and chroma of ITU-R BT.601, full range (JFIF) and studio range.

Sources: ITU-R Recommendation BT.601-7, section 2.5; the full-range form is that of JFIF
(ITU-T T.871, section 7), which JPEG files and Pillow's ``YCbCr`` mode use.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Rgb8 = NDArray[np.uint8]
"""RGB of 8 bits: ``(H, W, 3)``."""

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
"""Y of R, G and B; they sum to one, so a grey pixel is its own luma."""

_KR, _KG, _KB = LUMA_WEIGHTS

RGB_TO_CHROMA = np.array([[-_KR, -_KG, 1 - _KB], [1 - _KR, -_KG, -_KB]]) / np.array(
    [[2 * (1 - _KB)], [2 * (1 - _KR)]]
)
"""``(2, 3)``: Cb and Cr, in -0.5 … 0.5, of R, G and B in 0 … 1."""

CHROMA_TO_RGB = np.array(
    [
        [0.0, 2 * (1 - _KR)],
        [-2 * (1 - _KB) * _KB / _KG, -2 * (1 - _KR) * _KR / _KG],
        [2 * (1 - _KB), 0.0],
    ]
)
"""``(3, 2)``: what Cb and Cr add to Y to give R, G and B."""


def luma(rgb: NDArray[Any]) -> NDArray[Any]:
    """Full-range Y of ``(..., 3)`` RGB, in the range of the input; floating point."""
    weights = np.array(LUMA_WEIGHTS, dtype=np.result_type(rgb.dtype, np.float32))
    return np.asarray(rgb @ weights)


def studio_luma(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """Studio-range Y (16 … 235) of ``(..., 3)`` RGB in 0 … 255: what PSNR is taken on."""
    return 16.0 + luma(rgb.astype(np.float64)) * (219.0 / 255.0)
