"""Interpolation as linear algebra: kernels, weights and MATLAB's ``imresize``.

The bicubic kernel is Keys' cubic convolution with a = -0.5 (R. Keys, "Cubic convolution
interpolation for digital image processing", IEEE TASSP 29(6), 1981), which Pillow's
``BICUBIC`` and MATLAB's ``imresize`` use too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

BICUBIC_HALO = 2
"""The number of samples on either side that an upscaled sample depends on."""


def cubic(x: FloatArray) -> FloatArray:
    """Keys' cubic kernel (a = -0.5) at distances ``x``, in units of the sampling step."""
    d = np.abs(x)
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d <= 1.0, near, np.where(d < 2.0, far, 0.0))


def lanczos(x: FloatArray) -> FloatArray:
    """Lanczos' kernel of three lobes, a sinc windowed by a sinc, at distances ``x``."""
    return np.where(np.abs(x) < 3.0, np.sinc(x) * np.sinc(x / 3.0), 0.0)


@dataclass(frozen=True)
class Kernel:
    """How a sample is weighed by its distance, and how far away it still counts."""

    name: str
    weigh: Callable[[FloatArray], FloatArray]
    """Weights at distances in units of the sampling step; they need not sum to one."""
    reach: float
    repeats_edges: bool
    """Whether samples beyond an end are those at the end, or are left out."""


BICUBIC = Kernel("bicubic", cubic, 2.0, repeats_edges=True)
"""As MATLAB's ``imresize``."""
LANCZOS = Kernel("Lanczos", lanczos, 3.0, repeats_edges=False)
"""As Pillow's ``LANCZOS`` and ImageMagick's ``-filter Lanczos``."""


def phase_weights(scale: int) -> FloatArray:
    """Bicubic upscaling by an integer as ``scale`` short filters, one per sub-pixel phase.

    Returns float64 of shape ``(scale, 5)``: row ``p`` holds the weights of the input samples
    ``i - 2 … i + 2`` for the output sample ``i * scale + p``. Pixel centres are aligned, as in
    Pillow and MATLAB. Each row sums to one.
    """
    offsets = (np.arange(scale) + 0.5) / scale - 0.5
    return cubic(offsets[:, None] - np.arange(-2, 3)[None, :])


def bicubic_matrix(size: int, scale: int) -> FloatArray:
    """The upscaling of one axis, edges repeated, as a dense ``(size * scale, size)`` matrix.

    An independent implementation of the interpolation of :func:`phase_weights`: each verifies the
    other.
    """
    centres = (np.arange(size * scale) + 0.5) / scale - 0.5
    taps = np.floor(centres).astype(int)[:, None] + np.arange(-1, 3)[None, :]
    return _scatter(cubic(centres[:, None] - taps), taps, size)


def enlarge(picture: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """Bicubic upscaling of ``(H, W, C)`` 8-bit pixels by whole numbers, rounded half up."""
    tall = _multiply_along(picture, bicubic_matrix(picture.shape[0], rows), 0)
    result = _multiply_along(tall, bicubic_matrix(picture.shape[1], columns), 1)
    return np.clip(np.floor(result + 0.5), 0, 255).astype(np.uint8)


def interpolate(pixels: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """Bicubic upscaling of ``(H, W, C)`` float32 by ``scale``, edges repeated, not clipped.

    Equal to :func:`bicubic_matrix`, but phase by phase: the cost per pixel is that of five taps,
    whatever the picture's size.
    """
    weights = phase_weights(scale).astype(np.float32)
    for axis in (0, 1):
        pixels = _by_phases(pixels.swapaxes(0, axis), weights).swapaxes(0, axis)
    return pixels


def _by_phases(pixels: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Along the first axis."""
    length, edges = len(pixels), ((BICUBIC_HALO,) * 2, (0, 0), (0, 0))
    padded = np.pad(pixels, edges, mode="edge")
    result = np.zeros((length, len(weights), *pixels.shape[1:]), np.float32)
    for phase, taps in enumerate(weights):
        for offset in np.flatnonzero(taps):
            result[:, phase] += padded[offset : offset + length] * taps[offset]
    return result.reshape(-1, *pixels.shape[1:])


def imresize(picture: NDArray[Any], scale: Fraction) -> NDArray[Any]:
    """Resize as MATLAB's ``imresize(picture, scale, "bicubic")`` does, antialiasing included.

    ``picture`` is ``(H, W)`` or ``(H, W, C)``; the result keeps its dtype and measures ``ceil(H *
    scale)`` by ``ceil(W * scale)``. When shrinking, the kernel is stretched by ``1 / scale``.
    Integers are rounded half up and clipped after each of the two passes, rows first, and edge
    samples are repeated: this is how the field's benchmark files were made (newer MATLAB releases
    mirror at the edges instead).
    """
    down = _round_to(
        picture.dtype, _multiply_along(picture, _imresize_matrix(picture.shape[0], scale), 0)
    )
    return _round_to(
        picture.dtype, _multiply_along(down, _imresize_matrix(picture.shape[1], scale), 1)
    )


def _multiply_along(picture: NDArray[Any], matrix: FloatArray, axis: int) -> FloatArray:
    return np.moveaxis(np.tensordot(matrix, picture, axes=(1, axis)), 0, axis)


def _round_to(dtype: np.dtype[Any], values: FloatArray) -> NDArray[Any]:
    if np.issubdtype(dtype, np.integer):
        # 1e-9 compensates for the rounding of the sum where the exact value is a half.
        values = np.clip(np.floor(values + (0.5 + 1e-9)), 0, np.iinfo(dtype).max)
    return values.astype(dtype)


def _imresize_matrix(size: int, scale: Fraction) -> FloatArray:
    taps, weights = resize_taps(size, scale)
    return _scatter(weights, taps, size)


def resize_taps(
    size: int, scale: Fraction, kernel: Kernel = BICUBIC, start: int = 0, stop: int | None = None
) -> tuple[NDArray[np.int_], FloatArray]:
    """How the samples of an axis are made, in :func:`imresize` with the bicubic kernel: of which of
    the ``size`` input samples each, and with which weights, both of shape ``(ceil(size * scale),
    taps)``; or only samples ``[start, stop)``, the same numbers. When shrinking, the kernel is
    stretched by ``1 / scale``.

    Taps beyond an end stand for the sample at that end, or have the weight 0, as the kernel says.
    The weights of a sample sum to one.
    """
    stop = math.ceil(size * scale) if stop is None else stop
    shrink = min(float(scale), 1.0)
    reach = kernel.reach / shrink
    centres = (np.arange(start, stop) + 0.5) / float(scale) - 0.5
    taps = np.floor(centres - reach).astype(int)[:, None] + np.arange(math.ceil(2 * reach) + 2)
    weights = kernel.weigh((centres[:, None] - taps) * shrink)
    if not kernel.repeats_edges:
        weights[(taps < 0) | (taps >= size)] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    return taps, weights


def _scatter(weights: FloatArray, taps: NDArray[np.int_], size: int) -> FloatArray:
    """A dense matrix of each row's weights at its taps; taps outside are moved to the edge
    sample."""
    matrix = np.zeros((len(weights), size))
    rows, columns = np.arange(len(weights)), np.clip(taps, 0, size - 1)
    for tap in range(taps.shape[1]):  # for one tap, no two rows share an entry
        matrix[rows, columns[:, tap]] += weights[:, tap]
    return matrix
