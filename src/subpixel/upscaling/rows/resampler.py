"""Rows of a picture brought to another size as they pass, antialiased where it shrinks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.imaging.resample import BICUBIC, Kernel, resize_taps
from subpixel.media.picture import FULL_SCALE, Header
from subpixel.runtime.op import Samples
from subpixel.upscaling.rows.window import RowWindow, split_frames

GROUP = 16
"""Rows that are resampled at a time."""

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
class Resampler:
    """A :class:`~subpixel.upscaling.rows.stage.RowStage` to a ``height`` and ``width`` in pixels,
    of which a ``window`` is kept (None: all).

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

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise UsageError(
                f"the target size is {self.width} x {self.height}; both are at least 1 pixel"
            )
        part = self._window
        fits_down = 0 <= part.top < part.top + part.height <= self.height
        if not (fits_down and 0 <= part.left < part.left + part.width <= self.width):
            raise UsageError(f"{part} has no pixels, or some outside {self.width} x {self.height}")

    @property
    def _window(self) -> Window:
        return self.window or Window(0, 0, self.height, self.width)

    def header(self, header: Header) -> Header:
        """The same picture in the target size."""
        count, _, _, channels = header.shape
        return replace(header, shape=(count, self._window.height, self._window.width, channels))

    def memory(self, header: Header) -> int:
        """The rows of the target's width that an output row is made of, and a group before and
        after."""
        taps = _make_resampling(header.height, self.height, self.kernel).taps.shape[1]
        row = 4 * header.channels * max(self._window.width, header.width)
        return int((taps + 6 * GROUP * (1 + header.height / self.height)) * row)

    def run(self, header: Header, chunks: Iterable[Samples]) -> Iterator[Samples]:
        """Rows of the target's width, :data:`GROUP` at a time."""
        part = self._window
        down = _make_resampling(header.height, self.height, self.kernel)
        whole = _make_resampling(header.width, self.width, self.kernel)
        across = whole.part(part.left, part.left + part.width)
        for frame in split_frames(chunks, header.height):
            yield from self._resample(header, frame, down, across)

    def _resample(
        self, header: Header, frame: Iterator[Samples], down: "_Resampling", across: "_Resampling"
    ) -> Iterator[Samples]:
        pieces = (_to_floats(piece, header) for chunk in frame for piece in _cut_chunk(chunk))
        window = RowWindow(
            across.apply(piece[:, across.start : across.stop], axis=1) for piece in pieces
        )
        bottom = self._window.top + self._window.height
        for top in range(self._window.top, bottom, GROUP):
            part = down.part(top, min(top + GROUP, bottom))
            rows = window(part.start, part.stop)
            yield _to_samples(part.apply(rows, axis=0), header)


@dataclass(frozen=True, eq=False)
class _Resampling:
    """How samples along an axis are made: of those at ``taps``, counted from ``start``, times
    ``weights``, both ``(outputs, taps of each)``."""

    start: int
    stop: int
    taps: NDArray[np.int_]
    weights: Floats

    def part(self, start: int, stop: int) -> "_Resampling":
        """Outputs ``[start, stop)``, and the inputs that they are made of."""
        taps = self.taps[start:stop]
        first, last = int(taps.min()), int(taps.max())
        return _Resampling(first, last + 1, taps - first, self.weights[start:stop])

    def apply(self, samples: Floats, axis: int) -> Floats:
        """Tap by tap: one order of additions, whatever the shape."""
        shape = [1] * samples.ndim
        shape[axis] = -1
        total = np.zeros((), np.float32)
        for tap, weight in zip(self.taps.T, self.weights.T, strict=True):
            total = total + samples.take(tap, axis) * weight.reshape(shape)
        return np.asarray(total)


def _make_resampling(size: int, target: int, kernel: Kernel) -> _Resampling:
    taps, weights = resize_taps(size, Fraction(target, size), kernel)
    return _Resampling(0, size, np.clip(taps, 0, size - 1), weights.astype(np.float32))


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
