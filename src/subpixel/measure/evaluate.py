"""A network's quality on a benchmark set, beside bicubic interpolation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.measure.metrics import Quality, mean_quality, quality
from subpixel.media.image_file import PICTURE_SUFFIXES, read_picture
from subpixel.resample import enlarge, imresize

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Score:
    """One picture by the network and by bicubic interpolation."""

    picture: str
    network: Quality
    bicubic: Quality


@dataclass(frozen=True)
class Evaluation:
    """A set's scores, and their means."""

    scale: int
    scores: tuple[Score, ...]

    @property
    def network(self) -> Quality:
        return mean_quality([score.network for score in self.scores])

    @property
    def bicubic(self) -> Quality:
        return mean_quality([score.bicubic for score in self.scores])


@dataclass(frozen=True, eq=False)
class Result:
    """A picture that was made on the way, ``(H, W, 3)`` uint8, of the truth's size."""

    picture: str
    upscaled: Rgb


def evaluate(
    upscale: Callable[[Rgb], Rgb],
    data: Path,
    scale: int,
    report: Callable[[int, int], None] = lambda done, total: None,
    keep: Callable[[Result], None] = lambda result: None,
) -> Evaluation:
    """Measure ``upscale`` (``(h, w, 3)`` uint8 → ``scale`` times larger) on ``data``'s pictures.

    ``data`` holds ground truth in ``GT/`` and low-resolution pictures of the same names in
    ``x2/``, ``x3/``, ``x4/``; where a folder is missing, or ``data`` holds the pictures
    themselves, the low resolution is made by :func:`subpixel.resample.imresize`. The protocol:
    ground truth cropped to a multiple of the scale, 8-bit RGB in and out, ``scale`` border pixels
    shaved. The bicubic beside it is Keys', edge repeated. ``keep`` gets every picture made.
    """
    truths = _pictures(data / "GT" if (data / "GT").is_dir() else data)
    return evaluate_files(upscale, truths, scale, data / f"x{scale}", report, keep)


def evaluate_files(
    upscale: Callable[[Rgb], Rgb],
    truths: Sequence[Path],
    scale: int,
    low: Path | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
    keep: Callable[[Result], None] = lambda result: None,
) -> Evaluation:
    """:func:`evaluate` on the pictures ``truths``, their low resolution in the folder ``low``."""
    scores = []
    for done, file in enumerate(truths, start=1):
        truth, small = _pair(file, low / file.name if low else None, scale)
        upscaled, bicubic = upscale(small), enlarge(small, scale, scale)
        network = quality(upscaled, truth, scale)
        scores.append(Score(file.name, network, quality(bicubic, truth, scale)))
        keep(Result(file.name, upscaled))
        report(done, len(truths))
    return Evaluation(scale, tuple(scores))


def _pictures(folder: Path) -> list[Path]:
    files = sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise UsageError(f"{folder} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    return files


def _pair(truth_file: Path, low_file: Path | None, scale: int) -> tuple[Rgb, Rgb]:
    truth = read_picture(truth_file).rgb8()
    height, width = (side // scale * scale for side in truth.shape[:2])
    truth = truth[:height, :width]
    if low_file and low_file.is_file():
        return truth, read_picture(low_file).rgb8()
    low: Rgb = imresize(truth, Fraction(1, scale))
    return truth, low
