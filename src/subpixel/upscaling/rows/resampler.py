"""Rows of a picture brought to another size as they pass, antialiased where it shrinks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.imaging.resample import BICUBIC, Kernel, resize_taps
from subpixel.media.picture import FULL_SCALE, Header, Metadata
from subpixel.runtime.op import Samples
from subpixel.upscaling.rows.window import RowWindow, split_frames

GROUP = 16
"""Rows that are resampled at a time."""

BLOCK = 1 << 15
"""About how many samples are added up at a time."""

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
        """The source's rows that a group is made of, those that came with them, and the group."""
        part = self._part(header)
        taps = _make_resampling(part.height, self.height, self.kernel).weights.shape[1]
        rows = 2 * (GROUP * (1 + part.height / self.height) + taps)
        wide = 4 * header.channels * header.width
        return int(rows * wide + 6 * GROUP * 4 * header.channels * self._window.width)

    def run(self, header: Header, chunks: Iterable[Samples]) -> Iterator[Samples]:
        """Rows of the target's width, :data:`GROUP` at a time."""
        part, kept = self._part(header), self._window
        down = _make_resampling(part.height, self.height, self.kernel).shift(part.top)
        whole = _make_resampling(part.width, self.width, self.kernel).shift(part.left)
        across = whole.part(kept.left, kept.left + kept.width)
        for frame in split_frames(chunks, header.height):
            yield from self._resample(header, frame, down, across)

    def _part(self, header: Header) -> Part:
        return self.part or Part(header.height, header.width, 0, 0)

    def _resample(
        self, header: Header, frame: Iterator[Samples], down: "_Resampling", across: "_Resampling"
    ) -> Iterator[Samples]:
        columns = slice(across.first, across.last + 1)
        pieces = (piece[:, columns] for chunk in frame for piece in _cut_chunk(chunk))
        window = RowWindow(_to_floats(piece, header) for piece in pieces)
        bottom = self._window.top + self._window.height
        for top in range(self._window.top, bottom, GROUP):
            part = down.part(top, min(top + GROUP, bottom))
            rows = part.apply(window(part.first, part.last + 1))
            # Columns come first, so that what belongs to one lies together.
            lines = np.ascontiguousarray(rows.transpose(1, 0, 2))
            yield _to_samples(across.apply(lines).transpose(1, 0, 2), header)


@dataclass(frozen=True, eq=False)
class _Resampling:
    """How samples along an axis are made: each of those from its ``starts`` on, counted from
    ``first``, times its ``weights``, ``(outputs, taps)``."""

    first: int
    last: int
    """The inputs that it takes."""
    starts: NDArray[np.intp]
    weights: Floats

    def shift(self, left_out: int) -> "_Resampling":
        """The same where the first so many inputs don't come."""
        return replace(self, first=self.first - left_out, last=self.last - left_out)

    def part(self, start: int, stop: int) -> "_Resampling":
        """Outputs ``[start, stop)``."""
        starts, weights = self.starts[start:stop], self.weights[start:stop]
        first, last = int(starts.min()), int(starts.max()) + weights.shape[1] - 1
        return _Resampling(self.first + first, self.first + last, starts - first, weights)

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


def _make_resampling(size: int, target: int, kernel: Kernel) -> _Resampling:
    """As few taps as have a weight; what weighs samples beyond an end is added to the one there."""
    taps, weights = resize_taps(size, Fraction(target, size), kernel)
    taps = np.clip(taps, 0, size - 1)
    counts = np.abs(weights) > NO_WEIGHT
    first = np.where(counts, taps, size).min(axis=1)
    span = int((np.where(counts, taps, 0).max(axis=1) - first).max()) + 1
    starts = np.minimum(first, size - span)
    together = np.zeros((len(taps), span))
    places = np.clip(taps - starts[:, None], 0, span - 1)
    np.add.at(together, (np.arange(len(taps))[:, None], places), np.where(counts, weights, 0))
    return _Resampling(0, size - 1, starts, together.astype(np.float32))


def _cut_chunk(chunk: Samples) -> Iterator[Samples]:
    return (chunk[top : top + GROUP] for top in range(0, len(chunk), GROUP))


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
