"""Which way leads to a size that no network has: which filter, in which light, which networks in
turn.

Ground truth is made smaller by a factor (MATLAB's bicubic, 8 bits), brought back to its size by
networks and a filter, and compared: Y-PSNR in dB, means over the pictures.

    python benchmarks/target_size.py --data FOLDER
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from subpixel.imaging.colour import Rgb8, studio_luma
from subpixel.imaging.metrics import psnr
from subpixel.imaging.resample import cubic, imresize
from subpixel.media.image_file import read_picture
from subpixel.upscaling.upscaler import Upscaler

Floats = NDArray[np.float64]
BORDER = 8
"""Pixels at each side that are left out of the comparison."""


@dataclass(frozen=True)
class Filter:
    """A kernel and its reach, in steps of the coarser grid."""

    name: str
    kernel: Callable[[Floats], Floats]
    reach: float


def lanczos(x: Floats) -> Floats:
    """Lanczos' windowed sinc of three lobes."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def mitchell(x: Floats) -> Floats:
    """Mitchell and Netravali's cubic, B = C = 1/3: ImageMagick's for enlarging."""
    d = np.abs(x)
    near = (7 * d**3 - 12 * d**2 + 16 / 3) / 6
    far = (-7 / 3 * d**3 + 12 * d**2 - 20 * d + 32 / 3) / 6
    return np.where(d < 1, near, np.where(d < 2, far, 0.0))


def triangle(x: Floats) -> Floats:
    """Linear interpolation."""
    return np.maximum(0.0, 1 - np.abs(x))


FILTERS = (
    Filter("bicubic", cubic, 2),
    Filter("Lanczos 3", lanczos, 3),
    Filter("Mitchell", mitchell, 2),
    Filter("triangle", triangle, 1),
)


def resize(samples: Floats, height: int, width: int, kind: Filter) -> Floats:
    """``(H, W, C)`` to another size, antialiased, edges repeated."""
    tall = np.tensordot(_matrix(samples.shape[0], height, kind), samples, (1, 0))
    return np.tensordot(_matrix(samples.shape[1], width, kind), tall, (1, 1)).swapaxes(0, 1)


def _matrix(size: int, target: int, kind: Filter) -> Floats:
    shrink = min(1.0, target / size)
    centres = (np.arange(target) + 0.5) * size / target - 0.5
    reach = math.ceil(kind.reach / shrink) + 1
    taps = np.floor(centres).astype(int)[:, None] + np.arange(-reach, reach + 1)
    weights = kind.kernel((centres[:, None] - taps) * shrink)
    matrix = np.zeros((target, size))
    rows = np.arange(target)[:, None].repeat(taps.shape[1], 1)
    np.add.at(matrix, (rows, taps.clip(0, size - 1)), weights)
    return matrix / matrix.sum(1, keepdims=True)


def to_linear(codes: Floats) -> Floats:
    """sRGB (IEC 61966-2-1) in 0 … 1 as light."""
    return np.where(codes <= 0.04045, codes / 12.92, ((codes.clip(0) + 0.055) / 1.055) ** 2.4)


def to_codes(light: Floats) -> Floats:
    """Its inverse, clipped."""
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def resize_picture(picture: Rgb8, height: int, width: int, kind: Filter, light: str) -> Rgb8:
    """8 bits to 8 bits."""
    unit = picture / 255
    if light == "linear":
        small = to_codes(resize(to_linear(unit), height, width, kind))
    else:
        small = resize(unit, height, width, kind).clip(0, 1)
    return np.floor(small * 255 + 0.5).astype(np.uint8)


def small_and_truth(file: Path, factor: Fraction) -> tuple[Rgb8, Rgb8]:
    """The truth's sides are multiples of the factor's numerator, so the small one's are whole."""
    truth = read_picture(file).rgb8()
    height, width = (side // factor.numerator * factor.numerator for side in truth.shape[:2])
    truth = truth[:height, :width]
    return imresize(truth, 1 / factor), truth


def score(picture: Rgb8, truth: Rgb8) -> float:
    """Y-PSNR without the border."""
    inner = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    return psnr(studio_luma(picture)[inner], studio_luma(truth)[inner])


class Networks:
    """One upscaler for each scale."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._open: dict[int, Upscaler] = {}

    def __call__(self, picture: Rgb8, scales: Sequence[int]) -> Rgb8:
        for scale in scales:
            if scale not in self._open:
                self._open[scale] = Upscaler(self._model, scale=scale, tuning=False)
            picture = self._open[scale](picture)
        return picture


def compare_filters(networks: Networks, files: Sequence[Path], factor: Fraction) -> None:
    """The next larger network, then every filter in both lights."""
    scores: dict[tuple[str, str], list[float]] = {}
    for file in files:
        small, truth = small_and_truth(file, factor)
        larger = networks(small, [math.ceil(factor)])
        for kind in FILTERS:
            for light in ("gamma", "linear"):
                result = resize_picture(larger, *truth.shape[:2], kind, light)
                scores.setdefault((kind.name, light), []).append(score(result, truth))
        plain = resize_picture(small, *truth.shape[:2], FILTERS[0], "gamma")
        scores.setdefault(("no network, bicubic", "gamma"), []).append(score(plain, truth))
    for (name, light), values in scores.items():
        print(f"x{float(factor):g} {name:20s} {light:7s} {fmean(values):.3f}", flush=True)


def compare_turns(
    networks: Networks, files: Sequence[Path], factor: int, ways: Sequence[tuple[int, ...]]
) -> None:
    """Several ways to one factor, each ended by the bicubic filter where it is not there yet."""
    for way in ways:
        values = []
        for file in files:
            small, truth = small_and_truth(file, Fraction(factor))
            larger = networks(small, way)
            values.append(
                score(resize_picture(larger, *truth.shape[:2], FILTERS[0], "gamma"), truth)
            )
        name = " x ".join(map(str, way)) or "no network"
        print(f"x{factor} by {name:12s} {fmean(values):.3f}", flush=True)


TURNS: dict[int, tuple[tuple[int, ...], ...]] = {
    5: ((), (4,), (2, 3), (3, 2), (2, 4)),
    6: ((), (4,), (2, 3), (3, 2), (2, 4)),
    7: ((), (4,), (2, 4), (4, 2), (3, 3)),
    8: ((), (4,), (2, 4), (4, 2), (2, 2, 2), (3, 3)),
    12: ((), (4,), (3, 4), (4, 3), (2, 2, 3)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="benchmark sets, each with GT/")
    parser.add_argument("--sets", nargs="+", default=["Set5", "Set14"])
    parser.add_argument("--model", default="balanced")
    parser.add_argument("--factors", nargs="+", default=["5/4", "3/2", "7/4", "5/2", "7/2"])
    parser.add_argument("--turns", nargs="*", type=int, default=[5, 6, 7, 8, 12])
    options = parser.parse_args()
    files = sorted(f for name in options.sets for f in (options.data / name / "GT").iterdir())
    networks = Networks(options.model)
    for factor in options.factors:
        compare_filters(networks, files, Fraction(factor))
    for factor in options.turns:
        compare_turns(networks, files, factor, TURNS[factor])


if __name__ == "__main__":
    main()
