"""What a picture file says of how it was compressed."""

from dataclasses import dataclass
from typing import BinaryIO

from subpixel.media.compression.jpeg_tables import fit_quality, read_luma_table
from subpixel.media.compression.vp8 import read_quantizer


@dataclass(frozen=True)
class Compression:
    """A lossy file's quantiser; what its format doesn't have is None."""

    jpeg_quality: int | None = None
    """At which libjpeg's table is nearest to the file's: 1 … 100."""
    webp_quantizer: float | None = None
    """VP8's index: 0 (fine) … 127 (coarse)."""


UNKNOWN_COMPRESSION = Compression()
"""Of lossless files, of pixels without a file, and of formats whose quantiser isn't read."""


def read_compression(format_name: str, stream: BinaryIO) -> Compression:
    """What the file in ``stream`` says, whose format is called ``format_name`` in the registry.

    A damaged file is none the worse for it here: what can't be read is None.
    """
    if format_name == "JPEG":
        table = read_luma_table(stream)
        return Compression(jpeg_quality=None if table is None else fit_quality(table))
    if format_name == "WebP":
        return Compression(webp_quantizer=read_quantizer(stream))
    return UNKNOWN_COMPRESSION
