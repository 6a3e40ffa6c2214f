"""Where a picture's pixels lie on the ground, when there are more of them.

Source: GeoTIFF 1.1 (OGC 19-008r4), sections 7.1.2 and B.2 to B.6.
"""

from collections.abc import Mapping, Sequence

from subpixel.media.metadata import tags

Factors = tuple[float, float]
"""How many times wider and higher a picture became."""

_RASTER_TYPE, _POINTS = 1025, 2


def find_factors(old: tuple[int, int] | None, new: tuple[int, int]) -> Factors | None:
    """Of a picture's width and height before and after; None where they aren't known, or differ by
    more than rounding, as they do when it was cropped."""
    if old is None:
        return None
    across, down = new[0] / old[0], new[1] / old[1]
    rounding = across / new[0] + down / new[1]
    return (across, down) if abs(across - down) <= rounding else None


def is_of_points(keys: Sequence[int]) -> bool:
    """Whether a GeoKeyDirectory says that coordinates are those of pixels' centres: (0, 0) is the
    first pixel's centre then, and else its corner."""
    entries = zip(*(keys[4 + i :: 4] for i in range(4)), strict=False)
    return any((key, value) == (_RASTER_TYPE, _POINTS) for key, _, _, value in entries)


def enlarge_geo(
    values: Mapping[int, Sequence[float]], factors: Factors, *, of_points: bool
) -> dict[int, tuple[float, ...]]:
    """ModelPixelScale, ModelTiepoint and ModelTransformation of the larger picture, by tag."""
    larger: dict[int, tuple[float, ...]] = {}
    shift = 0.5 if of_points else 0.0
    for tag, numbers in values.items():
        if tag == tags.PIXEL_SCALE:
            larger[tag] = tuple(n / f for n, f in zip(numbers, (*factors, 1.0), strict=False))
        elif tag == tags.TIE_POINTS:
            larger[tag] = tuple(_enlarge_tie_points(numbers, factors, shift))
        elif tag == tags.TRANSFORMATION and len(numbers) == 16:
            larger[tag] = tuple(_enlarge_matrix(numbers, factors, shift))
    return {tag: new for tag, new in larger.items() if len(new) == len(values[tag])}


def _enlarge_tie_points(
    numbers: Sequence[float], factors: Factors, shift: float
) -> Sequence[float]:
    """Six numbers each: column, row and height in the picture, then a place on the ground."""
    larger = list(numbers)
    for axis, factor in enumerate(factors):
        larger[axis::6] = [(n + shift) * factor - shift for n in larger[axis::6]]
    return larger


def _enlarge_matrix(numbers: Sequence[float], factors: Factors, shift: float) -> Sequence[float]:
    """Four rows of four that make a place on the ground of (column, row, height, 1)."""
    larger = list(numbers)
    for axis, factor in enumerate(factors):
        for row in range(0, 16, 4):
            slope = numbers[row + axis]
            larger[row + axis] = slope / factor
            larger[row + 3] += slope * (shift / factor - shift)
    return larger
