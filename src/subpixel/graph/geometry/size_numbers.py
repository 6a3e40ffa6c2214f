"""Numbers with which a network's code or graph computes sizes: what a proof must look around."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

MAX_SIDE = 1 << 13
"""Sides beyond this are not looked for."""

MIN_FACTOR, MAX_FACTOR = 0.05, 20.0


@dataclass(frozen=True)
class SizeNumbers:
    """What heights and widths are compared with, divided by, or multiplied by."""

    lengths: frozenset[int] = frozenset()
    """Whole numbers: thresholds, window sizes, fixed sizes, areas."""
    factors: frozenset[float] = frozenset()
    """Numbers by which sizes may be multiplied: 1.4, 0.5."""

    def __or__(self, other: "SizeNumbers") -> "SizeNumbers":
        return SizeNumbers(self.lengths | other.lengths, self.factors | other.factors)


def sort_numbers(numbers: Iterable[int | float]) -> SizeNumbers:
    """Tell lengths (and areas) from factors; what can be neither, as 0, 1 or NaN, is left out.

    A broken number may be either: a size is compared with 7.5 as with 7 and 8.
    """
    sizes = [abs(n) for n in numbers if abs(n) <= MAX_SIDE**2]  # NaN isn't
    lengths = {whole for n in sizes for whole in (math.floor(n), math.ceil(n)) if whole > 1}
    factors = {float(n) for n in sizes if n != int(n) and MIN_FACTOR <= n <= MAX_FACTOR}
    return SizeNumbers(frozenset(lengths), frozenset(factors))
