"""Heights and widths that tell networks apart, drawn from the numbers that these compute with."""

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations, islice

import numpy as np

from subpixel.graph.geometry.size_numbers import SizeNumbers

Size = tuple[int, int]
"""Height and width."""

THIN = 16
"""The other side of a strip whose length alone is at stake."""

LARGEST_TILE = 512
"""Side of the largest tile that a picture is cut into."""

LONG_SIDE = 4096

MAX_SWEPT = 16
"""Up to here every remainder of a division is looked at; above, those at its ends and middle, and
those around the other numbers."""

MAX_PERIOD = 64
"""Up to here a number may be what sizes are divided by as well as a threshold."""

MAX_BATCH = 32
"""Up to here a number may be one of pictures."""

MAX_ROOT = 700
"""The largest square that is drawn for a number that may be an area."""

MAX_SIZES = 160

LENGTHS = range(2, LARGEST_TILE + 1)

ROUNDING_LENGTHS = 2
"""Lengths that are drawn for each two arithmetics and each rounding."""

Rounding = Callable[[int], float | Fraction]
"""From a length to what code makes of it."""

MAX_DENOMINATOR = 1000
"""Of the fraction that a factor written as a decimal stands for."""


def discriminating_sizes(numbers: SizeNumbers) -> list[Size]:
    """The sizes at which code that uses ``numbers`` changes its course, if it does.

    Lengths on either side of every threshold, alone and together; every remainder of a division,
    or where these are many, those that it may be compared with; areas on either side of a number;
    lengths whose product with a factor is rounded differently in float32, in float64 and exactly.
    At most :data:`MAX_SIZES`, those of factors first.
    """
    periods = sorted(n for n in numbers.lengths if n <= MAX_PERIOD)
    swept = [n for n in periods if not any(m % n == 0 for m in periods if n < m <= MAX_SWEPT)]
    sizes = [
        *(size for factor in sorted(numbers.factors) for size in _around_factor(factor)),
        *(size for n in periods for size in _at_small(n)),
        *(size for period in swept for size in _remainders(period)),
        *(size for n in sorted(numbers.lengths) if n > MAX_PERIOD for size in _around_threshold(n)),
        *(size for period in swept for size in _remainders_by_name(period, periods)),
    ]
    return list(dict.fromkeys(sizes))[:MAX_SIZES]


def discriminating_batches(numbers: SizeNumbers) -> list[int]:
    """Numbers of pictures at which code that uses ``numbers`` changes its course, if it does."""
    counts = (n + more for n in numbers.lengths if n <= MAX_BATCH for more in (0, 1))
    return sorted(set(counts))


def random_sizes(random: np.random.Generator) -> list[Size]:
    """Four small sizes, a strip each way up to twice the largest tile, and a large one."""
    small = [(int(random.integers(1, 97)), int(random.integers(1, 97))) for _ in range(4)]
    long, high = (int(random.integers(LARGEST_TILE // 2, 2 * LARGEST_TILE)) for _ in range(2))
    large = [int(side) for side in random.integers(LARGEST_TILE - 32, LARGEST_TILE + 1, 2)]
    return [*small, (THIN, long), (high, THIN), (large[0], large[1])]


def lengths_of_two_roundings(factor: float) -> list[int]:
    """The first lengths whose product with, or quotient by, ``factor`` comes to another whole
    number (rounded down, up or to the nearest) in one arithmetic than in another: float64, in
    which Python computes, float32, float64 with the factor in float32, or exactly."""
    single, exact = np.float32(factor), Fraction(factor).limit_denominator(MAX_DENOMINATOR)
    products: tuple[Rounding, ...] = (
        lambda length: length * factor,
        lambda length: float(np.float32(length) * single),
        lambda length: length * float(single),
        lambda length: length * exact,
    )
    quotients: tuple[Rounding, ...] = (
        lambda length: length / factor,
        lambda length: float(np.float32(length) / single),
        lambda length: length / float(single),
        lambda length: length / exact,
    )
    return sorted({*_first_apart(products), *_first_apart(quotients)})


def _first_apart(ways: Sequence[Rounding]) -> Iterator[int]:
    """For each two ways and each rounding the first lengths at which they differ."""
    for to_whole in (math.floor, math.ceil, round):
        wholes = [[to_whole(way(length)) for length in LENGTHS] for way in ways]
        for one, other in combinations(wholes, 2):
            apart = (n for n, a, b in zip(LENGTHS, one, other, strict=True) if a != b)
            yield from islice(apart, ROUNDING_LENGTHS)


def _around_factor(factor: float) -> Iterator[Size]:
    """Each length as a height and as a width, beside the next one."""
    lengths = lengths_of_two_roundings(factor)
    yield from zip(lengths, lengths[1:] + lengths[:1], strict=True)


def _remainders(period: int) -> Iterator[Size]:
    """Sides that leave every remainder (or the telling ones), height and width not the same."""
    some = (0, 1, period // 2, period // 2 + 1, period - 1)
    times = -(-THIN // period)
    yield period * times, period * times
    for rest in range(period) if period <= MAX_SWEPT else some:
        yield _leaving(rest, period)


def _remainders_by_name(period: int, numbers: Sequence[int]) -> Iterator[Size]:
    """Sides that leave the remainders around ``numbers``, where not every one is looked at."""
    if period > MAX_SWEPT:
        rests = {n + more for n in numbers for more in (-1, 0, 1)}
        for rest in sorted(rests & set(range(period))):
            yield _leaving(rest, period)
            yield _leaving(period - 1 - rest, period)


def _leaving(rest: int, period: int) -> Size:
    """A height that leaves ``rest``, and a width that leaves as much less than the most."""
    times = -(-THIN // period)
    return period * times + rest, period * (times + 1) - 1 - rest


def _at_small(number: int) -> Iterator[Size]:
    """A number, the one before and the one after, each as a height and as a width."""
    yield number - 1, number + 1
    yield number, number
    yield number + 1, number - 1


def _around_threshold(number: int) -> Iterator[Size]:
    if number <= LONG_SIDE:
        for length in (number - 1, number, number + 1):
            yield THIN, length
            yield length, THIN
    if number <= LARGEST_TILE:
        yield number, number
        yield number + 1, number + 1
    root = math.isqrt(number)
    if THIN < root <= MAX_ROOT:
        yield root, root
        yield root + 1, root + 1
