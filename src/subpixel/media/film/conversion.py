"""Planes of luma and chroma to RGB and back, by the formulas of the standards.

Sources: ITU-T H.273 (matrices, equations 1 … 38; ranges), which has the numbers of BT.601, BT.709
and BT.2020. FFmpeg's swscale is not used: at 10 bits it is off by up to four code values, at full
range by one (``benchmarks/film.py --accuracy``). Between samples chroma is interpolated linearly,
and it is filtered by the adjoint of that on the way back, both where the siting says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.media.film.facts import LUMA_OF_MATRIX, SITINGS, FilmColour, SampleLayout

FramePlanes = Sequence[NDArray[Any]]
"""Luma, Cb and Cr; or red, green and blue; or grey; and then alpha: ``(h, w)`` each."""

BLOCK_SAMPLES = 1 << 16
"""Of luma, that are converted at a time: what they take fits into a processor's caches."""

PlaneValues = NDArray[np.float32]


@dataclass(frozen=True)
class _Scale:
    """From code values to numbers in which black is 0 and white 1, and chroma -0.5 … 0.5."""

    step: float
    zero: float


def _luma_scale(bits: int, *, full: bool) -> _Scale:
    unit = 1 << (bits - 8)
    return _Scale(1 / ((1 << bits) - 1), 0) if full else _Scale(1 / (219 * unit), 16 * unit)


def _chroma_scale(bits: int, *, full: bool) -> _Scale:
    middle = 1 << (bits - 1)
    return _Scale(1 / ((1 << bits) - 1 if full else 224 << (bits - 8)), middle)


def sample_dtype(layout: SampleLayout) -> np.dtype[Any]:
    """Of the picture: uint8 for 8 bits, uint16 for more."""
    return np.dtype(np.uint8 if layout.bits == 8 else np.uint16)


def decode_planes(planes: FramePlanes, layout: SampleLayout, colour: FilmColour) -> NDArray[Any]:
    """``(H, W, C)`` grey or RGB and alpha in full range: uint8 of 8 bits, uint16 of more.

    What lies outside black and white is clipped.
    """
    height, width = planes[0].shape
    frame = np.empty((height, width, layout.channels), sample_dtype(layout))
    for top, bottom in _blocks(height, width, layout.down):
        for channel, values in enumerate(_decode_block(planes, layout, colour, top, bottom)):
            _store(values, frame[top:bottom, :, channel])
    return frame


