"""The quality of a JPEG, from its quantisation table for luma.

A file says no quality; libjpeg makes its tables from those of ITU-T T.81, Annex K, scaled by one.
Other encoders' tables get the quality at which libjpeg's come nearest to them.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence

ANNEX_K = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
    26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
    56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip
"""T.81, table K.1, in zigzag order."""

LOW_FREQUENCIES = 21
"""Of a table, those that are compared: what lies beyond is zero in most blocks anyway."""

_DQT = 0xDB
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of frame headers (SOF)."""


def libjpeg_table(quality: int) -> tuple[int, ...]:
    """libjpeg's table for luma, of 64 steps in zigzag order, at ``quality`` 1 … 100."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(max((step * percent + 50) // 100, 1), 255) for step in ANNEX_K)


def fit_quality(table: Sequence[int]) -> int:
    """The quality, 1 … 100, whose table is nearest to ``table``, 64 steps in zigzag order: that of
    the smallest sum of differences of logarithms over the low frequencies."""
    return min(
        range(100, 0, -1), key=lambda quality: _table_distance(table, libjpeg_table(quality))
    )


def _table_distance(one: Sequence[int], other: Sequence[int]) -> float:
    pairs = zip(one[:LOW_FREQUENCIES], other[:LOW_FREQUENCIES], strict=True)
    return sum(abs(math.log(a / b)) for a, b in pairs)


def read_luma_table(segments: Iterable[tuple[int, bytes]]) -> tuple[int, ...] | None:
    """The quantisation table of a JPEG's first component, 64 steps in zigzag order; None where
    there is none. ``segments`` are marker and content of those before the first scan."""
    tables: dict[int, tuple[int, ...]] = {}
    own: int | None = None
    for marker, data in segments:
        if marker == _DQT:
            tables |= _parse_tables(data)
        elif marker in _FRAMES and len(data) >= 9:
            own = data[8]
    table = tables.get(0 if own is None else own)
    return table if table and all(table) else None


def _parse_tables(data: bytes) -> Mapping[int, tuple[int, ...]]:
    """A DQT segment's tables by their number; a table that is cut off is left out."""
    tables, at = {}, 0
    while at < len(data):
        wide, number = divmod(data[at], 16)
        form = ">64H" if wide else ">64B"
        if at + 1 + struct.calcsize(form) > len(data):
            break
        tables[number] = struct.unpack_from(form, data, at + 1)
        at += 1 + struct.calcsize(form)
    return tables
