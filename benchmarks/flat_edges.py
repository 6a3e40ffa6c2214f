"""Rims along the edges of flat areas: how far networks go beyond what is around, on drawings.

    python benchmarks/flat_edges.py

Enlarges pictures that are drawn pixel by pixel (scripts/sample_pictures.py) and measures by how
many code values of luma the result lies outside the range of the 5×5 pixels around: its mean, and
in how many percent of the pixels that is more than 4.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from sample_pictures import draw_all

from subpixel.imaging.colour import Rgb8, studio_luma
from subpixel.imaging.resample import enlarge
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.family import POINTS

SCALE = 3
CROP = slice(64, 192)
REACH = 2
SEEN = 4
"""Code values of luma from which a rim counts."""


def rims(larger: Rgb8, small: Rgb8) -> tuple[float, float]:
    """Mean excess in code values, and percent of the pixels where it is more than :data:`SEEN`."""
    padded = np.pad(studio_luma(small), REACH, mode="edge")
    around = sliding_window_view(padded, (2 * REACH + 1, 2 * REACH + 1))
    low, high = (
        reduce(around, axis=(2, 3)).repeat(SCALE, 0).repeat(SCALE, 1) for reduce in (np.min, np.max)
    )
    luma = studio_luma(larger)
    excess = np.maximum(luma - high, 0) + np.maximum(low - luma, 0)
    inner = excess[8:-8, 8:-8]
    return float(inner.mean()), float((inner > SEEN).mean() * 100)


def main() -> None:
    networks = {
        p.name: Upscaler(scale=SCALE, denoise=p.strength, device="cpu", tuning=False)
        for p in POINTS
    }
    print(f"| picture | {' | '.join([*networks, 'bicubic'])} |")
    for name, image in draw_all().items():
        small = np.asarray(image)[CROP, CROP]
        larger = [network(small) for network in networks.values()]
        found = [rims(each, small) for each in (*larger, enlarge(small, SCALE, SCALE))]
        print(f"| {name} | {' | '.join(f'{mean:.3f}, {share:.2f} %' for mean, share in found)} |")


if __name__ == "__main__":
    main()
