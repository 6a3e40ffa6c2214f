"""Rows of a picture brought to another size as they pass, antialiased where it shrinks."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.imaging.resample import BICUBIC, Kernel, resize_taps
from subpixel.media.picture import FULL_SCALE, Header, Metadata
from subpixel.runtime.op import Samples
from subpixel.upscaling.rows.window import RowWindow, split_frames

GROUP = 16
"""Rows that are resampled at a time; of very wide pictures fewer."""

GROUP_BYTES = 1 << 25
"""Of a group in float32, about the most."""

BLOCK_COLUMNS = 1 << 16
"""Columns whose weights are computed at a time."""

KEPT_BLOCKS = 4
"""Blocks of columns up to which their weights are kept from group to group."""

BLOCK = 1 << 15
"""About how many samples are added up at a time."""

WEIGHT_BYTES = 60
"""What a weight takes while it is computed, about."""

NO_WEIGHT = 1e-12
"""What a kernel gives where it is 0, but for the rounding of its sines."""

Floats = NDArray[np.float32]
"""``(h, W, C)`` in 0 … 1, colour multiplied by alpha."""


@dataclass(frozen=True)
class Window:
    """What is kept of a picture: ``height`` rows from row ``top`` on, ``width`` columns from column
    ``left`` on."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class Part:
    """What of a picture of ``height`` by ``width`` pixels comes in: from row ``top`` and column
    ``left`` on."""

    height: int
    width: int
    top: int
    left: int


