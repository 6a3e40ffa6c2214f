"""Numbers with which a network's code or graph computes sizes: what a proof must look around."""

from dataclasses import dataclass

MAX_LENGTH = 1 << 13
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


def sort_numbers(numbers: "list[int | float]") -> SizeNumbers:
    """Tell lengths (and areas) from factors; what can be neither, as 0, 1 or NaN, is left out."""
    whole = {int(n) for n in numbers if n == n and abs(n) <= MAX_LENGTH**2 and n == int(n)}
    lengths = frozenset(abs(n) for n in whole if abs(n) > 1)
    broken = (abs(float(n)) for n in numbers if isinstance(n, float) and n not in whole)
    return SizeNumbers(lengths, frozenset(n for n in broken if MIN_FACTOR <= n <= MAX_FACTOR))
