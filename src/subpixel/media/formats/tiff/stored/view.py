"""A TIFF file seen with other directories: only some pages, or pixels that are said to be stored
otherwise. Nothing is written: libvips asks for the bytes.

The file's own bytes stay where they are, so all offsets hold; the new directories stand behind
them, and the header points there.
"""

import io
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyvips

from subpixel.media.metadata import exif
from subpixel.media.metadata.exif import Block, Field, TiffLayout

Reader = Callable[[int, int], bytes]
"""Gives ``size`` bytes, or fewer at an end, from an offset on."""

LONG8 = 16


@dataclass(frozen=True)
class Piece:
    """Bytes of the view: where they stand, how many there are, and how they are had."""

    start: int
    size: int
    read: Reader
    """Offsets are counted from ``start``."""


@dataclass(frozen=True)
class Strips:
    """Strips or tiles that stand behind the file, in place of the file's own."""

    sizes: tuple[int, ...]
    read: Callable[[int], bytes]
    """Gives strip number n; raises :class:`ValueError` where it is damaged."""


@dataclass(frozen=True)
class ViewPage:
    """A directory of the view."""

    fields: Sequence[Field]
    offsets_tag: int = 0
    """The field that gets the places of ``strips``."""
    strips: Strips | None = None


class TiffView:
    """A file for reading, made of a ``block`` of ``layout`` and ``pages``.

    Raises :class:`ValueError` where offsets would not fit the layout. The file ends before a strip
    that is damaged.
    """

    def __init__(self, block: Block, layout: TiffLayout, pages: Sequence[ViewPage]) -> None:
        self._block, self._at = block, 0
        size = len(block)
        start = size + size % 2
        tails: list[bytes] = []
        self._pieces = [Piece(0, size, self._read_file)]
        strips_at = start + sum(_measure_pieces(page, layout) for page in pages)
        for page in pages:
            fields, pieces = self._place_strips(page, strips_at, layout)
            strips_at += sum(piece.size for piece in pieces)
            self._pieces += pieces
            tails.append(_build_view_directory(fields, start + sum(map(len, tails)), layout))
        _expect_reach(strips_at, layout)
        self._size = strips_at
        tail = _link_directories(tails, start, layout)
        self._pieces.insert(1, Piece(start, len(tail), lambda at, size: tail[at : at + size]))
        self._pieces = [piece for piece in self._pieces if piece.size]
        self._starts = [piece.start for piece in self._pieces]
        self._head = _build_tiff_head(start, layout)

    def connect(self) -> pyvips.SourceCustom:
        """The file for libvips; it must live as long as the image that is read from it."""
        source = pyvips.SourceCustom()
        source.on_read(self.read)
        source.on_seek(self.seek)
        return source

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end, and from a damaged strip on."""
        number = bisect_right(self._starts, self._at) - 1
        piece = self._pieces[number]
        offset = self._at - piece.start
        if offset >= piece.size:  # a byte between two pieces, or the end
            gap = bytes(self._starts[number + 1] - self._at if self._starts[number + 1 :] else 0)
            data = gap[:size]
        else:
            data = self._read_piece(piece, offset, min(size, piece.size - offset))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def _read_piece(self, piece: Piece, offset: int, size: int) -> bytes:
        try:
            return piece.read(offset, size)
        except (ValueError, OSError):
            return b""

    def _read_file(self, at: int, size: int) -> bytes:
        if at < len(self._head):
            return self._head[at : at + size]
        return bytes(self._block[at : at + size])

    def _place_strips(
        self, page: ViewPage, start: int, layout: TiffLayout
    ) -> tuple[list[Field], list[Piece]]:
        """The page's fields with the places of its strips, and the strips."""
        fields = list(page.fields)
        if page.strips is None:
            return fields, []
        pieces, last = [], _LastStrip(page.strips.read)
        for number, size in enumerate(page.strips.sizes):
            pieces.append(Piece(start, size, last.reader(number)))
            start += size
        places = struct.pack(
            f"{layout.order}{len(pieces)}{layout.offset}", *(piece.start for piece in pieces)
        )
        return [*fields, _offsets_field(page, places, layout)], pieces


class _LastStrip:
    """Strips as they are read, a part at a time, from top to bottom: one is held."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read, self._number, self._data = read, -1, b""

    def reader(self, number: int) -> Reader:
        def read(at: int, size: int) -> bytes:
            if self._number != number:
                self._data, self._number = self._read(number), number
            return self._data[at : at + size]

        return read


def _offsets_field(page: ViewPage, places: bytes, layout: TiffLayout) -> Field:
    kind = exif.LONG if layout.offset == "I" else LONG8
    return Field(page.offsets_tag, kind, len(places) // layout.inline, places)


def _measure_pieces(page: ViewPage, layout: TiffLayout) -> int:
    """How many bytes the page's directory takes."""
    fields = list(page.fields)
    if page.strips is not None:
        fields.append(_offsets_field(page, bytes(layout.inline * len(page.strips.sizes)), layout))
    return len(_build_view_directory(fields, 0, layout))


def _build_view_directory(fields: Iterable[Field], at: int, layout: TiffLayout) -> bytes:
    """A directory without a follower, and behind it the values that don't fit in it."""
    ordered = sorted(fields, key=lambda field: field.tag)
    entries, tail = struct.pack(layout.order + layout.count, len(ordered)), bytearray()
    entry = struct.calcsize("=" + layout.entry) + layout.inline
    tail_at = at + len(entries) + entry * len(ordered) + layout.inline
    for field in ordered:
        value = bytes(field.value)
        if len(value) > layout.inline:
            place = struct.pack(
                layout.order + layout.offset, _clip_piece(tail_at + len(tail), layout)
            )
            tail += value + bytes(len(value) % 2)
        else:
            place = value.ljust(layout.inline, b"\0")
        entries += struct.pack(layout.order + layout.entry, field.tag, field.kind, field.length)
        entries += place
    return entries + bytes(layout.inline) + tail


def _clip_piece(offset: int, layout: TiffLayout) -> int:
    """Too large an offset is refused later, once."""
    return min(offset, (1 << 8 * layout.inline) - 1)


def _expect_reach(end: int, layout: TiffLayout) -> None:
    if end >= 1 << 8 * layout.inline:
        raise ValueError("its pixels take over 4 GB unpacked; save it as a BigTIFF")


def _link_directories(directories: Sequence[bytes], start: int, layout: TiffLayout) -> bytes:
    """The directories one behind the other, each naming the next."""
    whole = bytearray(b"".join(directories))
    places = [0]
    for directory in directories:
        places.append(places[-1] + len(directory))
    entry = struct.calcsize("=" + layout.entry) + layout.inline
    for here, following in list(pairwise(places))[:-1]:
        (count,) = struct.unpack_from(layout.order + layout.count, whole, here)
        pointer = here + struct.calcsize("=" + layout.count) + entry * count
        struct.pack_into(layout.order + layout.offset, whole, pointer, start + following)
    return bytes(whole)


def _build_tiff_head(first: int, layout: TiffLayout) -> bytes:
    """The file's header, pointing at the first directory."""
    name = b"II" if layout.order == "<" else b"MM"
    if layout.offset == "I":
        return name + struct.pack(layout.order + "HI", 42, first)
    return name + struct.pack(layout.order + "HHHQ", 43, 8, 0, first)