def encode_planes(
    frame: NDArray[Any], layout: SampleLayout, colour: FilmColour
) -> list[NDArray[Any]]:
    """The planes of ``frame``, ``(H, W, C)`` in the full range of its dtype, as ``layout`` has
    them: uint8 for 8 bits, uint16 for more, rounded to the nearest value."""
    height, width = frame.shape[:2]
    dtype = sample_dtype(layout)
    chroma = (-(-height // layout.down), -(-width // layout.across))
    shapes = [chroma if _is_chroma(layout, n) else (height, width) for n in range(layout.planes)]
    planes = [np.empty(shape, dtype) for shape in shapes]
    for top, bottom in _blocks(height, width, layout.down):
        _encode_block(frame, layout, colour, (top, bottom), planes)
    return planes


def _is_chroma(layout: SampleLayout, plane: int) -> bool:
    return layout.family == "yuv" and plane in (1, 2)


def _blocks(height: int, width: int, down: int) -> Iterator[tuple[int, int]]:
    """Rows from and to, whole rows of chroma each."""
    rows = max(1, BLOCK_SAMPLES // width // down) * down
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def _decode_block(
    planes: FramePlanes, layout: SampleLayout, colour: FilmColour, top: int, bottom: int
) -> Iterator[PlaneValues]:
    """Each channel in 0 … 1."""
    luma = _luma_scale(layout.bits, full=colour.full_range)
    if layout.family == "yuv":
        blue, red = (_upsample(plane, layout, colour, top, bottom) for plane in planes[1:3])
        width = planes[0].shape[1]
        light = _scale_plane(planes[0][top:bottom], luma)
        yield from _mix_colours(light, blue[:, :width], red[:, :width], colour)
    else:
        for plane in planes[: layout.channels - layout.alpha]:
            yield _scale_plane(plane[top:bottom], luma)
    if layout.alpha:
        yield _scale_plane(planes[-1][top:bottom], _luma_scale(layout.bits, full=True))


def _scale_plane(plane: NDArray[Any], scale: _Scale) -> PlaneValues:
    values = plane.astype(np.float32)
    if scale.zero:
        values -= np.float32(scale.zero)
    values *= np.float32(scale.step)
    return values


def _mix_colours(
    luma: PlaneValues, blue: PlaneValues, red: PlaneValues, colour: FilmColour
) -> Iterator[PlaneValues]:
    """Red, green and blue of luma, Cb and Cr (H.273, equations 38 … 40 turned round)."""
    kr, kb = LUMA_OF_MATRIX[colour.matrix]
    kg = 1 - kr - kb
    yield luma + np.float32(2 * (1 - kr)) * red
    green = np.float32(-2 * (1 - kb) * kb / kg) * blue
    green += np.float32(-2 * (1 - kr) * kr / kg) * red
    green += luma
    yield green
    yield luma + np.float32(2 * (1 - kb)) * blue


def _store(values: PlaneValues, samples: NDArray[Any]) -> None:
    """Of 0 … 1, clipped and rounded half up."""
    values *= np.float32(np.iinfo(samples.dtype).max)
    values += np.float32(0.5)
    np.clip(values, 0, np.iinfo(samples.dtype).max, out=values)
    samples[...] = values  # cut off below the point


def _upsample(
    plane: NDArray[Any], layout: SampleLayout, colour: FilmColour, top: int, bottom: int
) -> PlaneValues:
    """Chroma at each sample of luma of some rows, -0.5 … 0.5; maybe some columns too many."""
    across, down = SITINGS[colour.siting]
    scale = _chroma_scale(layout.bits, full=colour.full_range)
    rows = _interpolate_rows(plane, scale, top, bottom, layout.down, down)
    return _interpolate_columns(rows, layout.across, across)


def _interpolate_rows(
    plane: NDArray[Any], scale: _Scale, top: int, bottom: int, factor: int, siting: float
) -> PlaneValues:
    if factor == 1:
        return _scale_plane(plane[top:bottom], scale)
    at = (np.arange(top, bottom) - siting * (factor - 1)) / factor
    above = np.floor(at).astype(np.intp)
    weight = (at - above).astype(np.float32)[:, np.newaxis]
    first = max(int(above[0]), 0)
    values = _scale_plane(plane[first : int(above[-1]) + 2], scale)
    upper = (above - first).clip(0, len(values) - 1)
    lower = (above + 1 - first).clip(0, len(values) - 1)
    rows = values[lower]
    rows -= values[upper]
    rows *= weight
    rows += values[upper]
    return np.asarray(rows)


def _interpolate_columns(rows: PlaneValues, factor: int, siting: float) -> PlaneValues:
    if factor == 1:
        return rows
    count = rows.shape[1]
    result = np.empty((len(rows), count * factor), np.float32)
    padded = np.pad(rows, ((0, 0), (1, 1)), "edge")
    for phase in range(factor):
        at = (phase - siting * (factor - 1)) / factor
        first = int(np.floor(at))
        weight = np.float32(at - first)
        left = padded[:, 1 + first : 1 + first + count]
        right = padded[:, 2 + first : 2 + first + count]
        result[:, phase::factor] = left + weight * (right - left) if weight else left
    return result


def _encode_block(
    frame: NDArray[Any],
    layout: SampleLayout,
    colour: FilmColour,
    rows: tuple[int, int],
    planes: Sequence[NDArray[Any]],
) -> None:
    top, bottom = rows
    luma = _luma_scale(layout.bits, full=colour.full_range)
    if layout.family == "yuv":
        _encode_colours(frame, layout, colour, rows, planes)
    else:
        for channel, plane in enumerate(planes[: layout.channels - layout.alpha]):
            _round(_to_unit(frame[top:bottom, :, channel]), luma, plane[top:bottom], layout.bits)
    if layout.alpha:
        alpha = _luma_scale(layout.bits, full=True)
        _round(_to_unit(frame[top:bottom, :, -1]), alpha, planes[-1][top:bottom], layout.bits)


def _encode_colours(
    frame: NDArray[Any],
    layout: SampleLayout,
    colour: FilmColour,
    rows: tuple[int, int],
    planes: Sequence[NDArray[Any]],
) -> None:
    """Luma, Cb and Cr of some rows (H.273, equations 38 … 40)."""
    top, bottom = rows
    kr, kb = (np.float32(weight) for weight in LUMA_OF_MATRIX[colour.matrix])
    across, down = SITINGS[colour.siting]
    before, after = _halo(layout.down, down)
    shown = _rows_around(frame, top - before, bottom + after)
    red, green, blue = (_to_unit(shown[..., channel]) for channel in range(3))
    luma = green * (1 - kr - kb)
    luma += kr * red
    luma += kb * blue
    scale = _luma_scale(layout.bits, full=colour.full_range)
    chroma = _chroma_scale(layout.bits, full=colour.full_range)
    for plane, primary, weight in ((planes[1], blue, kb), (planes[2], red, kr)):
        primary -= luma
        primary *= np.float32(0.5) / (1 - weight)
        small = _filter_rows(primary, layout.down, down, bottom - top)
        small = _filter_columns(small, layout.across, across)
        _round(small, chroma, plane[top // layout.down :][: len(small)], layout.bits)
    _round(luma[before : before + bottom - top], scale, planes[0][top:bottom], layout.bits)


def _to_unit(samples: NDArray[Any]) -> PlaneValues:
    """0 … 1."""
    values = samples.astype(np.float32)
    values *= np.float32(1 / np.iinfo(samples.dtype).max)
    return values


def _round(values: PlaneValues, scale: _Scale, plane: NDArray[Any], bits: int) -> None:
    values *= np.float32(1 / scale.step)
    values += np.float32(scale.zero + 0.5)
    np.clip(values, 0, (1 << bits) - 1, out=values)
    plane[...] = values  # cut off below the point


def _halo(factor: int, siting: float) -> tuple[int, int]:
    """How many rows, or columns, before and after its own a sample of chroma is made of."""
    offsets = [offset for offset, _ in _taps(factor, siting)]
    return max(0, -min(offsets)), max(0, max(offsets) - (factor - 1))


def _taps(factor: int, siting: float) -> list[tuple[int, np.float32]]:
    """Places, counted from the first sample of luma that shares one of chroma, and weights: a
    triangle over the chroma sample, as wide as those beside it are far; in the middle of an even
    number, the mean of them."""
    if factor == 1:
        return [(0, np.float32(1))]
    middle = siting * (factor - 1)
    if siting == 0.5:
        return [(offset, np.float32(1 / factor)) for offset in range(factor)]
    near = range(int(middle) - factor + 1, int(middle) + factor)
    return [(n, np.float32((factor - abs(n - middle)) / factor**2)) for n in near]


def _rows_around(frame: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
    """Rows ``[start, stop)``; those beyond the edge are the rows at it."""
    if start >= 0 and stop <= len(frame):
        return frame[start:stop]
    return np.asarray(frame.take(np.arange(start, stop), axis=0, mode="clip"))


def _filter_rows(values: PlaneValues, factor: int, siting: float, count: int) -> PlaneValues:
    """One row for each ``factor`` of ``count``, out of these and the halo around them."""
    if factor == 1:
        return values
    before, _ = _halo(factor, siting)
    values = _repeat_last_row(values, -count % factor)
    stop = -(-count // factor) * factor
    parts = [
        w * values[before + at : before + at + stop : factor] for at, w in _taps(factor, siting)
    ]
    return np.asarray(sum(parts[1:], parts[0]))


def _filter_columns(values: PlaneValues, factor: int, siting: float) -> PlaneValues:
    if factor == 1:
        return values
    before, after = _halo(factor, siting)
    count = values.shape[1]
    padded = np.pad(values, ((0, 0), (before, after + -count % factor)), "edge")
    stop = -(-count // factor) * factor
    taps = _taps(factor, siting)
    parts = [w * padded[:, before + at : before + at + stop : factor] for at, w in taps]
    return np.asarray(sum(parts[1:], parts[0]))


def _repeat_last_row(values: PlaneValues, count: int) -> PlaneValues:
    """So many times more, for chroma of an odd number of rows."""
    return np.pad(values, ((0, count), (0, 0)), "edge") if count else values
