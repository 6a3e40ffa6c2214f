"""What stands behind the end of a JPEG: further pictures, a film, a maker's own data.

Sources: CIPA DC-007 (Multi-Picture Format), Android's Motion Photo format, ISO 14496-12 (boxes).
"""

import io
import struct
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import BinaryIO

from subpixel.media.formats.account import MAX_PARTS, PADDING, FilePart, leave_out, lose
from subpixel.media.formats.jpeg.segments import EOI, walk_segments
from subpixel.media.metadata.budget import Budget

_PICTURE, _WHAT = "a further picture", "further pictures"
_TRAILER_BYTES = 1 << 16
_SAMSUNG_FILM = b"MotionPhoto_Data"
_MAX_SEARCH = 1 << 26
"""Most bytes in which a film's name is looked for."""


def list_trailing_parts(
    stream: BinaryIO, start: int, gain_maps: Collection[int] = ()
) -> Iterator[FilePart]:
    """The parts behind the end of the picture, which is at ``start``: lost, all but the pictures
    that begin at ``gain_maps``."""
    size, at = stream.seek(0, io.SEEK_END), _skip_padding(stream, start)
    budget = Budget(MAX_PARTS)
    for _ in range(MAX_PARTS):
        if at >= size:
            return
        part, end = _read_trailer_part(stream, at, size, budget)
        yield replace(part, loss=None) if at in gain_maps else part
        at = _skip_padding(stream, end)
    yield leave_out("further data behind the end of the picture", size - at)


def account_further_picture(size: int) -> FilePart:
    """A picture behind the picture: a gain map, a preview, the other eye's view."""
    return lose(_PICTURE, size, _WHAT, "a gain map or preview")


def is_further_picture(part: FilePart) -> bool:
    """Whether the part is such a picture, or points to one."""
    return part.kind == _PICTURE or (part.loss is not None and part.loss.what == _WHAT)


def _read_trailer_part(
    stream: BinaryIO, at: int, size: int, budget: Budget
) -> tuple[FilePart, int]:
    """The part at ``at``, and where it ends."""
    stream.seek(at)
    head = stream.read(12)
    if head[:3] == b"\xff\xd8\xff":
        end = _find_picture_end(stream, at, size, budget)
        return account_further_picture(end - at), end
    if head[4:8] == b"ftyp":
        end = _find_film_end(stream, at, size, budget)
        return _lose_film(end - at), end
    if _contains(stream, at, _SAMSUNG_FILM):
        return _lose_film(size - at), size
    return _leave_rest(stream, at, size), size


def _lose_film(size: int) -> FilePart:
    return lose("a film behind the picture", size, "motion photo", "MP4")


def _leave_rest(stream: BinaryIO, at: int, size: int) -> FilePart:
    stream.seek(max(at, size - 4))
    guess = "Samsung's" if stream.read(4) == b"SEFT" else ""
    return leave_out("data behind the end of the picture", size - at, guess)


def _find_picture_end(stream: BinaryIO, at: int, size: int, budget: Budget) -> int:
    """Behind its EOI; the file's end where there are too many segments."""
    for segment in walk_segments(stream, at, 0):
        if segment.marker == EOI:
            return segment.end
        if not budget.step():
            break
    return size


def _find_film_end(stream: BinaryIO, at: int, size: int, budget: Budget) -> int:
    """Behind the last box whose name looks like one."""
    while budget.step():
        stream.seek(at)
        head = stream.read(16).ljust(16, b"\0")
        length, name, long = struct.unpack(">I4sQ", head)
        length = {0: size - at, 1: long}.get(length, length)
        if length < 8 or not name.isalnum():
            return at
        if at + length >= size:
            break
        at += length
    return size


def _skip_padding(stream: BinaryIO, start: int) -> int:
    """Behind zeros and white space, but for the zeros that a film begins with."""
    stream.seek(start)
    at = start
    while block := stream.read(_TRAILER_BYTES):
        rest = block.lstrip(PADDING)
        at += len(block) - len(rest)
        if rest:
            break
    first = max(start, at - 3)
    stream.seek(first)
    name = stream.read(11).find(b"ftyp", 4)
    return at if name < 0 else first + name - 4


def _contains(stream: BinaryIO, at: int, word: bytes) -> bool:
    stream.seek(at)
    tail = b""
    for _ in range(_MAX_SEARCH // _TRAILER_BYTES):
        block = stream.read(_TRAILER_BYTES)
        if word in tail + block:
            return True
        if not block:
            return False
        tail = block[-len(word) :]
    return False
