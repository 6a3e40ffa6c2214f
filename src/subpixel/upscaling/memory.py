"""What memory a picture takes on its way, and the tiles with which it fits."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from subpixel.errors import MemoryLimitError
from subpixel.media.picture import Header
from subpixel.system.machine_memory import address_limit_for, address_space, free_memory
from subpixel.upscaling.alpha import SURVEY_COLUMNS, SURVEY_ROWS
from subpixel.upscaling.tiles.bands import AHEAD
from subpixel.upscaling.tiles.tiling import TilePlan

FREE_SHARE = 0.5
"""Of the memory that is free, what a picture may take when nothing else is said."""

ARENA = 2.2
"""What ONNX Runtime's arena grows to, over what the graph needs: measured 1.7 to 2.0 with the
bundled networks in tiles of 512², and of 96 x 512."""

UNKNOWN_FOOTPRINT = 64_000.0
"""Bytes per pixel of a tile for a network whose graph can't be followed: a window network's."""

QUICK = 1.5
"""How many times as many pixels may be computed, for the sake of memory, as without any want of it,
for a refusal to call that quick."""

WIDEST = 4
"""How many times wider than asked for a low tile may be."""

RUN_OVERHEAD = 4 << 10
"""Bytes of Python's objects for a run that is held, about."""

SLACK = 64 << 20
"""For what nobody counts: threads, the allocator's gaps, Python."""

BETWEEN_RUNS = 4 << 20
"""By so many bytes what a process holds before a picture may differ from that of the next run."""


def memory_limit(asked: int | None, held: int) -> int:
    """Bytes that the process may hold in all: so many as are asked for, or its share of what is
    free beside the ``held``; and no more than its address space has room for."""
    room = held + max(0, address_space())
    return min(room, held + int(FREE_SHARE * free_memory()) if asked is None else asked)


