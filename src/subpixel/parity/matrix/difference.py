"""Where two results differ most, as pictures to look at."""

import math
from dataclasses import dataclass

import numpy as np

from subpixel.imaging.colour import Rgb8
from subpixel.parity.cases import Case
from subpixel.runtime.op import Pixels

WINDOW_SIDE = 192
"""Largest side of the spot that is shown, in output pixels."""


@dataclass(frozen=True, eq=False)
class Difference:
    """The spot around the largest difference; each picture is ``(h, w, 3)`` of uint8."""

    case: Case
    top: int
    left: int
    """Where the spot begins in the output, in pixels."""
    reference: Rgb8
    candidate: Rgb8
    amplified: Rgb8
    """Candidate minus reference, times ``amplification``, on mid-grey."""
    amplification: float
    """A power of two."""


def difference(case: Case, reference: Pixels, candidate: Pixels) -> Difference | None:
    """Show where two results of ``case``, each ``(N, C, H, W)``, are furthest apart.

    None when there is nothing to see: they are equal, of different shapes, or not finite.
    """
    if reference.shape != candidate.shape or not np.isfinite([reference, candidate]).all():
        return None
    apart = np.abs(candidate - reference)
    largest = float(apart.max(initial=0.0))
    if not largest:
        return None
    index, _, row, column = np.unravel_index(int(apart.argmax()), apart.shape)
    rows, columns = (
        _window_around(int(at), length)
        for at, length in ((row, apart.shape[2]), (column, apart.shape[3]))
    )
    before, after = (side[index, :, rows, columns] for side in (reference, candidate))
    amplification = 2.0 ** math.floor(math.log2(0.5 / largest))
    amplified = 0.5 + (after - before) * amplification
    return Difference(
        case,
        rows.start,
        columns.start,
        _to_picture(before),
        _to_picture(after),
        _to_picture(amplified),
        amplification,
    )


def _window_around(position: int, length: int) -> slice:
    start = min(max(position - WINDOW_SIDE // 2, 0), max(length - WINDOW_SIDE, 0))
    return slice(start, min(start + WINDOW_SIDE, length))


def _to_picture(planes: Pixels) -> Rgb8:
    codes = np.rint(np.clip(planes, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return np.repeat(codes, 3, axis=2) if codes.shape[2] == 1 else codes
