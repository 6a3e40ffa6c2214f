"""The geometry of tiles: whole numbers, settled before any pixel moves.

All lengths are input pixels. Along each axis the tiles have one and the same size, no larger than
it takes for so many to reach from end to end, as what they share is computed twice. The last one
is moved inward to end where the picture ends, so its border is the picture's border and the
network sees there what it would see in the whole picture.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import NetworkError, UsageError
from subpixel.runtime.op import Samples
from subpixel.spec import Padding


@dataclass(frozen=True)
class Span:
    """One tile along one axis: it reads ``[start, stop)`` and keeps ``[keep_start, keep_stop)``."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


@dataclass(frozen=True)
class Tile:
    rows: Span
    columns: Span


@dataclass(frozen=True)
class TilePlan:
    """How a picture of ``height`` by ``width`` is cut. Tiles keep every pixel exactly once.

    ``padded_height`` and ``padded_width`` are what the network gets to see: larger than the
    picture where the network demands a fixed size or a multiple.
    """

    height: int
    width: int
    padded_height: int
    padded_width: int
    tiles: tuple[Tile, ...]
    padding: Padding = "reflect"


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
        tile_height, tile_width = (_least(p, t, halo, multiple, minimum) for p, t in sizes)
        tile = tile_height, tile_width
    rows, padded_height = _axis(height, padded[0], tile and tile[0], halo, multiple, fixed)
    columns, padded_width = _axis(width, padded[1], tile and tile[1], halo, multiple, fixed)
    tiles = tuple(Tile(row, column) for row in rows for column in columns)
    return TilePlan(height, width, padded_height, padded_width, tiles, padding)


def working_size(
    height: int, width: int, multiple: int, minimum: int, square: bool
) -> tuple[int, int]:
    """The least height and width, no smaller than the picture's, that a network works on."""
    sides = [-(-max(side, minimum) // multiple) * multiple for side in (height, width)]
    return (max(sides), max(sides)) if square else (sides[0], sides[1])


def _least(padded: int, tile: int, halo: int, multiple: int, minimum: int) -> int:
    """The least size with which no more tiles are needed than with ``tile``."""

    def count(size: int) -> int:
        return 1 + -(-(padded - size) // _step(size, halo, multiple))

    size = tile // multiple * multiple
    if padded <= size or _step(size, halo, multiple) < 1:
        return tile
    least = max(-(-padded // count(size)), least_tile(halo, multiple, minimum))
    first = -(-least // multiple) * multiple
    return next(s for s in range(first, size + 1, multiple) if count(s) <= count(size))


def _step(size: int, halo: int, multiple: int) -> int:
    """From the start of one tile to the start of the next."""
    return (size - 2 * halo) // multiple * multiple


def _axis(
    length: int, padded: int, tile: int | None, halo: int, multiple: int, fixed: bool
) -> tuple[list[Span], int]:
    size = padded if tile is None else tile // multiple * multiple
    if padded <= size:
        padded = size if fixed else padded
        return [Span(0, padded, 0, length)], padded
    step = _step(size, halo, multiple)
    if step < 1:
        raise UsageError(
            f"a tile of {tile} pixels can't hold this network's halo of {halo} on each side "
            f"(sizes in multiples of {multiple}); use at least {least_tile(halo, multiple)}"
        )
    starts = [*range(0, padded - size, step), padded - size]
    cuts = [0, *(start + halo for start in starts[1:]), length]
    return [
        Span(start, start + size, keep_start, keep_stop)
        for start, keep_start, keep_stop in zip(starts, cuts, cuts[1:], strict=False)
        if keep_start < keep_stop
    ], padded


def least_tile(halo: int, multiple: int, minimum: int = 1) -> int:
    """The smallest tile, in input pixels, that keeps anything between its halos."""
    return -(-max(2 * halo + multiple, minimum) // multiple) * multiple


def run_tiles(
    upscale: Callable[[Samples], Samples],
    samples: Samples,
    result: Samples,
    plan: TilePlan,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Send each tile of ``samples`` through ``upscale`` and put what the plan keeps in ``result``.

    ``samples`` is ``(H, W, C)`` and ``result`` ``(H * scale, W * scale, C)``, of one dtype.
    ``upscale`` maps ``(h, w, C)`` to ``(h * scale, w * scale, C)``; any other shape is a
    :class:`NetworkError`. ``report`` gets the tiles done and their total.
    """
    padded, scale = _pad(samples, plan), len(result) // plan.height
    for done, tile in enumerate(plan.tiles, start=1):
        rows, columns = tile.rows, tile.columns
        piece = upscale(padded[rows.start : rows.stop, columns.start : columns.stop])
        _expect_shape(piece, tile, scale, samples.shape[2])
        result[_kept(rows, scale, 0), _kept(columns, scale, 0)] = piece[
            _kept(rows, scale, rows.start), _kept(columns, scale, columns.start)
        ]
        report(done, len(plan.tiles))


def _pad(samples: Samples, plan: TilePlan) -> Samples:
    missing = plan.padded_height - plan.height, plan.padded_width - plan.width
    if missing == (0, 0):
        return samples
    if plan.padding == "reflect":
        rows = _mirrored(plan.height, plan.padded_height)
        return samples[rows][:, _mirrored(plan.width, plan.padded_width)]
    mode: Literal["edge", "constant"] = "edge" if plan.padding == "edge" else "constant"
    return np.pad(samples, ((0, missing[0]), (0, missing[1]), (0, 0)), mode=mode)


def _mirrored(length: int, padded: int) -> NDArray[np.intp]:
    """Which of ``length`` rows each of the ``padded`` rows shows."""
    last = length - 1
    return np.maximum(last - abs(np.arange(padded) - last), 0)


def _kept(span: Span, scale: int, origin: int) -> slice:
    """The kept output pixels, counted from the output of input pixel ``origin``."""
    return slice((span.keep_start - origin) * scale, (span.keep_stop - origin) * scale)


def _expect_shape(piece: Samples, tile: Tile, scale: int, channels: int) -> None:
    height, width = (span.stop - span.start for span in (tile.rows, tile.columns))
    expected = (height * scale, width * scale, channels)
    if piece.shape != expected:
        raise NetworkError(
            f"the network turned {height} x {width} pixels into a result of shape {piece.shape}; "
            f"at scale {scale} it should be {expected}"
        )
