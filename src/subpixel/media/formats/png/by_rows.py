"""PNG written as its rows come, one of them held: for rows so long that libvips can't hold many.

Source: W3C PNG 3rd edition, sections 9 (filters) and 10 (compression).
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from subpixel.media.formats.png.chunks import SIGNATURE, build_chunk
from subpixel.media.libvips import FileTarget
from subpixel.media.picture import Header, Rows

DATA_BYTES = 1 << 20
"""Of compressed pixels, about what is held until it becomes a chunk."""

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_UP = b"\x02"


def write_png_rows(
    blocks: Iterator[Rows], header: Header, chunks: bytes, level: int, target: FileTarget
) -> None:
    """The one frame of ``header``, whose rows come in ``blocks`` of uint8 or uint16, with
    ``chunks`` between its header and its pixels; ``level`` is zlib's. Each row is stored as its
    difference from the one above. Raises :class:`ValueError` where rows are missing."""
    depth, colours = 8 * header.dtype.itemsize, _COLOUR_TYPES[header.channels]
    sides = struct.pack(">IIBBBBB", header.width, header.height, depth, colours, 0, 0, 0)
    target.take(SIGNATURE + build_chunk(b"IHDR", sides) + chunks)
    for data in _gather(_compress(blocks, header, level)):
        target.take(build_chunk(b"IDAT", data))
    target.take(build_chunk(b"IEND", b""))


def _compress(blocks: Iterator[Rows], header: Header, level: int) -> Iterator[bytes]:
    stream, done = zlib.compressobj(level), 0
    above = np.zeros(header.width * header.channels * header.dtype.itemsize, np.uint8)
    for rows in blocks:
        for row in rows:
            line = np.frombuffer(row.astype(row.dtype.newbyteorder(">")).data, np.uint8)
            yield stream.compress(_UP)
            yield stream.compress(np.subtract(line, above).data)
            above = line
        done += len(rows)
    if done < header.height:
        raise ValueError(f"{header.height - done} rows of the picture did not come")
    yield stream.flush()


def _gather(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """So many together that chunks aren't small."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= DATA_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
