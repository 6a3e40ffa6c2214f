"""A picture that is still being made, as a file that libvips reads meanwhile.

The file is an uncompressed BigTIFF: a head that is known from the start, then the samples as they
come. Nobody writes it: libvips asks for its bytes, and waits where they aren't there yet.
Source: BigTIFF (libtiff's design page).
"""

import io
import struct
import sys
from collections import deque
from collections.abc import Iterator
from threading import Condition

import numpy as np
import pyvips

from subpixel.media.libvips import VipsImage
from subpixel.media.picture import Header, Rows

STRIP_BYTES = 1 << 18
"""About the size of a strip, which is what libvips reads at a time."""

IN_HAND = 1
"""Blocks of rows that are held at a time: while one is being read the next is made."""


class ReaderGoneError(Exception):
    """The reader stopped before the end; why, it knows itself."""


class GrowingTiff:
    """``header.count`` frames below each other, fed by one thread and read by another.

    ``header.dtype`` is uint8 or uint16. Rows are given in order with :meth:`put`, which waits
    while :data:`IN_HAND` blocks are unread, and :meth:`end` says that no more come. The reader
    calls :meth:`read` and :meth:`seek`, as of a file open for reading, and :meth:`leave`.
    """

    def __init__(self, header: Header) -> None:
        rows = header.expect_count("an encoder") * header.height
        row = header.width * header.channels
        self._row = (header.dtype, header.width, header.channels)
        self._head = _build_head(header, rows, row * header.dtype.itemsize)
        self._size = len(self._head) + rows * row * header.dtype.itemsize
        self._at = 0
        self._blocks: deque[memoryview] = deque()
        self._changed = Condition()
        self._complete = self._abandoned = False

    def put(self, rows: Rows) -> None:
        """Hand over rows, ``(h, W, C)`` contiguous; raises :class:`ReaderGoneError`."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or len(self._blocks) < IN_HAND)
            if self._abandoned:
                raise ReaderGoneError
            self._blocks.append(rows.data.cast("B"))
            self._changed.notify_all()

    def end(self) -> None:
        """No more rows come, be it that all have come or that their maker gave up."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()

    def leave(self) -> None:
        """The reader will read no more."""
        with self._changed:
            self._abandoned = True
            self._blocks.clear()
            self._changed.notify_all()

    def read(self, size: int) -> bytes | memoryview:
        """Up to ``size`` bytes; none at the end, and after an early end for ever."""
        piece = self._head[self._at : self._at + size] or self._next(size)
        self._at += len(piece)
        return piece

    def _next(self, size: int) -> bytes | memoryview:
        with self._changed:
            self._changed.wait_for(lambda: self._blocks or self._complete or self._abandoned)
            if not self._blocks:
                return b""
            block = self._blocks.popleft()
            if len(block) > size:
                self._blocks.appendleft(block[size:])
            self._changed.notify_all()
            return block[:size]

    def blocks(self) -> Iterator[Rows]:
        """The rows as they were put, for who needs no file."""
        dtype, width, channels = self._row
        while block := self._next(sys.maxsize):
            yield np.frombuffer(block, dtype).reshape(-1, width, channels)

    def seek(self, offset: int, whence: int) -> int:
        """Samples can only be read on from where they were left."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def connect(self) -> pyvips.SourceCustom:
        """The file for libvips; it must live as long as the image that is read from it."""
        source = pyvips.SourceCustom()
        source.on_read(self.read)
        source.on_seek(self.seek)
        return source


def load_growing_tiff(source: pyvips.SourceCustom) -> VipsImage:
    """Its frames below each other as an image that is read from top to bottom."""
    return pyvips.Image.tiffload_source(
        source,
        access="sequential",
        fail_on="error",
        unlimited=True,  # a row may be longer than what libtiff allows files that aren't ours
    )


_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _SAMPLES, _ROWS, _BYTE_COUNTS, _EXTRA = 273, 277, 278, 279, 338
_SHORT, _LONG, _LONG8 = "H", "I", "Q"
_KINDS = {_SHORT: 3, _LONG: 4, _LONG8: 16}
_NONE, _GREY, _RGB, _STRAIGHT_ALPHA = 1, 1, 2, 2


def _build_head(header: Header, rows: int, row_bytes: int) -> bytes:
    """The file's header and its one directory, in this machine's byte order."""
    per_strip = max(1, min(rows, STRIP_BYTES // row_bytes))
    counts = [min(per_strip, rows - top) * row_bytes for top in range(0, rows, per_strip)]
    fields: list[tuple[int, str, list[int]]] = [
        (_WIDTH, _LONG, [header.width]),
        (_LENGTH, _LONG, [rows]),
        (_BITS, _SHORT, [8 * header.dtype.itemsize] * header.channels),
        (_COMPRESSION, _SHORT, [_NONE]),
        (_PHOTOMETRIC, _SHORT, [_GREY if header.is_grey else _RGB]),
        (_OFFSETS, _LONG8, [per_strip * row_bytes * i for i in range(len(counts))]),
        (_SAMPLES, _SHORT, [header.channels]),
        (_ROWS, _LONG, [per_strip]),
        (_BYTE_COUNTS, _LONG8, counts),
    ]
    if header.extra_channels:
        fields.append((_EXTRA, _SHORT, [_STRAIGHT_ALPHA] * len(header.extra_channels)))
    end = DIRECTORY_AT + len(_build_directory(fields))
    places = [(t, k, [n + end for n in v] if t == _OFFSETS else v) for t, k, v in fields]
    order, name = ("<", b"II") if sys.byteorder == "little" else (">", b"MM")
    return name + struct.pack(order + "HHHQ", 43, 8, 0, DIRECTORY_AT) + _build_directory(places)


DIRECTORY_AT = 16


def _build_directory(fields: list[tuple[int, str, list[int]]]) -> bytes:
    tail = b""
    entries = struct.pack("=Q", len(fields))
    tail_at = DIRECTORY_AT + 8 + 20 * len(fields) + 8
    for tag, kind, numbers in fields:
        value = struct.pack(f"={len(numbers)}{kind}", *numbers)
        place = value if len(value) <= 8 else struct.pack("=Q", tail_at + len(tail))
        tail += value if len(value) > 8 else b""
        entries += struct.pack("=HHQ", tag, _KINDS[kind], len(numbers)) + place.ljust(8, b"\0")
    return entries + bytes(8) + tail
