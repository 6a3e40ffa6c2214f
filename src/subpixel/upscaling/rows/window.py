"""Rows that pass by once, from top to bottom, and are asked for with some overlap."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from subpixel.runtime.op import Samples


class RowWindow:
    """Rows by number, out of chunks that come in order:
    :data:`subpixel.upscaling.tiles.bands.RowReader`.

    Only those are held that may be asked for again. Rows of one chunk are a view of it.
    """

    def __init__(self, chunks: Iterable[Samples]) -> None:
        self._chunks = iter(chunks)
        self._held: deque[Samples] = deque()
        self._top = self._bottom = 0

    def __call__(self, start: int, stop: int) -> Samples:
        """Rows ``[start, stop)``; ``start`` is never less than in the call before."""
        while self._held and self._top + len(self._held[0]) <= start:
            self._top += len(self._held.popleft())
        while self._bottom < stop:
            chunk = next(self._chunks)
            self._bottom += len(chunk)
            if self._bottom > start:
                self._held.append(chunk)
            else:
                self._top = self._bottom
        return self._between(start - self._top, stop - self._top)

    def _between(self, start: int, stop: int) -> Samples:
        parts, top = [], 0
        for chunk in self._held:
            if top < stop:
                parts.append(chunk[max(start - top, 0) : stop - top])
            top += len(chunk)
        return _join(parts)


def split_frames(chunks: Iterable[Samples], height: int) -> Iterator[Iterator[Samples]]:
    """Chunks, no two frames in one, as one iterator for each frame of ``height`` rows, until they
    end. What is left of a frame is passed over when the next is asked for."""
    chunks = iter(chunks)
    for first in chunks:
        frame = _take_rows(first, chunks, height)
        yield frame
        for _ in frame:
            pass


def _take_rows(first: Samples, chunks: Iterator[Samples], height: int) -> Iterator[Samples]:
    yield first
    height -= len(first)
    while height > 0:
        rows = next(chunks)
        height -= len(rows)
        yield rows


def regroup(chunks: Iterable[Samples], rows: int) -> Iterator[Samples]:
    """The same rows, so many at a time; fewer only at the end."""
    held: list[Samples] = []
    missing = rows
    for chunk in chunks:
        for top in (0, *range(missing, len(chunk), rows)):
            piece = chunk[top : top + (missing if top == 0 else rows)]
            held.append(piece)
            missing = missing - len(piece) if missing > len(piece) else rows
            if missing == rows:
                yield _join(held)
                held = []
    if held:
        yield _join(held)


def _join(parts: Sequence[Samples]) -> Samples:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
