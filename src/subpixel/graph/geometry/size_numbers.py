"""Numbers with which a network's code or graph computes sizes, near which a verification must
test."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

MAX_SIDE = 1 << 13
"""The largest side that is considered."""

MIN_FACTOR, MAX_FACTOR = 0.05, 20.0


@dataclass(frozen=True)
class SizeNumbers:
    """Numbers that heights and widths are compared with, divided by, or multiplied by."""

    lengths: frozenset[int] = frozenset()
    """Whole numbers: thresholds, window sizes, fixed sizes, areas."""
    factors: frozenset[float] = frozenset()
    """Numbers by which sizes may be multiplied: 1.4, 0.5."""

    def __or__(self, other: "SizeNumbers") -> "SizeNumbers":
        return SizeNumbers(self.lengths | other.lengths, self.factors | other.factors)


def sort_numbers(numbers: Iterable[int | float]) -> SizeNumbers:
    """Sort numbers into lengths (and areas) and factors; numbers that are neither (0, 1, NaN) are
    left out.

    A fraction may be either: a comparison with 7.5 separates 7 from 8.
    """
    sizes = [abs(n) for n in numbers if abs(n) <= MAX_SIDE**2]  # False for NaN
    lengths = {whole for n in sizes for whole in (math.floor(n), math.ceil(n)) if whole > 1}
    factors = {float(n) for n in sizes if n != int(n) and MIN_FACTOR <= n <= MAX_FACTOR}
    return SizeNumbers(frozenset(lengths), frozenset(factors))
