"""How coarsely a lossy WebP was quantised, from the header of its first VP8 frame.

Sources: RFC 9649 (WebP), RFC 6386 (VP8), sections 7 (boolean decoder), 9.2 to 9.6 and 19.2.
"""

import struct
from collections.abc import Iterator
from statistics import fmean
from typing import BinaryIO

VP8_HEADER_BYTES = 512
"""Of a frame: more than its header takes up to the quantiser."""

SEGMENTS = 4
_START_CODE = b"\x9d\x01\x2a"


def read_quantizer(stream: BinaryIO) -> float | None:
    """The quantiser index of luma, 0 (fine) … 127 (coarse), the mean where a picture has segments;
    None for a lossless WebP, and for what can't be read."""
    stream.seek(12)  # RIFF, the size, WEBP
    for name, size in _chunks(stream):
        if name == b"VP8 ":
            frame = stream.read(min(size, VP8_HEADER_BYTES))
            return _parse_vp8_frame(frame) if frame[3:6] == _START_CODE else None
        if name == b"VP8L":
            return None
    return None


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk, the stream at its data; those of an animation's frame too."""
    while len(head := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        start = stream.tell()
        yield name, size
        stream.seek(start + (16 if name == b"ANMF" else size + size % 2))


def _parse_vp8_frame(frame: bytes) -> float:
    bits = _BoolDecoder(frame[10:])
    bits.literal(2)  # colour space, clamping
    segments = _parse_segments(bits) if bits.flag() else None
    bits.literal(1 + 6 + 3)  # the loop filter's type, level and sharpness
    if bits.flag() and bits.flag():
        for _ in range(2 * SEGMENTS):
            bits.optional(6)
    bits.literal(2)  # partitions
    base = bits.literal(7)
    if segments is None:
        return float(base)
    absolute, values = segments
    return fmean(min(max(value if absolute else base + value, 0), 127) for value in values)


def _parse_segments(bits: "_BoolDecoder") -> tuple[bool, list[int]] | None:
    """Whether the segments' quantiser indices are absolute, and these; None where none are set."""
    has_map, has_values = bits.flag(), bits.flag()
    result = None
    if has_values:
        absolute = bits.flag()
        result = absolute, [bits.optional(7) for _ in range(SEGMENTS)]
        for _ in range(SEGMENTS):
            bits.optional(6)  # of the loop filter
    if has_map:
        for _ in range(3):
            if bits.flag():
                bits.literal(8)
    return result


class _BoolDecoder:
    """RFC 6386, section 7.3, for bits that are as likely 0 as 1; past the end come zeros."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 2
        self._value = int.from_bytes(data[:2].ljust(2, b"\0"))
        self._range, self._shifted = 255, 0

    def flag(self) -> bool:
        split = 1 + ((self._range - 1) * 128 >> 8)
        bit = self._value >= split << 8
        self._range = self._range - split if bit else split
        self._value -= split << 8 if bit else 0
        while self._range < 128:
            self._shift()
        return bit

    def literal(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = 2 * value + self.flag()
        return value

    def optional(self, bits: int) -> int:
        """A number with its sign behind a flag; 0 where the flag is not set."""
        if not self.flag():
            return 0
        value = self.literal(bits)
        return -value if self.flag() else value

    def _shift(self) -> None:
        self._value, self._range = self._value * 2, self._range * 2
        self._shifted += 1
        if self._shifted == 8:
            self._shifted = 0
            self._value += self._data[self._at] if self._at < len(self._data) else 0
            self._at += 1
