"""TIFF written as its rows come, each a strip: for rows so long that libvips can't hold many.

Source: TIFF 6.0 (Adobe, 1992), sections 7 (strips) and 14 (differencing predictor); Deflate is
Adobe's technical note 3 on it.
"""

import struct
import sys
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from subpixel.media.libvips import FileTarget
from subpixel.media.metadata import exif
from subpixel.media.metadata.exif import ByteOrder, Field
from subpixel.media.picture import Header, Rows

DEFLATE_LEVEL = 2

ORDER: ByteOrder = "<" if sys.byteorder == "little" else ">"
"""This machine's byte order, in which samples are stored."""

_TIFF_HEADER = struct.pack(ORDER + "2sHI", b"II" if ORDER == "<" else b"MM", 42, 0)
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _BYTE_COUNTS, _PREDICTOR, _EXTRA = 273, 277, 278, 279, 317, 338
_NONE, _DEFLATE = 1, 8
_HORIZONTAL = 2
_STRAIGHT_ALPHA = 2


def write_tiff_rows(
    blocks: Iterator[Rows],
    header: Header,
    fields: Sequence[Field],
    target: FileTarget,
    *,
    deflate: bool,
) -> None:
    """The one frame of ``header``, whose rows come in ``blocks`` of uint8 or uint16, with
    ``fields`` in its directory, in :data:`ORDER`; a classic TIFF. Rows are stored as differences
    and deflated, or as they are. Raises :class:`ValueError` where rows are missing."""
    target.take(_TIFF_HEADER)
    counts = []
    for rows in blocks:
        for row in rows:
            strip = zlib.compress(_take_differences(row), DEFLATE_LEVEL) if deflate else row.data
            target.take(strip)
            counts.append(strip.nbytes if isinstance(strip, memoryview) else len(strip))
    if len(counts) < header.height:
        raise ValueError(f"{header.height - len(counts)} rows of the picture did not come")
    own = _list_storage_fields(header, counts, deflate=deflate)
    exif.insert_fields(target.stream, [[*own, *fields]])


def _take_differences(row: Rows) -> bytes:
    """Of each sample from that of the pixel before, within its bits."""
    result = row.copy()
    np.subtract(row[1:], row[:-1], out=result[1:])
    return result.tobytes()


def _list_storage_fields(header: Header, counts: Sequence[int], *, deflate: bool) -> list[Field]:
    """How the pixels are stored."""
    offsets = len(_TIFF_HEADER) + np.cumsum([0, *counts[:-1]])
    numbers = [
        (_WIDTH, [header.width]),
        (_LENGTH, [header.height]),
        (_BITS, [8 * header.dtype.itemsize] * header.channels),
        (_COMPRESSION, [_DEFLATE if deflate else _NONE]),
        (_PHOTOMETRIC, [1 if header.is_grey else 2]),
        (_OFFSETS, offsets.tolist()),
        (_SAMPLES, [header.channels]),
        (_ROWS_PER_STRIP, [1]),
        (_BYTE_COUNTS, list(counts)),
        (_PREDICTOR, [_HORIZONTAL if deflate else 1]),
        (_EXTRA, [_STRAIGHT_ALPHA] * len(header.extra_channels)),
    ]
    return [exif.whole_numbers(tag, values, ORDER) for tag, values in numbers if values]