@dataclass(frozen=True)
class Needs:
    """What there is to count for one picture through one network, in bytes."""

    header: Header
    scale: int
    workers: int
    per_pixel: float
    """Of a tile, while the network runs:
    :func:`subpixel.graph.geometry.footprint.count_bytes_per_pixel`."""
    resident: int
    """Before anything of the picture is read."""
    codecs: int
    """What decoding and encoding hold at once, whatever the tiles."""

    def total(self, plan: TilePlan) -> int:
        """The most that the process holds while the picture passes through tiles of ``plan``."""
        passing = self._rows(plan) + self._tiles(plan) + self._bleeding() + self._cache(plan)
        return int(SLACK + self.resident + self.codecs + passing)

    def _rows(self, plan: TilePlan) -> int:
        """Rows that wait for their tiles, and larger bands of them: being filled, written, read."""
        row = self.header.width * self.header.channels * self.header.dtype.itemsize
        high, _ = plan.tile
        frames = 1 if self.header.count == 1 else 2
        bands = min(max(2, -(-AHEAD * self.workers // len(plan.groups))), frames * len(plan.rows))
        return (bands + 1) * row * (high + plan.rows.max_kept * self.scale**2)

    def _tiles(self, plan: TilePlan) -> float:
        """Tiles in the network, before it and behind it: float32, and their samples."""
        area = plan.groups.max_tiles * math.prod(plan.tile)
        floats = 3 if self.header.extra_channels else 1  # colour and alpha apart, and both together
        sample = 4 * floats + self.header.dtype.itemsize
        around = self.header.channels * sample * (1 + self.scale**2)
        workers = min(self.workers, plan.runs)
        return workers * area * (ARENA * self.per_pixel + around)

    def _cache(self, plan: TilePlan) -> int:
        """What is held of a frame for the next."""
        return plan.cache_runs * run_bytes(self.header, self.scale, plan)

    def _bleeding(self) -> int:
        """Bands of samples; a part of one in float32, and what it is pulled up to and pushed down
        from; one colour for each square."""
        if not self.header.has_alpha:
            return 0
        height, width, channels = self.header.shape[1:]
        bands = 4 * SURVEY_ROWS * width * self.header.dtype.itemsize
        part = 8 * 4 * SURVEY_ROWS * min(width, SURVEY_COLUMNS)
        squares = 6 * 4 * -(-height // SURVEY_ROWS) * -(-width // SURVEY_ROWS)
        return channels * (bands + part + squares)


def run_bytes(header: Header, scale: int, plan: TilePlan) -> int:
    """What it takes to hold a run: samples of its tiles and of its result."""
    pixels = plan.groups.max_tiles * math.prod(plan.tile) * (1 + scale**2)
    return RUN_OVERHEAD + pixels * header.channels * header.dtype.itemsize


def expect_fit(
    needs: Needs, plan: TilePlan, most: int, quick: Callable[[], TilePlan] | None = None
) -> TilePlan:
    """``plan`` again; raises :class:`MemoryLimitError` when it takes more than ``most`` bytes.

    ``quick`` has tiles with which it is quick, where ``plan``'s are small.
    """
    total = needs.total(plan)
    if total > most:
        better = max(total, needs.total(quick()) if quick else 0)
        raise MemoryLimitError(
            f"{needs.header.width} x {needs.header.height} pixels need "
            f"{explain_shortage(total, better, most)}, or write a format that needs less (PNG, "
            "TIFF)"
        )
    return plan


def explain_shortage(total: int, quick: int, most: int) -> str:
    """How much memory is needed, ``total`` bytes at least and ``quick`` for small tiles not to make
    it slow; that ``most`` are allowed, and what to do. It is said of the next run."""
    asked = format_bytes(total + BETWEEN_RUNS)
    quickly = f" ({format_bytes(quick + BETWEEN_RUNS)} to be quick)" if quick > total else ""
    return (
        f"at least {asked} of memory{quickly}, and {format_bytes(most)} are allowed; "
        f"{name_remedy(quick, 'raise --max-memory')}"
    )


ADDRESS_STEP = 100 << 20
"""To whole numbers of these bytes a limit of the address space is rounded up, and as much more."""


def name_remedy(total: int, otherwise: str) -> str:
    """What lets the process hold ``total`` bytes: a higher limit of its address space, where that
    is what is short, or else ``otherwise``."""
    limit = address_limit_for(total)
    if limit is None:
        return otherwise
    kilobytes = (limit // ADDRESS_STEP + 2) * (ADDRESS_STEP >> 10)
    return f"raise the limit of the address space (ulimit -v {kilobytes})"


CutTiles = Callable[[tuple[int, int] | None], TilePlan]
"""Tiles of at most such a height and width; None: the whole picture."""


def fit_tiles(
    needs: Needs, cut: CutTiles, tile: tuple[int, int], least: int, halo: int, most: int
) -> TilePlan:
    """Tiles with which the picture takes no more than ``most`` bytes, and the least is computed.

    They have at most the area of ``tile``, ``least`` is the least side of one, and ``halo`` what
    it computes in vain on each side. A band is as wide as the picture, so tiles are rather low
    and wide. Raises :class:`MemoryLimitError` when even the smallest are too large.
    """
    quick = partial(find_quick, needs, cut, tile, least, halo)
    smallest = expect_fit(needs, cut((least, least)), most, quick)
    plans = map(cut, _tile_sizes(tile, least, halo))
    return next((plan for plan in plans if needs.total(plan) <= most), smallest)


def find_quick(
    needs: Needs, cut: CutTiles, tile: tuple[int, int], least: int, halo: int
) -> TilePlan:
    """Of the ways to cut a picture with which no more than :data:`QUICK` times as many pixels are
    computed as with ``tile``, the one that takes the least memory."""
    most = QUICK * _count_pixels(cut(tile))
    plans = map(cut, _tile_sizes(tile, least, halo))
    return min((plan for plan in plans if _count_pixels(plan) <= most), key=needs.total)


def _count_pixels(plan: TilePlan) -> int:
    return len(plan.tiles) * math.prod(plan.tile)


def _tile_sizes(tile: tuple[int, int], least: int, halo: int) -> list[tuple[int, int]]:
    """``tile``, then others, from those that compute the least in vain to the smallest."""
    height, width = tile
    sizes = [
        (high, wide)
        for high in _sides(height, least)
        for wide in _sides(WIDEST * width, least)
        if high * wide <= height * width
    ]

    def area_ratio(size: tuple[int, int]) -> float:
        return math.prod(side / max(side - 2 * halo, 1) for side in size)

    return [tile, *sorted(sizes, key=area_ratio)]


def _sides(most: int, least: int) -> list[int]:
    """From ``most`` down to ``least``, each about a fifth less."""
    sides = [most]
    while sides[-1] > least:
        sides.append(max(least, min(sides[-1] * 4 // 5, sides[-1] - 1)))
    return sides


def format_bytes(size: int) -> str:
    """A number of bytes for people, rounded up: ``"1.2G"``, as ``--max-memory`` takes it."""
    for unit, name in ((10**9, "G"), (10**6, "M")):
        if size >= unit:
            return f"{-(-size * 10 // unit) / 10:g}{name}"
    return f"{size} bytes"
