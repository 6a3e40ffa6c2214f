"""Quality metrics by the field's protocol."""

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.imaging.colour import studio_luma

SSIM_WINDOW = 11
"""Side of the window in which structural similarity is measured, in pixels."""


MAX_PSNR = 120.0
"""In dB: what equal pictures are given where figures are subtracted."""


def psnr(a: NDArray[Any], b: NDArray[Any], peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB of two arrays of one shape; infinite when they are equal."""
    _expect_one_size(a, b)
    return psnr_of(a.astype(np.float64) - b.astype(np.float64), peak)


def psnr_of(error: NDArray[Any], peak: float) -> float:
    """PSNR in dB of differences, where the largest value is ``peak``; infinite when all are 0."""
    mean_square = float(np.mean(np.square(error, dtype=np.float64)))
    return 10 * math.log10(peak**2 / mean_square) if mean_square else math.inf


def json_psnr(psnr: float | None) -> float | str | None:
    """A PSNR as a JSON value: infinity, which JSON lacks, is the text ``"inf"``."""
    return "inf" if psnr == math.inf else psnr


def ssim(a: NDArray[Any], b: NDArray[Any], peak: float = 255.0) -> float:
    """Structural similarity of two ``(H, W)`` arrays, the mean over all complete windows.

    Wang et al., "Image quality assessment: from error visibility to structural similarity" (IEEE
    TIP 2004), as in its authors' MATLAB code: a Gaussian window of 11×11 with sigma 1.5, K1 = 0.01,
    K2 = 0.03. NaN where no window fits.
    """
    _expect_one_size(a, b)
    if min(a.shape) < SSIM_WINDOW:
        return math.nan
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _window_means(x), _window_means(y)
    variance_x = _window_means(x * x) - mean_x**2
    variance_y = _window_means(y * y) - mean_y**2
    covariance = _window_means(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    likeness /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float(likeness.mean())


def _window_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted means over the windows that lie wholly inside."""
    weights = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    rows = sliding_window_view(values, SSIM_WINDOW, axis=0) @ (weights / weights.sum())
    result: NDArray[np.float64] = sliding_window_view(rows, SSIM_WINDOW, axis=1) @ (
        weights / weights.sum()
    )
    return result


def _expect_one_size(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape:
        raise UsageError(
            f"the pictures have the shapes {a.shape} and {b.shape}; they must be equal"
        )


def least_side(shave: int) -> int:
    """Pixels that a picture needs on each side to be measured without a border of ``shave``."""
    return SSIM_WINDOW + 2 * shave


def _expect_window(picture: NDArray[Any], shave: int) -> None:
    height, width = picture.shape[:2]
    least = least_side(shave)
    if min(height, width) < least:
        raise UsageError(
            f"the picture measures {width}×{height}; to be measured, each side must have "
            f"{least} pixels: SSIM's window and a border of {shave} on both sides"
        )


@dataclass(frozen=True)
class Quality:
    """The quality of a picture compared with the ground truth: PSNR in dB, SSIM up to 1."""

    psnr: float
    """Of studio-range luma, as in the literature."""
    ssim: float
    psnr_rgb: float
    """Of all three channels together."""
    ssim_rgb: float
    """The mean of the three channels."""
    lpips: float | None = None
    """0 for equal pictures; None where it wasn't requested."""
    dists: float | None = None
    brisque: float | None = None
    """Of the picture alone, whatever the ground truth: about 0 to 100, lower for what looks more
    natural; None where it wasn't requested."""


Perceive = Callable[[NDArray[np.uint8], NDArray[np.uint8]], tuple[float, float]]
"""LPIPS and DISTS of a picture and the ground truth: see :mod:`subpixel.nets.perceptual`."""

Naturalness = Callable[[NDArray[np.uint8]], float]
"""BRISQUE of a picture alone: see :mod:`subpixel.nets.naturalness`."""


def quality(
    rgb: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    shave: int,
    perceive: Perceive | None = None,
    naturalness: Naturalness | None = None,
) -> Quality:
    """The quality of an ``(H, W, 3)`` 8-bit picture without a border of ``shave`` pixels.

    With ``shave`` = the scale this is the literature's protocol. ``perceive`` and ``naturalness``
    get RGB with the same border shaved, so that every figure is of the same pixels. Raises
    :class:`UsageError` for pictures of two sizes, and where less than a window of SSIM is left.
    """
    _expect_one_size(rgb, truth)
    _expect_window(rgb, shave)
    a, b = _shave(rgb, shave), _shave(truth, shave)
    luma_a, luma_b = studio_luma(a), studio_luma(b)
    channels = [ssim(a[..., i], b[..., i]) for i in range(3)]
    lpips, dists = perceive(a, b) if perceive else (None, None)
    return Quality(
        psnr(luma_a, luma_b),
        ssim(luma_a, luma_b),
        psnr(a, b),
        fmean(channels),
        lpips,
        dists,
        naturalness(a) if naturalness else None,
    )


def mean_quality(qualities: Sequence[Quality]) -> Quality:
    """The mean of each metric; None where one is missing."""
    columns = zip(*map(astuple, qualities), strict=True)
    means: list[Any] = [None if None in figures else fmean(figures) for figures in columns]
    return Quality(*means)


def _shave(picture: NDArray[np.uint8], border: int) -> NDArray[np.uint8]:
    return picture[border : picture.shape[0] - border, border : picture.shape[1] - border]
