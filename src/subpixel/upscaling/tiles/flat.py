"""Flat parts of a picture go past the network: interpolated, within a bound measured for it.

Where a block of pixels and the halo around it span but a few code values, a network has nothing to
sharpen, and bicubic interpolation comes as near to it as was measured on such blocks. At the very
border of a picture the two differ more: there a network sees black beyond, interpolation the edge.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.imaging.resample import interpolate
from subpixel.media.picture import FULL_SCALE, convert_samples
from subpixel.network.flatness import Flatness
from subpixel.runtime.op import Samples
from subpixel.upscaling.tiles.bands import Upscale

FLAT_BLOCK = 64
"""Side of a block, in input pixels."""

SPANS = (16, 12, 8, 6, 4, 3, 2, 1, 0)
"""Code values of 8 bits that a flat block may span, from the widest that is tried."""

MAX_CODE = 255

Mask = NDArray[np.bool_]


def measure_flatness(upscale: Upscale, scale: int, halo: int, most: float) -> Flatness | None:
    """The widest span at which interpolation stays within ``most`` code values of ``upscale``.

    Measured on blocks of RGB of every brightness: noise, stripes of one pixel, an edge and a slope
    of that span. None where not even even blocks stay so near.
    """
    for span in SPANS:
        blocks = [block[None].astype(np.float32) / MAX_CODE for block in probes(span, halo)]
        bound = max(_difference(upscale, block, scale, halo) for block in blocks)
        if bound <= most:
            return Flatness(span, bound)
    return None


def probes(span: int, halo: int, seed: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Blocks with their halo, ``(H, W, 3)``, whose every channel spans ``span`` code values."""
    side = FLAT_BLOCK // 4 + 2 * halo
    down, across = np.mgrid[:side, :side]
    random = np.random.default_rng(seed)
    shapes: Sequence[NDArray[Any]] = (
        random.integers(0, 2, (side, side)),
        down % 2,
        (down + across) % 2,
        across > side // 2,
        across / max(side - 1, 1),
    )
    for base, shape in product(range(0, MAX_CODE + 1 - span, 32), shapes):
        grey = base + np.rint(span * shape)
        yield np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def _difference(upscale: Upscale, block: Samples, scale: int, halo: int) -> float:
    inner = slice(halo * scale, -halo * scale if halo else None)
    found, expected = upscale(block)[0], interpolate(block[0], scale)
    return float(np.abs(found - expected)[inner, inner].max()) * MAX_CODE


class Tally:
    """How many pixels there were, and how many of them were interpolated; threads may share it."""

    def __init__(self) -> None:
        self._lock, self._skipped, self._seen = Lock(), 0, 0

    @property
    def share(self) -> float:
        """Of all pixels so far, those that were interpolated: 0 … 1."""
        return self._skipped / self._seen if self._seen else 0.0

    def add(self, skipped: int, seen: int) -> None:
        with self._lock:
            self._skipped += skipped
            self._seen += seen


@dataclass(frozen=True, eq=False)
class PastFlat:
    """``upscale`` for tiles of which the flat parts are interpolated; threads may share it.

    The rest is cut into rectangles that keep ``halo`` pixels around them, so nothing beside a flat
    part comes out otherwise than without it. A tile that would cost more in rectangles than whole
    goes through the network whole.
    """

    upscale: Upscale
    scale: int
    halo: int
    span: int
    """Code values of 8 bits that a flat block spans at most: :attr:`Flatness.span`."""
    tally: Tally

    def __call__(self, tiles: Samples) -> Samples:
        cuts = [self._cut(tile) for tile in tiles]
        whole = [cut is None for cut in cuts]
        if all(whole):
            return self.upscale(tiles)
        count, height, width, channels = tiles.shape
        larger = (count, height * self.scale, width * self.scale, channels)
        result = np.empty(larger, tiles.dtype)
        if any(whole):
            result[whole] = self.upscale(tiles[whole])
        for tile, cut, room in zip(tiles, cuts, result, strict=True):
            if cut:
                self._put(tile, *cut, room)
        return result

    def _cut(self, tile: Samples) -> "tuple[list[Rectangle], list[Rectangle]] | None":
        """What goes through the network and what past it; None: all goes through it."""
        flat = flat_blocks(tile, self.span, self.halo)
        busy = list(rectangles(~flat, tile.shape))
        cost = sum(_area(_grow(place, self.halo, tile.shape)) for place in busy)
        pixels = tile.shape[0] * tile.shape[1]
        if cost >= pixels:
            self.tally.add(0, pixels)
            return None
        even = list(rectangles(flat, tile.shape))
        self.tally.add(sum(map(_area, even)), pixels)
        return busy, even

    def _put(
        self,
        tile: Samples,
        busy: Sequence["Rectangle"],
        even: Sequence["Rectangle"],
        result: Samples,
    ) -> None:
        for places, enlarge in ((busy, self._through), (even, self._interpolate)):
            for place in places:
                seen = _grow(place, self.halo, tile.shape)
                piece = enlarge(tile[seen.rows, seen.columns])
                inner = place.within(seen)
                result[place.enlarge(self.scale)] = piece[inner.enlarge(self.scale)]

    def _through(self, samples: Samples) -> Samples:
        (larger,) = self.upscale(samples[None])
        return np.asarray(larger)

    def _interpolate(self, samples: Samples) -> Samples:
        unit = convert_samples(samples, np.dtype(np.float32))
        return convert_samples(interpolate(unit, self.scale).clip(0, 1), samples.dtype)


