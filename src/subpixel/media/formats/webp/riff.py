"""The RIFF chunks of a WebP, walked, and what becomes of each. Source: RFC 9649."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from subpixel.media.formats.account import (
    MAX_PARTS,
    FilePart,
    escape_name,
    leave_out,
    list_rest,
)
from subpixel.media.metadata.budget import Budget

RIFF_HEAD = 12
"""Where the first chunk begins: behind ``RIFF``, the size and ``WEBP``."""

_RIFF_STORAGE = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF")
_RIFF_SIZES = {b"VP8X": 10, b"ANIM": 6}
"""Bytes of what has but one size; what is longer holds something else."""

_SINGLE = (b"ICCP", b"EXIF", b"XMP ")
"""What is kept of the first chunk of the name."""

_FRAME = b"ANMF"
_FRAME_HEAD = 16
_FRAME_STORAGE = (b"ALPH", b"VP8 ", b"VP8L")


@dataclass(frozen=True)
class RiffChunk:
    """One chunk."""

    name: bytes
    size: int
    """Bytes of its content."""
    at: int
    """Where that stands."""
    end: int
    """Where the next one begins."""

    def read(self, stream: BinaryIO) -> bytes:
        """The content; shorter where the file is cut off."""
        stream.seek(self.at)
        return stream.read(self.size)


def walk_riff(stream: BinaryIO) -> Iterator[RiffChunk]:
    """The chunks within the length that the head states, not those inside frames."""
    stream.seek(4)
    (length,) = struct.unpack("<I", stream.read(4).ljust(4, b"\0"))
    end = min(stream.seek(0, io.SEEK_END), length + 8)
    number, budget = 0, Budget()
    for chunk in _walk_riff(stream, RIFF_HEAD, end):
        yield chunk
        number += chunk.name != _FRAME
        if number == MAX_PARTS or not budget.step():
            return


def list_webp_parts(stream: BinaryIO) -> Iterator[FilePart]:
    """All parts of the file, in their order."""
    earlier, end = set[bytes](), RIFF_HEAD
    for chunk in walk_riff(stream):
        yield _account(chunk, is_first=chunk.name not in earlier)
        if chunk.name == _FRAME:
            yield from _list_frame_parts(stream, chunk)
        earlier.add(chunk.name)
        end = chunk.end
    yield from list_rest(stream, end)


def _walk_riff(stream: BinaryIO, at: int, end: int) -> Iterator[RiffChunk]:
    while at + 8 <= end:
        stream.seek(at)
        name, length = struct.unpack("<4sI", stream.read(8))
        following = min(at + 8 + length + length % 2, end)
        yield RiffChunk(name, min(length, end - at - 8), at + 8, following)
        at = following


def _account(chunk: RiffChunk, *, is_first: bool) -> FilePart:
    name = f"a chunk {escape_name(chunk.name).strip()}"
    if _RIFF_SIZES.get(chunk.name, chunk.size) != chunk.size:
        return leave_out(name, chunk.size, "not of its usual size")
    if chunk.name in _RIFF_STORAGE or (chunk.name in _SINGLE and is_first):
        return FilePart(name, chunk.size)
    if chunk.name in _SINGLE:
        return leave_out(f"a further{name[1:]}", chunk.size)
    return leave_out(name, chunk.size, "C2PA" if chunk.name == b"C2PA" else "")


def _list_frame_parts(stream: BinaryIO, frame: RiffChunk) -> Iterator[FilePart]:
    """What stands in a frame beside its pixels."""
    chunks = _walk_riff(stream, frame.at + _FRAME_HEAD, frame.at + frame.size)
    for chunk in islice(chunks, MAX_PARTS):
        if chunk.name not in _FRAME_STORAGE:
            yield leave_out(f"a chunk {escape_name(chunk.name)} of a frame", chunk.size)
