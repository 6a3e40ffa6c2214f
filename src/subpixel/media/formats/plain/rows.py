"""Rows of samples that lie in a file as they are, and rows that libvips hands on."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyvips

from subpixel.media.libvips import VipsImage
from subpixel.media.picture import Rows

_STEP_ROWS = 64
"""Rows that are read, or taken from libvips, at a time."""

_STEP_BYTES = 1 << 20
"""The same in bytes, of pictures so wide that it is fewer rows."""


def cut_rows(height: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    """The top and the height of each block of rows of a picture, from top to bottom."""
    step = max(1, min(_STEP_ROWS, _STEP_BYTES // max(1, row_bytes)))
    for top in range(0, height, step):
        yield top, min(step, height - top)


def read_bytes(stream: BinaryIO, count: int) -> bytes:
    """The next ``count`` bytes; raises :class:`ValueError` where the file ends before."""
    data = stream.read(count)
    if len(data) < count:
        raise ValueError(f"it ends {count - len(data):,} bytes too early")
    return data


def fetch_blocks(image: VipsImage) -> Iterator[Rows]:
    """All rows of an image of 8 or 16 bits, ``(h, W, C)``, from top to bottom."""
    region, dtype = pyvips.Region.new(image), np.uint8 if image.format == "uchar" else np.uint16
    row = image.width * image.bands * np.dtype(dtype).itemsize
    for top, count in cut_rows(image.height, row):
        block = np.frombuffer(region.fetch(0, top, image.width, count), dtype)
        yield block.reshape(count, image.width, image.bands)


def stretch(samples: Rows, white: int) -> Rows:
    """Samples of 0 … ``white`` in the full range of 8 bits, or of 16 where white is over 255;
    raises :class:`ValueError` for larger ones."""
    largest = int(samples.max(initial=0))
    if largest > white:
        raise ValueError(f"a sample is {largest}, and the most that it announces {white}")
    full = 255 if white < 256 else 65535
    if white != full:
        samples = (samples.astype(np.uint32) * full + white // 2) // white
    return samples.astype(np.uint8 if full == 255 else np.uint16)
