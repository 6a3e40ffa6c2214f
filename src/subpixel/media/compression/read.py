"""What a picture file says of how it was compressed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from subpixel.media.compression.av1_frame import read_base_quantizer
from subpixel.media.compression.jpeg_tables import fit_quality, read_luma_table
from subpixel.media.compression.vp8 import read_quantizer


@dataclass(frozen=True)
class Compression:
    """A lossy file's quantiser; what its format doesn't have is None."""

    jpeg_quality: int | None = None
    """At which libjpeg's table is nearest to the file's: 1 … 100."""
    webp_quantizer: float | None = None
    """VP8's index: 0 (fine) … 127 (coarse)."""
    av1_quantizer: int | None = None
    """AV1's base index: 1 (fine) … 255 (coarse)."""


UNKNOWN_COMPRESSION = Compression()
"""Of lossless files, of pixels without a file, and of formats whose quantiser isn't read."""


def judge_jpeg(segments: Iterable[tuple[int, bytes]]) -> Compression:
    """By a JPEG's tables, from marker and content of its segments before the first scan; unknown
    where they lack."""
    table = read_luma_table(segments)
    return UNKNOWN_COMPRESSION if table is None else Compression(jpeg_quality=fit_quality(table))


def read_webp_compression(stream: BinaryIO) -> Compression:
    """By a WebP's VP8 frame; unknown where there is none."""
    return Compression(webp_quantizer=read_quantizer(stream))


def judge_av1(stream: bytes) -> Compression:
    """By the begin of a picture's AV1 stream; unknown where it is without loss, or its headers
    can't be read."""
    return Compression(av1_quantizer=read_base_quantizer(stream) or None)
