"""A network's quality on a benchmark set, beside bicubic interpolation."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.measure.metrics import psnr_luma
from subpixel.media.image_file import PICTURE_SUFFIXES, read_picture
from subpixel.resample import enlarge, imresize

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Score:
    """One picture's Y-PSNR in dB."""

    picture: str
    psnr: float
    bicubic_psnr: float


@dataclass(frozen=True)
class Evaluation:
    """A set's scores, and their means."""

    scale: int
    scores: tuple[Score, ...]

    @property
    def psnr(self) -> float:
        return fmean(score.psnr for score in self.scores)

    @property
    def bicubic_psnr(self) -> float:
        return fmean(score.bicubic_psnr for score in self.scores)


def evaluate(
    upscale: Callable[[Rgb], Rgb],
    data: Path,
    scale: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Measure ``upscale`` (``(h, w, 3)`` uint8 → ``scale`` times larger) on ``data``'s pictures.

    ``data`` holds ground truth in ``GT/`` and low-resolution pictures of the same names in
    ``x2/``, ``x3/``, ``x4/``; where a folder is missing, or ``data`` holds the pictures
    themselves, the low resolution is made by :func:`subpixel.resample.imresize`. The protocol:
    ground truth cropped to a multiple of the scale, 8-bit RGB in and out, Y-PSNR with ``scale``
    border pixels shaved. The bicubic beside it is Keys', edge repeated.
    """
    truths = _pictures(data / "GT" if (data / "GT").is_dir() else data)
    scores = []
    for done, file in enumerate(truths, start=1):
        truth, low = _pair(file, data / f"x{scale}" / file.name, scale)
        scores.append(_score(file.name, upscale(low), enlarge(low, scale, scale), truth, scale))
        report(done, len(truths))
    return Evaluation(scale, tuple(scores))


def _pictures(folder: Path) -> list[Path]:
    files = sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise UsageError(f"{folder} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    return files


def _pair(truth_file: Path, low_file: Path, scale: int) -> tuple[Rgb, Rgb]:
    truth = read_picture(truth_file).rgb8()
    height, width = (side // scale * scale for side in truth.shape[:2])
    truth = truth[:height, :width]
    if low_file.is_file():
        return truth, read_picture(low_file).rgb8()
    low: Rgb = imresize(truth, Fraction(1, scale))
    return truth, low


def _score(name: str, result: Rgb, bicubic: Rgb, truth: Rgb, scale: int) -> Score:
    return Score(name, psnr_luma(result, truth, scale), psnr_luma(bicubic, truth, scale))
