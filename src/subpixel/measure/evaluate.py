"""A network's quality on a benchmark set, beside bicubic interpolation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from subpixel.errors import SubpixelError
from subpixel.imaging.colour import Rgb8
from subpixel.imaging.metrics import Naturalness, Perceive, Quality, mean_quality, quality
from subpixel.imaging.resample import enlarge
from subpixel.measure.benchmark_set import Benchmark, expect_sizes, read_pair


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

    Raises what :func:`~subpixel.measure.benchmark_set.expect_sizes` raises, before the first
    picture, and any error of one picture with its name.
    """
    expect_sizes(pictures)
    scores, scale = [], pictures.scale
    for place, file in enumerate(pictures.truths):
        with _named(pictures, place):
            small, truth = read_pair(pictures, place)
            upscaled, bicubic = upscale(small), enlarge(small, scale, scale)
            network, enlarged = (
                quality(rgb, truth, scale, perceive, naturalness) for rgb in (upscaled, bicubic)
            )
        scores.append(PictureScore(file.name, network, enlarged))
        keep(Result(file.name, upscaled))
        report(place + 1, len(pictures.truths))
    return Evaluation(scale, tuple(scores))


@contextmanager
def _named(pictures: Benchmark, place: int) -> Iterator[None]:
    """Errors begin with the picture's file, unless they name it, or its small one, already."""
    try:
        yield
    except SubpixelError as error:
        files = [pictures.truths[place], *([pictures.lows[place]] if pictures.lows else [])]
        if any(str(file) in str(error) for file in files):
            raise
        raise type(error)(f"{files[0]}: {error}") from error