@dataclass(frozen=True)
class Rectangle:
    """Rows ``[top, bottom)`` and columns ``[left, right)``."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.right)

    def enlarge(self, scale: int) -> tuple[slice, slice]:
        """Its place in a picture ``scale`` times larger."""
        rows, columns = self.rows, self.columns
        return (
            slice(rows.start * scale, rows.stop * scale),
            slice(columns.start * scale, columns.stop * scale),
        )

    def within(self, other: "Rectangle") -> "Rectangle":
        """The same place, counted from the corner of ``other``."""
        return Rectangle(
            self.top - other.top,
            self.bottom - other.top,
            self.left - other.left,
            self.right - other.left,
        )


def flat_blocks(tile: Samples, span: int, halo: int) -> Mask:
    """Which blocks of ``(h, w, C)`` span, with ``halo`` pixels around them, no more than ``span``
    code values of 8 bits in any channel: one value for each block, those at the edge smaller."""
    most = span * FULL_SCALE[tile.dtype] / MAX_CODE
    lowest, highest = (_extreme(tile, halo, extreme) for extreme in (np.minimum, np.maximum))
    spread = highest.astype(np.float64) - lowest
    return np.asarray((spread <= most * (1 + 1e-6)).all(axis=2))


def _extreme(tile: Samples, halo: int, extreme: np.ufunc) -> Samples:
    for axis in (0, 1):
        length = tile.shape[axis]
        ranges = [
            slice(max(start - halo, 0), min(start + FLAT_BLOCK + halo, length))
            for start in range(0, length, FLAT_BLOCK)
        ]
        moved = tile.swapaxes(0, axis)
        tile = np.stack([extreme.reduce(moved[r], axis=0) for r in ranges]).swapaxes(0, axis)
    return tile


def rectangles(mask: Mask, shape: Sequence[int]) -> Iterator[Rectangle]:
    """The blocks that are true as few rectangles of pixels, each block in one of them; a picture of
    ``shape`` cuts off those at its edge."""
    left = mask.copy()
    while left.any():
        row, column = np.argwhere(left)[0]
        width = _count_leading(left[row, column:])
        height = _count_leading(np.all(left[row:, column : column + width], axis=1))
        left[row : row + height, column : column + width] = False
        yield Rectangle(
            row * FLAT_BLOCK,
            min((row + height) * FLAT_BLOCK, shape[0]),
            column * FLAT_BLOCK,
            min((column + width) * FLAT_BLOCK, shape[1]),
        )


def _count_leading(values: Mask) -> int:
    """How many are true before the first that isn't."""
    return len(values) if values.all() else int(values.argmin())


def _grow(place: Rectangle, halo: int, shape: Sequence[int]) -> Rectangle:
    return Rectangle(
        max(place.top - halo, 0),
        min(place.bottom + halo, shape[0]),
        max(place.left - halo, 0),
        min(place.right + halo, shape[1]),
    )


def _area(place: Rectangle) -> int:
    return (place.bottom - place.top) * (place.right - place.left)
