"""Whether the one scan of a sequential JPEG holds all of its rows.

libvips looks at libjpeg's warnings before it reads some rows, so never after the last ones. A
picture of one more row of blocks shows what it would have missed.
"""

import struct
from dataclasses import dataclass

import pyvips

from subpixel.media.libvips import load_bytes

_ROWS_AT_ONCE = 8
"""libvips looks before each of these."""

_MAX_SIDE = 65_500


@dataclass(frozen=True)
class FrameHeader:
    """What the header of a sequential frame says."""

    at: int
    """Where its content begins in the file."""
    height: int
    samplings: tuple[tuple[int, int], ...]
    """Across and down, of each component."""

    @staticmethod
    def parse(data: bytes, at: int) -> "FrameHeader | None":
        """The header whose content is ``data``; None where it is cut off, or damaged."""
        if len(data) < 6 or len(data) < 6 + 3 * data[5]:
            return None
        (height,) = struct.unpack_from(">H", data, 1)
        samplings = tuple((n >> 4, n & 15) for n in data[7 : 6 + 3 * data[5] : 3])
        if not samplings or any(0 in sampling for sampling in samplings):
            return None
        return FrameHeader(at, height, samplings)

    @property
    def shows_damage_in_time(self) -> bool:
        """Whether libjpeg decodes the last row of blocks before libvips looks for the last time.

        It does where such a row has more than a few pixel rows, and where it needs the row for
        the chroma of the one above it (``h2v2`` and ``h1v2``, its smooth upsampling).
        """
        across, down = (max(numbers) for numbers in zip(*self.samplings, strict=True))
        rows = (self.height - 1) % (8 * down) + 1
        smooth = across <= 2 and down == 2 and (1, 1) in self.samplings[1:]
        return smooth or rows > _ROWS_AT_ONCE


def has_all_rows(file: bytes, frame: FrameHeader) -> bool:
    """Whether the scan of ``file``, which has its end marker, holds every row of blocks.

    It is decoded for that. False where that can't be told.
    """
    if frame.shows_damage_in_time:
        return True
    extra = -(-frame.height // 8) * 8
    if any(down != 1 for _, down in frame.samplings) or extra + 8 > _MAX_SIDE:
        return False
    taller = bytearray(file)
    struct.pack_into(">H", taller, frame.at + 1, extra + 8)
    try:
        image = load_bytes(bytes(taller), "warning")
        region = pyvips.Region.new(image)
        for top in range(0, extra + 1, _ROWS_AT_ONCE):
            region.fetch(0, top, image.width, 1)
    except pyvips.Error:
        return False
    return True
