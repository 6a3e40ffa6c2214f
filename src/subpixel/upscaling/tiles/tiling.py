"""The geometry of tiles: whole numbers, settled before any pixel moves.

All lengths are input pixels. Along each axis the tiles have one and the same size, no larger than
it takes for so many to reach from end to end, as what they share is computed twice. The last one
is moved inward to end where the picture ends, so its border is the picture's border and the
network sees there what it would see in the whole picture.

Where a tile lies is computed when it is asked for: a plan takes no more memory for millions of
tiles than for one.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.spec import Padding

USEFUL = 4
"""Halos that a tile keeps at least when a picture is cut for the sake of threads alone: what is
computed twice is then at most half as much again."""


@dataclass(frozen=True)
class Span:
    """One tile along one axis: it reads ``[start, stop)`` and keeps ``[keep_start, keep_stop)``."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


@dataclass(frozen=True)
class Spans:
    """The tiles along an axis of ``length`` pixels, from its start to its end; none is stored.

    Each reads ``size`` pixels of the ``padded`` length and begins ``step`` after the one before,
    the last one where it ends with the axis; neighbours meet ``halo`` pixels inside both.
    """

    length: int
    padded: int
    size: int
    step: int
    halo: int

    def __len__(self) -> int:
        if self._last_start + self.halo < self.length:
            return 1 + -(-self._last_start // self.step)
        # Tiles that would keep nothing but padding are left out.
        return max(1, 1 + (self.length - self.halo - 1) // self.step)

    def __getitem__(self, number: int) -> Span:
        count = len(self)
        if not -count <= number < count:
            raise IndexError(f"tile {number} of {count}")
        number %= count
        start = min(number * self.step, self._last_start)
        keep_start = self._cut(number) if number else 0
        keep_stop = self._cut(number + 1) if number + 1 < count else self.length
        return Span(start, start + self.size, keep_start, keep_stop)

    def __iter__(self) -> Iterator[Span]:
        return map(self.__getitem__, range(len(self)))

    @property
    def max_kept(self) -> int:
        """The most pixels that a tile keeps: the first or the last one, whose one halo is kept."""
        ends = self[0], self[-1]
        return max(span.keep_stop - span.keep_start for span in ends)

    @property
    def _last_start(self) -> int:
        return self.padded - self.size

    def _cut(self, number: int) -> int:
        """Where tile ``number`` takes over from the one before."""
        return min(min(number * self.step, self._last_start) + self.halo, self.length)


@dataclass(frozen=True)
class TileGroups:
    """The tiles of a band, those together that go through the network at once: as few groups as
    may be, none more than a tile larger than another, none of more than ``batch``."""

    spans: Spans
    batch: int

    def __len__(self) -> int:
        return -(-len(self.spans) // self.batch)

    def __getitem__(self, number: int) -> tuple[Span, ...]:
        count, tiles = len(self), len(self.spans)
        if not -count <= number < count:
            raise IndexError(f"group {number} of {count}")
        number %= count
        return tuple(
            self.spans[i] for i in range(number * tiles // count, (number + 1) * tiles // count)
        )

    def __iter__(self) -> Iterator[tuple[Span, ...]]:
        return map(self.__getitem__, range(len(self)))

    @property
    def max_tiles(self) -> int:
        """Of a group."""
        return -(-len(self.spans) // len(self))


@dataclass(frozen=True)
class Tile:
    rows: Span
    columns: Span


@dataclass(frozen=True)
class Tiles:
    """Every tile of ``rows`` crossed with ``columns``, from top to bottom."""

    rows: Spans
    columns: Spans

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[Tile]:
        return (Tile(row, column) for row in self.rows for column in self.columns)


@dataclass(frozen=True)
class TilePlan:
    """How a picture of ``height`` by ``width`` is cut. Tiles keep every pixel exactly once.

    ``padded_height`` and ``padded_width`` are what the network gets to see: larger than the
    picture where the network demands a fixed size or a multiple. Every span of ``rows`` crosses
    every span of ``columns``: a band of tiles. Up to ``batch`` of a band's tiles go through the
    network at once: a run. The tiles and results of a frame's first ``cache_runs`` runs are held
    until the next frame's.
    """

    rows: Spans
    columns: Spans
    padding: Padding = "reflect"
    batch: int = 1
    cache_runs: int = 0

    @property
    def height(self) -> int:
        return self.rows.length

    @property
    def width(self) -> int:
        return self.columns.length

    @property
    def padded_height(self) -> int:
        return self.rows.padded

    @property
    def padded_width(self) -> int:
        return self.columns.padded

    @property
    def groups(self) -> TileGroups:
        """The columns of a band, in groups of up to ``batch``."""
        return TileGroups(self.columns, self.batch)

    @property
    def runs(self) -> int:
        """How often the network runs."""
        return len(self.rows) * len(self.groups)

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of every tile, halo included."""
        return self.rows.size, self.columns.size

    @property
    def tiles(self) -> "Tiles":
        """All tiles, from top to bottom."""
        return Tiles(self.rows, self.columns)


def plan_tiles(
    height: int,
    width: int,
    *,
    tile: tuple[int, int] | None,
    halo: int,
    multiple: int = 1,
    minimum: int = 1,
    square: bool = False,
    fixed: bool = False,
    padding: Padding = "reflect",
) -> TilePlan:
    """Cut ``height`` by ``width`` into tiles of at most ``tile`` (height, width), halo included.

    ``tile`` None means one tile, the whole picture. Tiles are as many as of that size are needed,
    but no larger than so many must be, unless they are to be square or fixed. The picture is
    brought to a size that the network works on (:func:`working_size`), and so are the tiles.
    ``fixed`` says that every tile must measure exactly ``tile``: smaller pictures are padded.

    Raises :class:`UsageError` when a tile is too small to hold its halo.
    """
    padded = working_size(height, width, multiple, minimum, square)
    if tile and not fixed and not square:
        sizes = zip(padded, tile, strict=True)
        tile_height, tile_width = (_min_size(p, t, halo, multiple, minimum) for p, t in sizes)
        tile = tile_height, tile_width
    least = min_tile_side(halo, multiple, minimum)
    rows = _plan_axis(height, padded[0], tile and tile[0], halo, multiple, least, fixed)
    columns = _plan_axis(width, padded[1], tile and tile[1], halo, multiple, least, fixed)
    return TilePlan(rows, columns, padding)


def share_out(
    cut: Callable[[tuple[int, int]], TilePlan],
    tile: tuple[int, int],
    halo: int,
    workers: int,
    stretch: int = 1,
) -> TilePlan:
    """The way to cut a picture that takes so many ``workers`` least: in tiles of ``tile``, or in
    some of up to ``stretch`` times that area of which each has as many as the others.

    ``cut`` plans tiles of at most a height and width. A ``stretch`` of 1 leaves no side longer
    than it is. Tiles made smaller for the sake of workers keep :data:`USEFUL` halos at least.
    """
    plan = cut(tile)
    if len(plan.rows) * len(plan.columns) > MANY * workers:
        return plan
    fair = _fair_tile(plan, tile, halo, workers, stretch)
    plans = [plan, cut(fair)] if fair else [plan]
    return min(plans, key=lambda plan: _largest_share(plan, workers))


MANY = 8
"""Tiles for each worker; with more, it matters little who has one more than the others."""


def _fair_tile(
    plan: TilePlan, tile: tuple[int, int], halo: int, workers: int, stretch: int
) -> tuple[int, int] | None:
    """The tiles that are done first; few and wide ones rather."""
    area, longest = stretch * tile[0] * tile[1], stretch**2 * np.array(tile)
    heights, widths = (
        _lengths(side, max(2 * len(spans), workers), halo)
        for spans, side in ((plan.rows, plan.padded_height), (plan.columns, plan.padded_width))
    )
    ways = [
        (-(-rows * columns // workers) * height * width, rows * columns, columns, (height, width))
        for (rows, height), (columns, width) in product(heights, widths)
        if height * width <= area and height <= longest[0] and width <= longest[1]
    ]
    return min(ways)[-1] if ways else None


def _lengths(side: int, most: int, halo: int) -> list[tuple[int, int]]:
    """How many tiles a side can be cut into, and how long they are then, halo included."""
    parts = range(1, max(1, min(most, side // max(USEFUL * halo, 1))) + 1)
    return [(n, min(side, -(-side // n) + 2 * halo)) for n in parts]


def _largest_share(plan: TilePlan, workers: int) -> int:
    """Input pixels that the worker with most tiles computes."""
    height, width = plan.tile
    rounds = -(-len(plan.rows) * len(plan.columns) // workers)
    return rounds * height * width


def working_size(
    height: int, width: int, multiple: int, minimum: int, square: bool
) -> tuple[int, int]:
    """The least height and width, no smaller than the picture's, that a network works on."""
    sides = [-(-max(side, minimum) // multiple) * multiple for side in (height, width)]
    return (max(sides), max(sides)) if square else (sides[0], sides[1])


def _min_size(padded: int, tile: int, halo: int, multiple: int, minimum: int) -> int:
    """The least size with which no more tiles are needed than with ``tile``."""

    def count(size: int) -> int:
        return 1 + -(-(padded - size) // _tile_step(size, halo, multiple))

    size, side = tile // multiple * multiple, min_tile_side(halo, multiple, minimum)
    if padded <= size or size < side:
        return tile
    least = max(-(-padded // count(size)), side)
    first = -(-least // multiple) * multiple
    sizes, most = range(first, size + 1, multiple), count(size)
    return sizes[bisect_left(sizes, True, key=lambda size: count(size) <= most)]


def _tile_step(size: int, halo: int, multiple: int) -> int:
    """From the start of one tile to the start of the next."""
    return (size - 2 * halo) // multiple * multiple


def _plan_axis(
    length: int, padded: int, tile: int | None, halo: int, multiple: int, least: int, fixed: bool
) -> Spans:
    size = padded if tile is None else tile // multiple * multiple
    if padded <= size:
        padded = size if fixed else padded
        return Spans(length, padded, padded, padded, 0)
    if size < least:
        raise UsageError(
            f"a tile of {tile} pixels can't hold this network's halo of {halo} on each side "
            f"(sizes in multiples of {multiple}); use at least {least}"
        )
    return Spans(length, padded, size, _tile_step(size, halo, multiple), halo)


def min_tile_side(halo: int, multiple: int, minimum: int = 1) -> int:
    """The smallest tile, in input pixels, that keeps anything between its halos."""
    return -(-max(2 * halo + multiple, minimum) // multiple) * multiple


def source_rows(start: int, stop: int, length: int, padding: Padding) -> NDArray[np.intp]:
    """Which of ``length`` rows each row of ``[start, stop)`` of the padded picture shows; -1: none,
    it is black."""
    rows, last = np.arange(start, stop), length - 1
    if padding == "reflect":
        return np.maximum(last - abs(rows - last), 0)
    return np.where(rows > last, last if padding == "edge" else -1, rows)
