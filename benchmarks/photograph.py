"""The picture that is enlarged: subpixel's own photograph, repeated to any size."""

import numpy as np
import pyvips
from numpy.typing import NDArray

from subpixel.imaging.colour import luma
from subpixel.media.photograph import photograph_file

Rgb = NDArray[np.uint8]
Luma = NDArray[np.float32]


def photograph(side: int) -> Rgb:
    """``(side, side, 3)``."""
    with photograph_file() as file:
        image = pyvips.Image.new_from_file(str(file))
    across, down = -(-side // image.width), -(-side // image.height)
    tiled: Rgb = image.replicate(across, down).crop(0, 0, side, side).numpy()
    return tiled


def planes(rgb: Rgb) -> Luma:
    """``(1, 1, H, W)`` luma in 0 … 1 of ``(H, W, 3)``."""
    return np.ascontiguousarray(luma(rgb)[None, None] / 255, np.float32)
