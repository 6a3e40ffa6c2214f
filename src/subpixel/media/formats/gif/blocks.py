"""A GIF's blocks: walked, built, and what becomes of each.

Sources: GIF89a (CompuServe, 1990); XMP specification part 3, 1.1.2 (its extension).
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from subpixel.media.formats.account import (
    MAX_PARTS,
    FilePart,
    escape_name,
    leave_out,
    list_rest,
    lose,
)
from subpixel.media.metadata.budget import MAX_PIECES, Budget

GIF_HEAD = 13
"""Bytes of the header and the screen's description."""

MAX_SUB_BLOCKS = 4 * MAX_PIECES
"""Most sub-blocks that are walked, about 1 GB of them as encoders write them."""

EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B
COMMENT_LABEL, CONTROL_LABEL, TEXT_LABEL, APPLICATION_LABEL = 0xFE, 0xF9, 0x01, 0xFF
XMP_NAME = b"XMP DataXMP"
_CONTROL_BYTES = 8
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_LOOP_BYTES = (19, 25)
"""With the number of rounds, and with the size of a buffer too."""

_ICC_NAME = b"ICCRGBG1012"

_XMP_TRAILER = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
"""What lets programs that walk by sub-blocks come out at the end of a packet, the last zero."""


@dataclass(frozen=True)
class GifBlock:
    """An extension, an image, the end, or what isn't any of these."""

    kind: int
    """Its first byte."""
    label: int
    """The second of an extension."""
    name: bytes
    """Of an application's extension, 11 bytes."""
    start: int
    at: int
    """Where its sub-blocks begin, behind an application's name."""
    end: int
    is_cut: bool = False
    """Whether the file ends inside it."""

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return self.end - self.start


def count_colour_bytes(flags: int) -> int:
    """Bytes of the colour table that the flags of a screen or an image announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def walk_gif(stream: BinaryIO) -> Iterator[GifBlock]:
    """The blocks up to and with the end; something else ends the walk, as a block of its kind."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    at = GIF_HEAD + count_colour_bytes(stream.read(GIF_HEAD).ljust(GIF_HEAD, b"\0")[10])
    budget = Budget(MAX_SUB_BLOCKS)
    while at < size:
        block = _read_block(stream, at, size, budget)
        yield block
        if block.kind not in (EXTENSION, IMAGE):
            return
        at = block.end


def read_sub_blocks(stream: BinaryIO, block: GifBlock) -> bytes:
    """The content of its sub-blocks."""
    stream.seek(block.at)
    parts = []
    while stream.tell() < block.end and (length := int.from_bytes(stream.read(1))):
        parts.append(stream.read(length))
    return b"".join(parts)


def read_xmp(stream: BinaryIO, block: GifBlock) -> bytes:
    """The packet of an XMP extension, which isn't in sub-blocks."""
    stream.seek(block.at)
    data = stream.read(block.end - block.at)
    return data.removesuffix(_XMP_TRAILER)


def build_comment(text: bytes) -> bytes:
    """A comment extension."""
    pieces = (text[at : at + 255] for at in range(0, len(text), 255))
    blocks = b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return bytes([EXTENSION, COMMENT_LABEL]) + blocks + b"\0"


def build_xmp(packet: bytes) -> bytes:
    """The extension that holds an XMP packet, in which there is no byte of zero."""
    while _ends_early(packet):
        packet += b" "
    head = bytes([EXTENSION, APPLICATION_LABEL, len(XMP_NAME)]) + XMP_NAME
    return head + packet + _XMP_TRAILER


def _ends_early(packet: bytes) -> bool:
    """Whether a walk by sub-blocks hits the last but one of the trailer's bytes, also a zero."""
    at, data = 0, packet + _XMP_TRAILER
    while data[at]:
        at += 1 + data[at]
    return at != len(data) - 1


def list_gif_parts(stream: BinaryIO) -> Iterator[FilePart]:
    """All parts of the file but its images, in their order."""
    number, has_xmp = 0, False
    for block in walk_gif(stream):
        if block.kind == IMAGE or _is_control(block):
            continue
        yield _account_block(block, is_first=not has_xmp)
        has_xmp = has_xmp or block.name == XMP_NAME
        if block.kind == TRAILER:
            yield from list_rest(stream, block.end)
        number += 1
        if number > MAX_PARTS:
            return


def _is_control(block: GifBlock) -> bool:
    """Whether it says how a frame is shown, and nothing more."""
    return block.label == CONTROL_LABEL and block.size == _CONTROL_BYTES


def _account_block(block: GifBlock, *, is_first: bool) -> FilePart:
    if block.kind == TRAILER:
        return FilePart("the end", block.size)
    if block.kind != EXTENSION:
        return leave_out("data that is no block", block.size)
    if block.label == COMMENT_LABEL:
        return FilePart("a comment", block.size)
    if block.label == TEXT_LABEL:
        return lose("a plain text extension", block.size, "text", "a text drawn on the picture")
    if block.label != APPLICATION_LABEL:
        return leave_out(f"an extension {block.label:02X}", block.size)
    return _account_application(block, is_first=is_first)


def _account_application(block: GifBlock, *, is_first: bool) -> FilePart:
    name = f"an application extension {escape_name(block.name)!r}"
    if block.name in _LOOPS and block.size in _LOOP_BYTES:
        return FilePart(name, block.size)
    if block.name == XMP_NAME and is_first:
        return FilePart(name, block.size)
    if block.name == _ICC_NAME:
        return lose(name, block.size, "icc", "a colour profile")
    return leave_out(name, block.size)


def _read_block(stream: BinaryIO, at: int, size: int, budget: Budget) -> GifBlock:
    stream.seek(at)
    head = stream.read(14).ljust(14, b"\0")
    kind, label, name, inner = head[0], 0, b"", size
    if kind == TRAILER:
        inner = end = at + 1
    elif kind == EXTENSION:
        label, inner = head[1], at + 2
        if label == APPLICATION_LABEL and head[2] == 11:
            name, inner = head[3:14], at + 14
        end = _skip_sub_blocks(stream, inner, size, budget)
    elif kind == IMAGE:
        inner = at + 11 + count_colour_bytes(head[9])
        end = _skip_sub_blocks(stream, inner, size, budget)
    else:
        end = size
    return GifBlock(kind, label, name, at, inner, min(end, size), is_cut=end > size)


def _skip_sub_blocks(stream: BinaryIO, at: int, size: int, budget: Budget) -> int:
    """Behind the empty sub-block that ends them, and behind the file's end where none does; the
    file's end where there are too many."""
    stream.seek(at)
    while at < size:
        if not budget.step():
            return size
        length = int.from_bytes(stream.read(1))
        at += 1 + length
        if not length:
            return at
        stream.seek(length, io.SEEK_CUR)
    return size + 1


def join_blocks(head: bytes, blocks: Iterable[bytes]) -> bytes | None:
    """A file's beginning with blocks in front of its own; None while it doesn't reach so far."""
    at = GIF_HEAD + count_colour_bytes(head[10]) if len(head) >= GIF_HEAD else GIF_HEAD
    if len(head) < max(at, GIF_HEAD):
        return None
    return b"".join((b"GIF89a", head[6:at], *blocks, head[at:]))
