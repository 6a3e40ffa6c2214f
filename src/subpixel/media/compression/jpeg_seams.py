"""What is left of a JPEG's blocks in a picture that was made smaller afterwards.

Along the seams of 8x8 blocks brightness jumps, so the jumps of a JPEG repeat every 8 columns and
rows, and every 8 times the factor after it was made smaller. In the spectrum of the mean jump by
column, and by row, that is a line at one frequency of both (the period of a resampled JPEG: Bianchi
and Piva, "Reverse engineering of double JPEG compression in the presence of image resizing", WIFS
2012).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subpixel.media.compression.jpeg_steps import LumaPlanes

MIN_PERIOD, MAX_PERIOD = 3.7, 7.4
"""Pixels between two seams: below, they leave no damage; above, the picture may be as it was."""

WHOLE_BLOCK = 8.3
"""Pixels up to which lines are looked at, so that those of a JPEG as it was are told apart."""

MIN_HARMONIC_POWER = 3.0
"""Of a line at half the frequency, from which a line is its harmonic: a JPEG as it was has one at 4
pixels."""

MIN_POWER = 6.0
"""Of the weaker of the two lines, in units of chance, for pictures of :data:`FEW_SAMPLES`."""

FEW_SAMPLES = 160
"""Columns and rows; the more there are, the more lines there may be by chance."""

MAX_JUMP = 24.0
"""Code values of 8 bits: what is more is an edge, and counts as this."""

MAX_CONTRAST = 1.0
"""A JPEG's seams are weaker; pixels that are drawn large make stronger ones."""

MEAN_WINDOW = 17
"""Columns, or rows, whose mean jump a jump is compared with."""

MIN_LENGTH = 48
"""Columns, and rows, that are needed for a spectrum."""

Spectrum = NDArray[np.complex128]


@dataclass(frozen=True)
class JpegSeams:
    """Seams of blocks that are no longer 8 pixels wide."""

    period: float
    """Pixels from one to the next."""
    contrast: float
    """How much greater jumps are there than around, as the amplitude of a sine: 0 … 1."""


def find_jpeg_seams(planes: LumaPlanes, spacing: int) -> JpegSeams | None:
    """The seams that stand out in columns and rows alike; None where none do.

    ``spacing`` is how many rows of the picture lie between the first of one band and of the next.
    """
    count, height, width = planes.shape
    if spacing == height:
        planes = planes.reshape(1, count * height, width)
    across = _measure_jumps(planes).mean(axis=0)[np.newaxis]
    down = _measure_jumps(planes.swapaxes(1, 2))
    places = np.arange(down.shape[1]) + spacing * np.arange(len(down))[:, np.newaxis]
    if min(across.size, down.size) < MIN_LENGTH:
        return None
    return _find_common_line(
        (across, np.arange(across.shape[1])[np.newaxis]),
        (down, places),
    )


def _measure_jumps(planes: LumaPlanes) -> NDArray[np.float64]:
    """``(N, w - 3)``: by how much the mean jump at each column of a band exceeds those around."""
    jumps = np.minimum(np.abs(np.diff(planes, 3, axis=2)), MAX_JUMP).mean(axis=1)
    if jumps.shape[1] < MEAN_WINDOW:
        return np.zeros((len(jumps), 0))
    padded = np.pad(jumps, ((0, 0), (MEAN_WINDOW // 2, MEAN_WINDOW // 2)), mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, MEAN_WINDOW, axis=1).mean(axis=2)
    excess: NDArray[np.float64] = jumps / np.maximum(around, 0.5) - 1
    return excess


def _find_common_line(*signals: tuple[NDArray[np.float64], NDArray[np.int64]]) -> JpegSeams | None:
    """The strongest line that all ``signals``, values and their places, have."""
    most = max(int(places.max()) + 1 for _, places in signals)
    frequencies = np.arange(1 / WHOLE_BLOCK, 1 / MIN_PERIOD, 1 / (8 * max(most, 500)))
    spectra = [_transform_at(frequencies, *signal) for signal in signals]
    powers = [
        np.abs(spectrum) ** 2 / (values.size * max(float(values.var()), 1e-9))
        for spectrum, (values, _) in zip(spectra, signals, strict=True)
    ]
    weaker = np.minimum.reduce(powers)
    best = int(weaker.argmax())
    period = 1 / float(frequencies[best])
    half = np.abs(frequencies - frequencies[best] / 2) < 1 / most
    is_harmonic = bool((weaker[half] > MIN_HARMONIC_POWER).any())
    min_power = MIN_POWER + math.log(max(most / FEW_SAMPLES, 1))
    if weaker[best] < min_power or period > MAX_PERIOD or is_harmonic:
        return None
    sines = [
        2 * float(np.abs(spectrum[best])) / values.size
        for spectrum, (values, _) in zip(spectra, signals, strict=True)
    ]
    contrast = math.prod(sines) ** (1 / len(sines))
    return None if contrast > MAX_CONTRAST else JpegSeams(period, contrast)


def _transform_at(
    frequencies: NDArray[np.float64], values: NDArray[np.float64], places: NDArray[np.int64]
) -> Spectrum:
    """The Fourier transform of values at any places."""
    turns = np.outer(frequencies, places.ravel())
    result: Spectrum = np.exp(-2j * np.pi * turns) @ values.ravel()
    return result
