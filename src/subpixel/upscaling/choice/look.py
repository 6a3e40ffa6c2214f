"""A look at a picture's pixels: a sample of its rows, of bounded size, however large it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from subpixel.imaging.colour import luma
from subpixel.media.compression.jpeg_seams import JpegSeams, find_jpeg_seams
from subpixel.media.compression.jpeg_steps import BLOCK_SIDE, LumaPlanes, estimate_quality
from subpixel.media.picture import Header, Rows, Source
from subpixel.upscaling.rows.window import regroup, split_frames

BAND_ROWS = 32
"""Of a band, a multiple of a JPEG block's side."""

MAX_BANDS = 16
"""Of the first frame, spread evenly from its top to its bottom."""

MAX_COLUMNS = 2048
"""Of a band, from the middle."""

WHITE_CODE = 255

EDGE_CODES = 32
"""Code values of 8 bits between two pixels with one between, from which there is an edge."""

EDGE_COLUMNS = 4
"""Fewer than a look at an edge takes."""

MIN_EDGES = 64
"""That are needed to tell a drawing."""

MAX_EVEN = 0.4
"""Of pixels equal to their right neighbour, in what may be a photograph."""


@dataclass(frozen=True)
class PixelLook:
    """What the pixels show."""

    jpeg_quality: int | None
    """The libjpeg quality, 10 … 97, of the coarsest JPEG that they went through; None: none."""
    even_share: float
    """Of the pixels that were looked at, those equal to their right neighbour: 0 … 1."""
    seams: JpegSeams | None = None
    """Of the blocks of a JPEG that was made smaller afterwards; None: none are seen, or it is a
    drawing, where lines at even distances are its own."""
    drawn_share: float = 0.0
    """Of the edges along rows, those with even pixels close by on both sides: 0 … 1."""


def look_at_pixels(source: Source) -> PixelLook:
    """Decode the first frame of ``source`` and look at a sample of its rows.

    At most :data:`MAX_BANDS` bands of :data:`BAND_ROWS` rows and :data:`MAX_COLUMNS` columns are
    held. Raises what the source raises.
    """
    header = source.header
    bands = list(_pick_bands(source))
    planes = _stack_whole(bands, header)
    even = _count_even(bands)
    seams = find_jpeg_seams(planes, _choose_stride(header) * BAND_ROWS) if even < MAX_EVEN else None
    return PixelLook(estimate_quality(planes), even, seams, _measure_drawn(bands, header))


def _pick_bands(source: Source) -> Iterator[Rows]:
    """Every n-th band of the first frame; decoding stops behind the last."""
    header = source.header
    count, step = -(-header.height // BAND_ROWS), _choose_stride(header)
    frames = split_frames(source.chunks(), header.height)
    columns = map(_crop_columns, next(frames))  # before rows are put together, however wide
    for number, band in enumerate(regroup(columns, BAND_ROWS)):
        if number % step == 0:
            yield np.array(band)  # a copy: the band may be a view of a whole frame
            if number + step >= count:
                return


def _choose_stride(header: Header) -> int:
    """Every how many bands one is looked at."""
    count = -(-header.height // BAND_ROWS)
    return -(-count // MAX_BANDS)


def _crop_columns(band: Rows) -> Rows:
    left = max(band.shape[1] - MAX_COLUMNS, 0) // 2 // BLOCK_SIDE * BLOCK_SIDE
    return band[:, left : left + MAX_COLUMNS]


def _stack_whole(bands: list[Rows], header: Header) -> LumaPlanes:
    """All bands that are as high as the first."""
    whole = [band for band in bands if len(band) == len(bands[0])]
    return np.stack([_to_luma(band, header) for band in whole])


def _to_luma(band: Rows, header: Header) -> NDArray[np.float32]:
    codes = band.astype(np.float32) * np.float32(WHITE_CODE / header.full_scale)
    plane = codes[..., 0] if header.is_grey else luma(codes[..., :3])
    return plane.astype(np.float32)


def _measure_drawn(bands: list[Rows], header: Header) -> float:
    """The share of edges with two equal pixels, of no more than one between, on either side; 0
    where there are few edges."""
    counts = [_count_edges(band, header) for band in bands if band.shape[1] > EDGE_COLUMNS]
    edges, drawn = (sum(count) for count in zip(*counts, strict=True)) if counts else (0, 0)
    return drawn / edges if edges >= MIN_EDGES else 0.0


def _count_edges(band: Rows, header: Header) -> tuple[int, int]:
    """How many edges there are, and how many of them are drawn."""
    colours = band[..., : 1 if header.is_grey else 3].astype(np.float32)
    colours *= np.float32(WHITE_CODE / header.full_scale)
    even = (colours[:, 1:] == colours[:, :-1]).all(axis=-1)
    edge = np.abs(colours[:, 3:-1] - colours[:, 1:-3]).max(axis=-1) >= EDGE_CODES
    return int(edge.sum()), int((edge & even[:, :-3] & even[:, 3:]).sum())


def _count_even(bands: list[Rows]) -> float:
    pairs = [(band[:, 1:] == band[:, :-1]).all(axis=-1) for band in bands if band.shape[1] > 1]
    return float(np.mean([pair.mean() for pair in pairs])) if pairs else 0.0
