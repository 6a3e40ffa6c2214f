"""Benchmark pictures are recognised, whatever their name, size or format, so that none is trained
on.

A picture's signature says of 16 rows of 17 fields which is brighter than its left neighbour. Those
of Set5, Set14 and BSD100 are listed beside this file; a tile of such a picture isn't recognised.
"""

from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UsageError
from subpixel.imaging.colour import Rgb8, luma

ROWS, COLUMNS = 16, 17
MAX_DIFFERENT = 28
"""Of 256 bits: quarter-size copies differ in up to 22, other photographs in 64 and more."""


def expect_no_benchmark(rgb: Rgb8, file: Path) -> None:
    """Raise :class:`UsageError` where ``(H, W, 3)`` is a picture of a benchmark set."""
    names, listed = _read_signatures()
    if min(rgb.shape[:2]) < COLUMNS or not names:
        return
    different = (listed != picture_signature(rgb)).sum(axis=1)
    nearest = int(different.argmin())
    if different[nearest] <= MAX_DIFFERENT:
        raise UsageError(
            f"{file} is {names[nearest]}, a picture of a benchmark set: networks are measured on "
            "it, so it may not be trained on; take it out of the folder"
        )


def picture_signature(rgb: Rgb8) -> NDArray[np.bool_]:
    """256 bits of ``(H, W, 3)``, each side of 17 pixels or more."""
    fields = _field_means(_field_means(luma(rgb), ROWS).T, COLUMNS).T
    signature: NDArray[np.bool_] = (fields[:, 1:] > fields[:, :-1]).ravel()
    return signature


def _field_means(plane: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Means over ``count`` fields of rows."""
    edges = np.linspace(0, len(plane), count + 1).round().astype(int)
    sums = np.add.reduceat(plane, edges[:-1], axis=0)
    means: NDArray[np.float64] = sums / np.diff(edges)[:, None]
    return means


@cache
def _read_signatures() -> tuple[list[str], NDArray[np.bool_]]:
    """Names, and bits of shape ``(names, 256)``."""
    text = resources.files("subpixel.train.data").joinpath("benchmark_pictures.txt").read_text()
    lines = [line.split() for line in text.splitlines()]
    packed = np.array([list(bytes.fromhex(digits)) for _, digits in lines], np.uint8)
    return [name for name, _ in lines], np.unpackbits(packed, axis=1).astype(np.bool_)
