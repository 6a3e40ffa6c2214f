"""What libpng, below libvips, isn't shown of a PNG: chunks that would keep it busy, read here."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from subpixel.media.formats.png.chunks import Chunk, walk_chunks
from subpixel.media.libvips import Patches, patch_bytes
from subpixel.media.metadata import exif
from subpixel.media.metadata.budget import MAX_METADATA, Budget

MAX_DEFLATE_RATIO = 1032
"""Bytes that one byte of a deflate stream unfolds to at most (zlib's technical details)."""

_PACKED_TEXT = (b"zTXt", b"iTXt")
_PASSED_OVER = b"teXt"
"""Private and ancillary by its letters (PNG, section 5.4): no decoder knows it."""


def hide_chunks(stream: BinaryIO) -> Patches:
    """What has to stand where for libpng to pass over EXIF that is tangled, and over compressed
    text where there may be more than has room; nothing for a plain file."""
    patches: dict[int, bytes] = {}
    budget, packed = Budget(), list[Chunk]()
    for chunk in walk_chunks(stream):
        if chunk.name == b"eXIf" and budget.take(chunk.size):
            patches |= _hide_block(stream, chunk)
        if chunk.name in _PACKED_TEXT:
            packed.append(chunk)
    if sum(chunk.size for chunk in packed) * MAX_DEFLATE_RATIO > MAX_METADATA:
        patches |= {at: data for chunk in packed for at, data in _rename_chunk(stream, chunk)}
    return patches


def _hide_block(stream: BinaryIO, chunk: Chunk) -> Patches:
    block = chunk.read(stream)
    hidden = exif.hide_tangled(block, 0)
    checksum = zlib.crc32(b"eXIf" + patch_bytes(block, hidden)).to_bytes(4)
    end = {chunk.at + chunk.size: checksum} if hidden else {}
    return {chunk.at + at: data for at, data in hidden.items()} | end


def _rename_chunk(stream: BinaryIO, chunk: Chunk) -> Iterator[tuple[int, bytes]]:
    """A checksum that is wrong stays wrong."""
    data, stored = chunk.read(stream), stream.read(4)
    if len(stored) < 4:
        return
    error = int.from_bytes(stored) ^ zlib.crc32(chunk.name + data)
    yield chunk.at - 4, _PASSED_OVER
    yield chunk.at + chunk.size, (zlib.crc32(_PASSED_OVER + data) ^ error).to_bytes(4)
