"""What EXIF counts in pixels beside the size: how many lie on a unit of the sensor, and where the
subject is. Source: CIPA DC-008-2019 (EXIF 2.32), 4.6.5 to 4.6.7.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from subpixel.media.metadata import geo

FOCAL_X, FOCAL_Y = 0xA20E, 0xA20F
SUBJECT_AREA, SUBJECT_LOCATION = 0x9214, 0xA214
MAX_LONG, MAX_SHORT = (1 << 32) - 1, (1 << 16) - 1

Point = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class PixelGrowth:
    """From a picture of ``old`` width and height to one of ``new``, whose pixels were turned as an
    EXIF orientation (1 … 8) asks."""

    old: tuple[int, int]
    new: tuple[int, int]
    turn: int = 1

    @property
    def is_sideways(self) -> bool:
        return self.turn >= 5

    @property
    def factors(self) -> Point | None:
        """Across and down in the new picture; None as of :func:`geo.find_factors`."""
        width, height = self.old[::-1] if self.is_sideways else self.old
        if geo.find_factors((width, height), self.new) is None:
            return None
        return Fraction(self.new[0], width), Fraction(self.new[1], height)

    def move(self, x: int, y: int) -> Point | None:
        """Where the centre of a pixel comes to lie, pixels counted by their centres."""
        if self.factors is None:
            return None
        width, height = self.old
        right, bottom = width - 1 - x, height - 1 - y
        seen = {2: (right, y), 3: (right, bottom), 4: (x, bottom), 5: (y, x)}
        seen |= {6: (bottom, x), 7: (bottom, right), 8: (y, right)}
        half = Fraction(1, 2)
        across, down = seen.get(self.turn, (x, y))
        return (across + half) * self.factors[0] - half, (down + half) * self.factors[1] - half


def enlarge_resolutions(
    numbers: Sequence[Fraction], enlargement: PixelGrowth
) -> tuple[Fraction, Fraction] | None:
    """Pixels on a unit of the focal plane, across and down; None where they can't be told."""
    factors = enlargement.factors
    if factors is None:
        return None
    across, down = numbers[::-1] if enlargement.is_sideways else numbers
    larger = _fit_ratio(across * factors[0]), _fit_ratio(down * factors[1])
    return larger if all(larger) else None


def _fit_ratio(number: Fraction) -> Fraction:
    """As two 32-bit numbers."""
    return min(number, Fraction(MAX_LONG)).limit_denominator(
        max(1, int(MAX_LONG // max(number, Fraction(1))))
    )


def enlarge_area(numbers: Sequence[int], enlargement: PixelGrowth) -> tuple[int, ...] | None:
    """A point; a point and a diameter; or a rectangle's centre, width and height. None where they
    can't be told."""
    factors = enlargement.factors
    point = enlargement.move(*numbers[:2]) if 2 <= len(numbers) <= 4 else None
    if factors is None or point is None:
        return None
    sides = numbers[:1:-1] if enlargement.is_sideways else numbers[2:]
    larger = (*point, *(side * factor for side, factor in zip(sides, factors, strict=False)))
    return tuple(min(max(round(number), 0), MAX_SHORT) for number in larger)