@dataclass(frozen=True)
class Resampler:
    """A :class:`~subpixel.upscaling.rows.stage.RowStage` to a ``height`` and ``width`` in pixels,
    of which a ``window`` is kept (None: all). Where no more than a ``part`` of the picture comes in
    (None: all of it), that has what the window is made of.

    With the bicubic kernel the same interpolation as :func:`subpixel.imaging.resample.imresize`, in
    float32 and rounded to samples once, at the end, on code values as they are (gamma light).
    Colour is weighted by its alpha, so none that is hidden shows. The result does not depend on how
    the rows are grouped. Raises :class:`~subpixel.errors.UsageError` for a size without pixels and
    a window that reaches beyond it.
    """

    height: int
    width: int
    kernel: Kernel = BICUBIC
    window: Window | None = None
    part: Part | None = None

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise UsageError(
                f"the target size is {self.width} x {self.height}; both are at least 1 pixel"
            )
        kept = self._window
        fits_down = 0 <= kept.top < kept.top + kept.height <= self.height
        if not (fits_down and 0 <= kept.left < kept.left + kept.width <= self.width):
            raise UsageError(f"{kept} has no pixels, or some outside {self.width} x {self.height}")

    @property
    def _window(self) -> Window:
        return self.window or Window(0, 0, self.height, self.width)

    def header(self, header: Header) -> Header:
        """The same picture in the target size."""
        count, _, _, channels = header.shape
        shape = (count, self._window.height, self._window.width, channels)
        return replace(header, shape=shape, metadata=self._crop_gain_map(header.metadata))

    def _crop_gain_map(self, metadata: Metadata) -> Metadata:
        """The gain map is the whole picture's, also where but a part of that comes in."""
        if metadata.gain_map is None or self.window is None:
            return metadata
        kept, across, down = self.window, self.width, self.height
        part = metadata.gain_map.crop(
            kept.left / across,
            kept.top / down,
            (kept.left + kept.width) / across,
            (kept.top + kept.height) / down,
        )
        return replace(metadata, gain_map=part)

    def memory(self, header: Header) -> int:
        """The source's rows that a group is made of, those that came with them, and the group;
        the weights of columns."""
        part, (down, across) = self._part(header), self._axes(header)
        group = self._group(header)
        rows = 2 * (group * (1 + part.height / self.height) + down.taps)
        wide = 4 * header.channels * header.width
        block = min(self._window.width, BLOCK_COLUMNS * KEPT_BLOCKS)
        weights = block * (4 * across.taps + 8)
        weights += WEIGHT_BYTES * (across.taps + 2) * min(block, BLOCK_COLUMNS)
        return int(rows * wide + 6 * group * 4 * header.channels * self._window.width + weights)

    def run(self, header: Header, chunks: Iterable[Samples]) -> Iterator[Samples]:
        """Rows of the target's width, :data:`GROUP` at a time or fewer."""
        for frame in split_frames(chunks, header.height):
            yield from self._resample(header, frame)

    def _axes(self, header: Header) -> "tuple[_ResampledAxis, _ResampledAxis]":
        """Down and across."""
        part = self._part(header)
        return (
            _ResampledAxis(part.height, self.height, self.kernel, part.top),
            _ResampledAxis(part.width, self.width, self.kernel, part.left),
        )

    def _group(self, header: Header) -> int:
        """How many rows are resampled at a time."""
        row = 4 * header.channels * max(header.width, self._window.width)
        return max(1, min(GROUP, GROUP_BYTES // row))

    def _part(self, header: Header) -> Part:
        return self.part or Part(header.height, header.width, 0, 0)

    def _resample(self, header: Header, frame: Iterator[Samples]) -> Iterator[Samples]:
        kept, group, (down, across) = self._window, self._group(header), self._axes(header)
        blocks = _ColumnBlocks(across, kept.left, kept.left + kept.width)
        columns = slice(blocks.first, blocks.last + 1)
        pieces = (piece[:, columns] for chunk in frame for piece in _cut_chunk(chunk, group))
        window = RowWindow(_to_floats(piece, header) for piece in pieces)
        bottom = kept.top + kept.height
        for top in range(kept.top, bottom, group):
            part = down.part(top, min(top + group, bottom))
            rows = part.apply(window(part.first, part.last + 1))
            yield _join_columns([_resample_across(rows, block, header) for block in blocks])


@dataclass(frozen=True)
class _ResampledAxis:
    """An axis of ``size`` samples brought to ``target``, of which the first ``left_out`` don't
    come."""

    size: int
    target: int
    kernel: Kernel
    left_out: int = 0

    @property
    def taps(self) -> int:
        """How many inputs have a weight in an output: whole numbers between the kernel's ends."""
        if self.size == self.target:
            return 1
        shrink = min(1.0, self.target / self.size)
        return min(self.size, math.ceil(2 * self.kernel.reach / shrink))

    def part(self, start: int, stop: int) -> "_Resampling":
        """Outputs ``[start, stop)``: the same numbers whichever part they are asked for in."""
        if self.size == self.target:
            starts, weights = np.arange(start, stop), np.ones((stop - start, 1), np.float32)
        else:
            starts, weights = self._weigh(start, stop)
        first, last = int(starts[0]), int(starts[-1]) + weights.shape[1] - 1
        left = self.left_out
        return _Resampling(first - left, last - left, starts - first, weights)

    def _weigh(self, start: int, stop: int) -> tuple[NDArray[np.intp], Floats]:
        """What weighs samples beyond an end is added to the one there."""
        scale = Fraction(self.target, self.size)
        taps, weights = resize_taps(self.size, scale, self.kernel, start, stop)
        span = self.taps
        starts = np.clip(taps[:, 0] + 1, 0, self.size - span)
        places = np.clip(np.clip(taps, 0, self.size - 1) - starts[:, None], 0, span - 1)
        weights[np.abs(weights) <= NO_WEIGHT] = 0
        together = np.zeros((len(taps), span))
        np.add.at(together, (np.arange(len(taps))[:, None], places), weights)
        return starts, together.astype(np.float32)


@dataclass(frozen=True, eq=False)
class _ColumnBlocks:
    """Outputs ``[start, stop)`` of an axis, a block at a time; of a long one computed anew at each
    use."""

    axis: _ResampledAxis
    start: int
    stop: int

    @property
    def first(self) -> int:
        """The first input that is needed."""
        return self.axis.part(self.start, self.start + 1).first

    @property
    def last(self) -> int:
        """The last one."""
        return self.axis.part(self.stop - 1, self.stop).last

    def __iter__(self) -> "Iterator[_Resampling]":
        """Their inputs are counted from the first that any needs."""
        return iter(self._short_parts) if self._short_parts is not None else self._compute()

    @cached_property
    def _short_parts(self) -> "tuple[_Resampling, ...] | None":
        is_short = self.stop - self.start <= KEPT_BLOCKS * BLOCK_COLUMNS
        return tuple(self._compute()) if is_short else None

    def _compute(self) -> "Iterator[_Resampling]":
        first = self.first
        for left in range(self.start, self.stop, BLOCK_COLUMNS):
            part = self.axis.part(left, min(left + BLOCK_COLUMNS, self.stop))
            yield replace(part, first=part.first - first, last=part.last - first)


@dataclass(frozen=True, eq=False)
class _Resampling:
    """How samples along an axis are made: each of those from its ``starts`` on, counted from
    ``first``, times its ``weights``, ``(outputs, taps)``."""

    first: int
    last: int
    """The inputs that it takes."""
    starts: NDArray[np.intp]
    weights: Floats

    def apply(self, samples: Floats) -> Floats:
        """Along the first axis of ``(inputs, …)``; tap by tap, which is one order of additions,
        whatever the shape. A block at a time stays in the processor's cache."""
        total = np.empty((len(self.starts), *samples.shape[1:]), np.float32)
        block = max(1, BLOCK // samples[0].size)
        for top in range(0, len(total), block):
            place = slice(top, top + block)
            self._add_up(samples, self.starts[place], self.weights[place], total[place])
        return total

    @staticmethod
    def _add_up(samples: Floats, starts: NDArray[np.intp], weights: Floats, total: Floats) -> None:
        product = np.empty_like(total)
        columns = weights.T.reshape(-1, len(starts), *(1,) * (samples.ndim - 1))
        for tap, weight in enumerate(columns):
            result = total if tap == 0 else product
            samples.take(starts + tap, 0, result, "clip")
            np.multiply(result, weight, result)
            if tap:
                np.add(total, product, total)


def _resample_across(rows: Floats, block: _Resampling, header: Header) -> Samples:
    """A block of the columns that ``rows``, ``(h, W, C)``, become."""
    # Columns come first, so that what belongs to one lies together.
    lines = np.ascontiguousarray(rows[:, block.first : block.last + 1].transpose(1, 0, 2))
    return _to_samples(block.apply(lines).transpose(1, 0, 2), header)


def _join_columns(parts: Sequence[Samples]) -> Samples:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _cut_chunk(chunk: Samples, rows: int) -> Iterator[Samples]:
    return (chunk[top : top + rows] for top in range(0, len(chunk), rows))


def _to_floats(samples: Samples, header: Header) -> Floats:
    pixels = samples.astype(np.float32) * np.float32(1 / FULL_SCALE[samples.dtype])
    if header.has_alpha:
        pixels[..., :-1] *= pixels[..., -1:]
    return np.asarray(pixels)


def _to_samples(pixels: Floats, header: Header) -> Samples:
    """Clipped, and for integers rounded half up; colour divided by alpha again."""
    if header.has_alpha:
        colour, alpha = pixels[..., :-1], pixels[..., -1:]
        colour = np.divide(colour, alpha, out=np.zeros_like(colour), where=alpha > 0)
        pixels = np.concatenate([colour, alpha], axis=-1)
    clipped = pixels.clip(0, 1)
    if header.dtype == np.float32:
        return clipped
    white = np.float32(FULL_SCALE[header.dtype])
    return np.asarray(np.floor(clipped * white + np.float32(0.5)).astype(header.dtype))
