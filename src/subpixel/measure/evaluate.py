"""A network's quality on a benchmark set, beside bicubic interpolation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.imaging.colour import Rgb8
from subpixel.imaging.metrics import Naturalness, Perceive, Quality, mean_quality, quality
from subpixel.imaging.resample import enlarge, imresize
from subpixel.media.image_file import PICTURE_SUFFIXES, read_picture
from subpixel.media.jpeg_degradation import through_jpeg


@dataclass(frozen=True)
class Benchmark:
    """Pictures to be made anew from small ones."""

    truths: Sequence[Path]
    scale: int
    low: Path | None = None
    """A folder of low-resolution pictures of the same names; where one is missing, it is made by
    :func:`subpixel.imaging.resample.imresize`."""
    jpeg: int | None = None
    """The JPEG quality that the low resolution goes through first, 1 … 100; None: it doesn't."""


@dataclass(frozen=True)
class PictureScore:
    """One picture by the network and by bicubic interpolation."""

    picture: str
    network: Quality
    bicubic: Quality


@dataclass(frozen=True)
class Evaluation:
    """A set's scores, and their means."""

    scale: int
    scores: tuple[PictureScore, ...]

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
    upscaled: Rgb8


def benchmark(data: Path, scale: int, jpeg: int | None = None) -> Benchmark:
    """The pictures of ``data``: ground truth in ``GT/`` with low resolution of the same names in
    ``x2/``, ``x3/``, ``x4/`` beside it, or ground truth alone.

    Raises :class:`UsageError` where there are none.
    """
    truths = _pictures(data / "GT" if (data / "GT").is_dir() else data)
    return Benchmark(truths, scale, data / f"x{scale}", jpeg)


def evaluate(
    upscale: Callable[[Rgb8], Rgb8],
    pictures: Benchmark,
    report: Callable[[int, int], None] = lambda done, total: None,
    keep: Callable[[Result], None] = lambda result: None,
    perceive: Perceive | None = None,
    naturalness: Naturalness | None = None,
) -> Evaluation:
    """Measure ``upscale`` (``(h, w, 3)`` uint8 → ``scale`` times larger) on ``pictures``.

    The protocol: ground truth cropped to a multiple of the scale, 8-bit RGB in and out, ``scale``
    border pixels shaved. The bicubic beside it is Keys', edge repeated. ``report`` gets the
    numbers of pictures done and to do, ``keep`` every picture made. With ``perceive``, LPIPS and
    DISTS are measured besides, with ``naturalness`` BRISQUE.
    """
    scores, scale = [], pictures.scale
    for done, file in enumerate(pictures.truths, start=1):
        truth, small = _low_and_truth(file, pictures)
        upscaled, bicubic = upscale(small), enlarge(small, scale, scale)
        network, enlarged = (
            quality(rgb, truth, scale, perceive, naturalness) for rgb in (upscaled, bicubic)
        )
        scores.append(PictureScore(file.name, network, enlarged))
        keep(Result(file.name, upscaled))
        report(done, len(pictures.truths))
    return Evaluation(scale, tuple(scores))


def _pictures(folder: Path) -> list[Path]:
    files = sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise UsageError(f"{folder} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    return files


def _low_and_truth(file: Path, pictures: Benchmark) -> tuple[Rgb8, Rgb8]:
    truth = read_picture(file).rgb8()
    height, width = (side // pictures.scale * pictures.scale for side in truth.shape[:2])
    truth = truth[:height, :width]
    low = _low(truth, pictures.low / file.name if pictures.low else None, pictures.scale)
    return truth, low if pictures.jpeg is None else through_jpeg(low, pictures.jpeg)


def _low(truth: Rgb8, file: Path | None, scale: int) -> Rgb8:
    if file and file.is_file():
        return read_picture(file).rgb8()
    low: Rgb8 = imresize(truth, Fraction(1, scale))
    return low
