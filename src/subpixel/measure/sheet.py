"""Before and after on one sheet: both pictures side by side, and below them one spot magnified."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.imaging.colour import Rgb8, luma
from subpixel.imaging.resample import enlarge, imresize

PANEL = 480
"""Width of each of the two columns, in pixels."""
SPOT = 160
"""Side of the spot that is magnified, in pixels of the larger picture, when none is named."""
GAP = 12
INK = np.array([255, 64, 64], dtype=np.uint8)
PAPER_LEVEL = 255


@dataclass(frozen=True)
class Spot:
    """A square of the larger picture."""

    top: int
    left: int
    side: int


def sheet(before: Rgb8, after: Rgb8, spot: Spot | None = None) -> Rgb8:
    """Both ``(H, W, 3)`` pictures, the smaller enlarged bicubically to the larger's size.

    Left ``before``, right ``after``; above the whole pictures, with a frame around the spot
    that is magnified below; None takes the one with most detail. Raises :class:`UsageError`
    when neither picture is a whole multiple of the other, or the spot lies outside.
    """
    pictures = _same_size(before, after)
    spot = liveliest_spot(pictures[1]) if spot is None else _inside(spot, pictures[1])
    columns = [_column(picture, spot) for picture in pictures]
    gap = np.full((columns[0].shape[0], GAP, 3), PAPER_LEVEL, np.uint8)
    return np.concatenate([columns[0], gap, columns[1]], axis=1)


def liveliest_spot(picture: Rgb8) -> Spot:
    """The square with most luma gradient energy among those on a half-overlapping grid."""
    height, width = picture.shape[:2]
    side = min(SPOT, height, width)
    rows, columns = (range(0, length - side + 1, max(1, side // 2)) for length in (height, width))
    energy = _gradient(picture)
    # Summed-area table (F. Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984).
    table = np.pad(energy.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))

    def detail(corner: tuple[int, int]) -> float:
        top, left = corner
        bottom, right = top + side, left + side
        return float(
            table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
        )

    top, left = max(((row, column) for row in rows for column in columns), key=detail)
    return Spot(top, left, side)


def _inside(spot: Spot, picture: Rgb8) -> Spot:
    height, width = picture.shape[:2]
    if spot.side < 1 or min(spot.top, spot.left) < 0:
        raise UsageError(
            f"the spot (left {spot.left}, top {spot.top}, side {spot.side}) is no square of pixels"
        )
    if spot.top + spot.side > height or spot.left + spot.side > width:
        raise UsageError(
            f"the spot (left {spot.left}, top {spot.top}, side {spot.side}) reaches out of the "
            f"picture of {width} x {height} pixels"
        )
    return spot


def _gradient(picture: Rgb8) -> NDArray[np.float64]:
    grey = np.asarray(luma(picture), dtype=np.float64)
    down = np.abs(np.diff(grey, axis=0, append=grey[-1:]))
    along = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    return np.asarray(down**2 + along**2)


def _same_size(before: Rgb8, after: Rgb8) -> tuple[Rgb8, Rgb8]:
    if before.shape[0] > after.shape[0]:
        return before, _enlarge_to(after, before)
    return _enlarge_to(before, after), after


def _enlarge_to(small: Rgb8, large: Rgb8) -> Rgb8:
    (rows, rest_rows), (columns, rest_columns) = (
        divmod(large.shape[axis], small.shape[axis]) for axis in (0, 1)
    )
    if rest_rows or rest_columns or not rows or not columns:
        raise UsageError(
            f"the pictures measure {small.shape[1]} x {small.shape[0]} and {large.shape[1]} x "
            f"{large.shape[0]}; one must be a whole multiple of the other"
        )
    return small if rows == columns == 1 else enlarge(small, rows, columns)


def _column(picture: Rgb8, spot: Spot) -> Rgb8:
    magnified = _fit(picture[spot.top :, spot.left :][: spot.side, : spot.side], PANEL)
    whole = _fit(_frame_spot(picture, spot), PANEL)
    gap = np.full((GAP, PANEL, 3), PAPER_LEVEL, np.uint8)
    return np.concatenate([whole, gap, magnified], axis=0)


def _fit(picture: Rgb8, width: int) -> Rgb8:
    """Bring to ``width``: down by ``imresize``, up by repeating pixels, so that pixels are seen."""
    if picture.shape[1] >= width:
        reduced: NDArray[Any] = imresize(picture, Fraction(width, picture.shape[1]))
        return np.asarray(reduced[:, :width])
    height = round(picture.shape[0] * width / picture.shape[1])
    rows, columns = (
        np.arange(length) * size // length
        for length, size in ((height, picture.shape[0]), (width, picture.shape[1]))
    )
    return np.asarray(picture[np.ix_(rows, columns)])


def _frame_spot(picture: Rgb8, spot: Spot) -> Rgb8:
    """A copy with a frame around the spot, as thick as it takes to be seen on the sheet."""
    thick = math.ceil(2 * picture.shape[1] / PANEL)
    framed = picture.copy()
    square = framed[spot.top : spot.top + spot.side, spot.left : spot.left + spot.side]
    for edge in (square[:thick], square[-thick:], square[:, :thick], square[:, -thick:]):
        edge[...] = INK
    return framed
