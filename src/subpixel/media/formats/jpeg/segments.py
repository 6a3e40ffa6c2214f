"""The segments of a JPEG before its first scan. Source: ITU-T T.81."""

import struct
from collections.abc import Iterator

MAX_SEGMENT = 65_533
"""Most bytes that one segment holds."""

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
APP0, APP1, APP2, APP13, APP14, APP15, COM = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF, 0xFE

XMP_LABEL = b"http://ns.adobe.com/xap/1.0/\0"


def walk_segments(head: bytes | memoryview) -> Iterator[tuple[int, int, bytes]]:
    """Marker, place of the data and the data of each segment before the first scan."""
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker, length = struct.unpack_from(">xBH", head, at)
        if marker == SOS or length < 2:
            return
        yield marker, at + 4, bytes(head[at + 4 : at + 2 + length])
        at += 2 + length


def build_segment(marker: int, data: bytes) -> bytes:
    """A whole segment of up to :data:`MAX_SEGMENT` bytes of data."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data
