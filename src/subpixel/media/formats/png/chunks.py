"""A PNG's chunks: walked, built, and what becomes of each.

Sources: W3C PNG 3rd edition, Register of PNG Public Chunks and Extensions; private chunks from
their makers' documents.
"""

import io
import struct
import sys
import zlib
from collections.abc import Iterator
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
from subpixel.media.metadata.budget import MAX_PIECES

SIGNATURE = b"\x89PNG\r\n\x1a\n"

TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
SINGLE_CHUNKS = {b"eXIf": "exif", b"pHYs": "resolution"}
"""What is kept of the first chunk of the name, and a loss's name for it."""

CHECKSUM_BYTES = 4
"""Behind the content of each chunk."""

COLOUR_CHUNKS = (b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP")
"""What becomes of these is said where colours are read."""

FRAME_CHUNKS = (b"acTL", b"fcTL", b"fdAT")
"""What becomes of these is said where frames are read."""

_STORAGE_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iDOT")
"""How pixels are stored; Apple's iDOT says where half of them begin."""

_CHUNK_SIZES = {b"IEND": 0, b"iDOT": 28, b"pHYs": 9}
"""Bytes of what has but one size; what is longer holds something else."""

_HEADER_BYTES = 13
_PALETTE, _TRUE_COLOURS, _ALPHA = 3, (2, 6), (4, 6)
"""Colour types."""

_LOSSES = {
    b"bKGD": ("background", "a colour to show the picture on"),
    b"tIME": ("time", "when the original was changed last"),
    b"hIST": ("palette", "how often its colours are used"),
    b"sPLT": ("palette", "a palette for other screens"),
    b"oFFs": ("position", "where the picture stands on a page"),
    b"sCAL": ("resolution", "the size of what a pixel shows"),
    b"pCAL": ("calibration", "what its samples measure"),
    b"sTER": ("stereo", "how two views lie side by side"),
    b"gIFg": ("timing", "a frame's delay, from a GIF"),
    b"gIFx": ("unknown data", "an extension from a GIF"),
    b"gIFt": ("text", "a text from a GIF"),
    b"mDCV": ("colour", "the mastering display's volume"),
    b"mDCv": ("colour", "the mastering display's volume"),
    b"cLLI": ("colour", "the content's light levels"),
    b"cLLi": ("colour", "the content's light levels"),
    b"caBX": (
        "content credentials",
        "C2PA or another JUMBF box; what is signed for the original can't hold for other pixels",
    ),
    b"dSIG": ("signature", "what is signed for the original can't hold for other pixels"),
}
"""What is understood and can't be kept: what is lost, and a remark."""

_GUESSES = {
    b"vpAg": "ImageMagick's page",
    b"caNv": "ImageMagick's canvas",
    b"orNT": "ImageMagick's orientation",
    b"npTc": "Android's nine patches",
    b"npOl": "Android's nine patches",
    b"npLb": "Android's nine patches",
    b"mkBF": "Fireworks",
    b"mkBS": "Fireworks",
    b"mkBT": "Fireworks",
    b"mkTS": "Fireworks",
    b"prVW": "Fireworks' preview",
    b"zxIf": "compressed EXIF",
    b"exIf": "EXIF of an old draft",
    b"fRAc": "how a fractal was made",
    b"gmID": "Gamebryo",
    b"skMf": "Snagit",
    b"skRf": "Snagit",
}


@dataclass(frozen=True)
class Chunk:
    """One chunk, or a run of chunks of pixels."""

    name: bytes
    size: int
    """Bytes of its content."""
    at: int
    """Where that stands."""

    def read(self, stream: BinaryIO, most: int = sys.maxsize) -> bytes:
        """The content, the first ``most`` bytes of it; shorter where the file is cut off."""
        stream.seek(self.at)
        return stream.read(min(self.size, most))


def walk_chunks(stream: BinaryIO) -> Iterator[Chunk]:
    """The chunks up to and with the end (IEND), chunks of pixels that follow one another as one.

    No more than are looked at (:data:`MAX_PARTS`) of other chunks.
    """
    run, number = None, 0
    for chunk in walk_every_chunk(stream):
        if chunk.name == b"IDAT":
            run = Chunk(b"IDAT", chunk.size + (run.size if run else 0), run.at if run else chunk.at)
            continue
        if run is not None:
            yield run
            run = None
        yield chunk
        number += 1
        if chunk.name == b"IEND" or number > MAX_PARTS:
            return
    if run is not None:
        yield run


def walk_every_chunk(stream: BinaryIO) -> Iterator[Chunk]:
    """All chunks, those of pixels one by one, of which a header at least is there."""
    size = stream.seek(0, io.SEEK_END)
    at = len(SIGNATURE)
    for _ in range(MAX_PIECES):
        if at + 8 > size:
            return
        stream.seek(at)
        length, name = struct.unpack(">I4s", stream.read(8))
        yield Chunk(name, min(length, size - at - 8), at + 8)
        at += 12 + length


def build_chunk(name: bytes, data: bytes) -> bytes:
    """A chunk as it stands in a file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def list_png_parts(stream: BinaryIO) -> Iterator[FilePart]:
    """All parts of the file, in their order."""
    earlier: set[bytes] = set()
    header = b""
    for chunk in walk_chunks(stream):
        if chunk.name == b"IHDR":
            header = chunk.read(stream, _HEADER_BYTES)
        data = chunk.read(stream) if chunk.name == b"sBIT" and chunk.size <= 4 else b""
        yield _account_chunk(
            chunk, header.ljust(10, b"\0"), data, is_first=chunk.name not in earlier
        )
        earlier.add(chunk.name)
        if chunk.name == b"IEND":
            yield from list_rest(stream, chunk.at + chunk.size + 4)


def _account_chunk(
    chunk: Chunk, header: bytes, significant_bits: bytes, *, is_first: bool
) -> FilePart:
    name = f"a chunk {escape_name(chunk.name)}"
    part = FilePart(name, chunk.size)
    if chunk.name == b"sBIT" and significant_bits:
        return _account_significant_bits(significant_bits, header)
    if _CHUNK_SIZES.get(chunk.name, chunk.size) != chunk.size:
        return leave_out(name, chunk.size, "not of its usual size")
    if chunk.name in _STORAGE_CHUNKS:
        return _account_storage(chunk, name, colour=header[9])
    if chunk.name in COLOUR_CHUNKS + FRAME_CHUNKS + TEXT_CHUNKS:
        return part
    if chunk.name in SINGLE_CHUNKS:
        return part if is_first else leave_out(f"a further{name[1:]}", chunk.size)
    if chunk.name in _LOSSES:
        what, remark = _LOSSES[chunk.name]
        return lose(name, chunk.size, what, remark)
    return leave_out(name, chunk.size, _GUESSES.get(chunk.name, ""))


def _account_storage(chunk: Chunk, name: str, *, colour: int) -> FilePart:
    """A palette may also be one for other screens, and decoders skip a colour key beside alpha."""
    if chunk.name == b"PLTE" and colour in _TRUE_COLOURS:
        return lose(name, chunk.size, "palette", "for screens of few colours")
    if chunk.name == b"tRNS" and colour in _ALPHA:
        return leave_out(name, chunk.size, "beside an alpha channel")
    return FilePart(name, chunk.size)


def _account_significant_bits(data: bytes, header: bytes) -> FilePart:
    """It says nothing where all bits are significant; those of a palette are 8."""
    depth = 8 if header[9] == _PALETTE else header[8]
    if all(bits == depth for bits in data):
        return FilePart("a chunk sBIT", len(data))
    bits = ", ".join(map(str, data))
    remark = f"that {bits} bits are significant; all are in the new picture"
    return lose("a chunk sBIT", len(data), "significant bits", remark)
