"""Tiles that are as they were in the frame before aren't computed again.

Tiles, halo included, are all that the network sees. Where they come again bit for bit, so does what
became of them. They are compared, not hashed: that is exact without a word about collisions, what
the last frame's tiles take beside their results is little, and the first bytes that differ end it.
``benchmarks/repeated_tiles.py`` measures both.
"""

from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from subpixel.runtime.op import Samples
from subpixel.upscaling.tiles.bands import Upscale

SAMPLE_BYTES = 32
"""Compared first, about so many all over the tiles: few enough that NumPy keeps the GIL meanwhile,
which takes longer to get back than they take."""

COMPARED_BYTES = 1 << 20
"""Compared at a time thereafter: the first that differ end it."""


class RunCache:
    """The tiles of the last frame's runs, of the first ``count`` of them, and their results."""

    def __init__(self, count: int) -> None:
        self._runs: list[_Run | None] = [None] * count

    def wrap(self, number: int, upscale: Upscale) -> Upscale:
        """``upscale`` for the run of this ``number``, counted from a frame's first, but where the
        same tiles came last: their result is returned again.

        Called in one thread, in the order in which the runs begin: one may wait for the one of the
        same number before it.
        """
        if number >= len(self._runs):
            return upscale
        last, run = self._runs[number], _Run()
        self._runs[number] = run
        return partial(run.compute, last, upscale)


class FrameCaches:
    """The cache of one frame after the other, of its first ``count`` runs.

    Where one frame is opaque and the next isn't, other tiles go through the network: the next
    starts anew.
    """

    def __init__(self, count: int) -> None:
        self._count, self._opaque = count, False
        self._cache = RunCache(count)

    def of_frame(self, *, opaque: bool) -> RunCache:
        """For the next frame, which is ``opaque`` or not."""
        if opaque is not self._opaque:
            self._opaque, self._cache = opaque, RunCache(self._count)
        return self._cache


@dataclass(frozen=True, eq=False)
class _Run:
    """Both are there as soon as the run has begun, or is done."""

    tiles: Future[Samples] = field(default_factory=Future)
    result: Future[Samples] = field(default_factory=Future)

    def compute(self, last: "_Run | None", upscale: Upscale, tiles: Samples) -> Samples:
        self.tiles.set_result(tiles)
        try:
            repeats = last is not None and equal_bits(last.tiles.result(), tiles)
            result = last.result.result() if last and repeats else upscale(tiles)
        except BaseException as error:
            self.result.set_exception(error)
            raise
        self.result.set_result(result)
        return result


def equal_bits(one: Samples, other: Samples) -> bool:
    """Whether two contiguous arrays of one shape and dtype have the same bits: NaN equals itself,
    and 0.0 is not -0.0."""
    one_bytes, other_bytes = _bytes_of(one), _bytes_of(other)
    step = len(one_bytes) // SAMPLE_BYTES + 1
    return np.array_equal(one_bytes[::step], other_bytes[::step]) and all(
        np.array_equal(one_bytes[i : i + COMPARED_BYTES], other_bytes[i : i + COMPARED_BYTES])
        for i in range(0, len(one_bytes), COMPARED_BYTES)
    )


def _bytes_of(samples: Samples) -> NDArray[np.uint8]:
    return samples.reshape(-1).view(np.uint8)
