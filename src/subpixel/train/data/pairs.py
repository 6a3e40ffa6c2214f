"""A picture's luma at low and at high resolution."""

from fractions import Fraction

import numpy as np

from subpixel.imaging.colour import Rgb8, luma
from subpixel.imaging.resample import imresize
from subpixel.train.data.damage import Damage, apply_damage
from subpixel.train.data.source import Luma, Pair


def make_pair(rgb: Rgb8, scale: int, damage: Damage | None = None) -> Pair:
    """``(H, W, 3)`` as the field's benchmarks have it: cropped to a multiple of ``scale``, the low
    resolution made by bicubic ``imresize`` of the RGB picture, rounded to 8 bits, then damaged."""
    height, width = (side // scale * scale for side in rgb.shape[:2])
    truth = rgb[:height, :width]
    low = imresize(truth, Fraction(1, scale))
    low = low if damage is None else apply_damage(low, damage)
    return Pair(unit_luma(low), unit_luma(truth))


def unit_luma(rgb: Rgb8) -> Luma:
    """``(H, W, 3)`` 8-bit RGB → ``(H, W)`` full-range luma in 0 … 1."""
    return (luma(rgb) / 255.0).astype(np.float32)
