"""A JPEG's segments, walked and built; the walk reads entropy-coded data only to find its end.

Source: ITU-T T.81, annex B.
"""

import io
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from subpixel.media.formats.account import MAX_PARTS

SOS, EOI, COM = 0xDA, 0xD9, 0xFE
APP0, APP1, APP2, APP11, APP12, APP13, APP14 = 0xE0, 0xE1, 0xE2, 0xEB, 0xEC, 0xED, 0xEE

STRAY = 0
"""Stands for a marker: bytes that belong to no segment, which decoders skip."""

MAX_SEGMENT = 65_533
"""Most bytes that one segment holds."""

MAX_HEAD = 1 << 25
"""Most bytes of segments that are read before the first scan; they are held in memory."""

_SEARCH_BYTES = 1 << 16
_SAMPLE = 4096
"""Bytes that are read of a gap."""

# not stuffing, not TEM and RST, which stand alone, not a fill byte
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")


@dataclass(frozen=True)
class Segment:
    """One segment, or another piece of a file."""

    marker: int
    """Its second byte, or :data:`STRAY`."""
    size: int
    """Bytes of its content; of a picture's end none."""
    data: bytes
    """The content, or its beginning."""
    end: int
    """Where the next one may begin."""

    @property
    def at(self) -> int:
        """Where its content stands in the file."""
        return self.end - self.size

    def has_label(self, label: bytes) -> bool:
        """Whether the content begins so."""
        return self.data.startswith(label)


def walk_segments(stream: BinaryIO, start: int, max_data: int) -> Iterator[Segment]:
    """The segments of the picture at ``start`` up to and with its end (EOI), if it has one.

    Of each at most ``max_data`` bytes are read. What is cut off ends the walk.
    """
    size, at, in_scan = stream.seek(0, io.SEEK_END), start + 2, False
    while (marker_at := _find_marker(stream, at, size)) is not None:
        if marker_at > at and not in_scan:
            yield _read_gap(stream, at, marker_at)
        segment = _read_segment(stream, marker_at, size, max_data)
        yield segment
        if segment.marker == EOI:
            return
        at, in_scan = segment.end, segment.marker == SOS
    if not in_scan and at < size:
        yield _read_gap(stream, at, size)


def walk_head(stream: BinaryIO) -> Iterator[Segment]:
    """The segments before the first scan."""
    for segment in walk_segments(stream, 0, MAX_SEGMENT):
        if segment.marker in (SOS, EOI):
            return
        yield segment


def read_head(stream: BinaryIO) -> tuple[tuple[Segment, ...], bool]:
    """The segments before the first scan, and whether that is all of them: those beyond
    :data:`MAX_HEAD` bytes, or the number of parts that are looked at, are left out."""
    segments: list[Segment] = []
    room = MAX_HEAD
    for segment in walk_head(stream):
        room -= segment.size + 4
        if room < 0 or len(segments) == MAX_PARTS:
            return tuple(segments), False
        segments.append(segment)
    return tuple(segments), True


def select_contents(segments: Iterable[Segment], marker: int, label: bytes) -> list[bytes]:
    """What stands behind ``label`` in the segments that begin with it."""
    return [s.data[len(label) :] for s in segments if s.marker == marker and s.has_label(label)]


def build_segment(marker: int, data: bytes) -> bytes:
    """A segment of at most :data:`MAX_SEGMENT` bytes of content."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _find_marker(stream: BinaryIO, at: int, size: int) -> int | None:
    """Where the next segment begins; looks at two bytes first, where it mostly is, and then at
    twice as many each time."""
    length = 2
    while at + 1 < size:
        stream.seek(at)
        block = stream.read(length)
        match = _MARKER.search(block)
        if match is not None:
            return at + match.start()
        at += max(len(block) - 1, 1)
        length = min(2 * length, _SEARCH_BYTES)
    return None


def _read_segment(stream: BinaryIO, at: int, size: int, max_data: int) -> Segment:
    stream.seek(at)
    head = stream.read(4)
    if head[1] == EOI:
        return Segment(EOI, 0, b"", at + 2)
    length = min(max(int.from_bytes(head[2:]), 2), size - at - 2) - 2
    length = max(length, 0)
    return Segment(head[1], length, stream.read(min(length, max_data)), min(at + 4 + length, size))


def _read_gap(stream: BinaryIO, start: int, end: int) -> Segment:
    stream.seek(start)
    return Segment(STRAY, end - start, stream.read(min(end - start, _SAMPLE)), end)
