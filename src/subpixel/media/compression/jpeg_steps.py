"""The quality of a JPEG that a picture once was, from its pixels.

The DCT coefficients of a JPEG's 8x8 blocks are multiples of its quantisation steps, and stay near
them when the pixels are saved anew, without loss or with little (Fan and de Queiroz,
"Identification of bitmap compression history", IEEE TIP 2003). For each quality the
coefficients are laid around a circle whose circumference is its step: where they gather, that was
the step.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from subpixel.media.compression.jpeg_tables import libjpeg_table

BLOCK_SIDE = 8
"""Of a block, in pixels."""

QUALITIES = range(10, 98)
"""Above, the steps are 1 and leave no trace beside rounding."""

MIN_CONCENTRATION = 0.1
"""Mean cosine around the circle from which a step counts: 0 for chance, 1 for exact multiples."""

MIN_ON_GRID = 0.45
"""Of the greatest mean cosine, from which that of an earlier JPEG counts: side lobes reach 0.35."""

SIGNIFICANCE = 6.0
"""Standard deviations of chance that a mean cosine must be away from 0."""

MIN_COEFFICIENTS = 24
"""Of all blocks and frequencies together."""

MAX_BLOCKS = 2048
"""Of a picture, those that are looked at."""

ORIGINS = 2
"""Likeliest columns, and rows, at which the grid of a cropped picture may begin."""

MIN_SEAM = 1.02
"""How much greater jumps between blocks are than others, at least, for a grid to be looked for."""

LumaPlanes = NDArray[np.float32]
"""``(N, h, w)``: bands of luma in code values of 8 bits, 0 … 255."""

Coefficients = NDArray[np.float32]
"""``(N, K)``: the DCT coefficients of N blocks at K frequencies."""


@dataclass(frozen=True)
class _Frequency:
    """Place of a coefficient in a block and in a table."""

    down: int
    across: int
    place: int


def _zigzag() -> Iterator[_Frequency]:
    places = sorted(
        product(range(BLOCK_SIDE), repeat=2),
        key=lambda p: (sum(p), p[0] if sum(p) % 2 else p[1]),
    )
    for place, (down, across) in enumerate(places):
        yield _Frequency(down, across, place)


FREQUENCIES = tuple(frequency for frequency in _zigzag() if 1 <= frequency.place <= 20)
"""Those that most blocks have; not the mean, which says little of a step."""


def estimate_quality(planes: LumaPlanes) -> int | None:
    """The libjpeg quality, 10 … 97, of the coarsest JPEG that these pixels went through; None where
    they show none, or too little.

    The blocks' grid may begin anywhere, but at one place in all bands.
    """
    for top, left in _likely_origins(planes):
        blocks = _cut_dct_blocks(planes[:, top:, left:])
        if len(blocks) and (quality := _find_quality(_transform(blocks))):
            return quality
    return None


def _likely_origins(planes: LumaPlanes) -> Sequence[tuple[int, int]]:
    """Where the grid may begin: at the picture's corner, or where jumps of brightness stand out."""
    tops, lefts = _strongest_seams(planes.swapaxes(1, 2)), _strongest_seams(planes)
    return list(dict.fromkeys([(0, 0), *product(tops or (0,), lefts or (0,))]))


def _strongest_seams(planes: LumaPlanes) -> Sequence[int]:
    """The likeliest first columns of a block, 0 … 7: where the third difference is greatest."""
    jumps = np.abs(np.diff(planes, 3, axis=2)).mean((0, 1))  # the first is across columns 1 | 2
    if len(jumps) < 2 * BLOCK_SIDE:
        return ()
    means = np.array(
        [jumps[(phase - 2) % BLOCK_SIDE :: BLOCK_SIDE].mean() for phase in range(BLOCK_SIDE)]
    )
    likely = np.argsort(means)[: -ORIGINS - 1 : -1]
    return tuple(int(place) for place in likely if means[place] > MIN_SEAM * np.median(means))


def _cut_dct_blocks(planes: LumaPlanes) -> NDArray[np.float32]:
    """``(N, 8, 8)`` without flat and clipped blocks, whose coefficients are no multiples."""
    count, height, width = planes.shape
    rows, columns = height // BLOCK_SIDE, width // BLOCK_SIDE
    cut = planes[:, : rows * BLOCK_SIDE, : columns * BLOCK_SIDE].reshape(
        count, rows, BLOCK_SIDE, columns, BLOCK_SIDE
    )
    blocks: NDArray[np.float32] = cut.swapaxes(2, 3).reshape(-1, BLOCK_SIDE, BLOCK_SIDE)
    low, high = blocks.min((1, 2)), blocks.max((1, 2))
    useful: NDArray[np.float32] = blocks[(low > 1) & (high < 254) & (high - low > 2)]
    return useful[:: len(useful) // MAX_BLOCKS + 1]


def _transform(blocks: NDArray[np.float32]) -> Coefficients:
    cosines = _cosines()
    planes = cosines @ blocks @ cosines.T
    return np.stack([planes[:, f.down, f.across] for f in FREQUENCIES], axis=1)


def _cosines() -> NDArray[np.float32]:
    """The orthonormal DCT, whose coefficients are a JPEG's."""
    frequency, place = np.mgrid[:BLOCK_SIDE, :BLOCK_SIDE]
    matrix = np.cos((2 * place + 1) * frequency * math.pi / (2 * BLOCK_SIDE)) / 2
    matrix[0] /= math.sqrt(2)
    return np.asarray(matrix, np.float32)


def _find_quality(coefficients: Coefficients) -> int | None:
    """The lowest quality at which the coefficients gather more than at its neighbours.

    Not the one where they gather most: that is the last JPEG's, where there were several.
    """
    gathered = [_concentration(coefficients, quality) for quality in QUALITIES]
    for place, quality in enumerate(QUALITIES):
        around = gathered[max(place - 3, 0) : place + 4]
        if gathered[place] > MIN_ON_GRID * max(gathered) and gathered[place] == max(around):
            return quality
    return None


def _concentration(coefficients: Coefficients, quality: int) -> float:
    """Mean cosine of the coefficients that aren't nearest to zero; 0 where that may be chance."""
    table = libjpeg_table(quality)
    steps = np.array([table[f.place] for f in FREQUENCIES], np.float32)
    coarse = steps >= 2
    turns = coefficients[:, coarse] / steps[coarse]
    turns = turns[np.abs(turns) > 0.5]
    if len(turns) < MIN_COEFFICIENTS:
        return 0.0
    mean = float(np.cos(np.float32(2 * math.pi) * turns).mean())
    chance = SIGNIFICANCE / math.sqrt(2 * len(turns))
    return mean if mean > max(MIN_CONCENTRATION, chance) else 0.0
