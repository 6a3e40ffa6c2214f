"""The size that a picture is to get, as integers: the whole of it, and what is kept of that."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import combinations_with_replacement

from subpixel.arguments import expect_integer, expect_number
from subpixel.errors import UsageError
from subpixel.media.picture import Header

MAX_FACTOR = 64
"""How many times larger a side may become: more is a slip, such as 300 for 300 %."""

MAX_FACTOR_LENGTH = 60
"""Characters of a factor: programs write up to 28 digits."""

SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations in which height and width as stored are width and height as seen."""

ROWS_MIRRORED, COLUMNS_MIRRORED = (3, 4, 6, 7), (2, 3, 7, 8)
"""EXIF orientations in which rows, or columns, as stored run against the way they are seen."""


@dataclass(frozen=True)
class Extent:
    """A size in pixels, as stored: the whole picture is brought to ``height`` and ``width``, and of
    that ``kept_height`` by ``kept_width`` pixels are kept from row ``top`` and column ``left`` on.
    """

    height: int
    width: int
    top: int
    left: int
    kept_height: int
    kept_width: int


@dataclass(frozen=True)
class TargetSize:
    """The size that a picture is to get. Exactly one field is set; sides are in pixels of the
    picture as people see it, upright.

    Raises :class:`~subpixel.errors.UsageError` where none is or several are, and for sizes and
    factors that are none.

    >>> from subpixel import TargetSize
    >>> TargetSize(width=1920).extent_of(600, 800).height
    1440
    """

    scale: Fraction | float | None = None
    """So many times the height and the width: more than 0, up to :data:`MAX_FACTOR`. A float means
    what it is printed as: 1.1 is 11/10."""
    width: int | None = None
    """This width, and the height that keeps the proportions."""
    height: int | None = None
    """This height, and the width that keeps the proportions."""
    fit: tuple[int, int] | None = None
    """Width and height of a box: the largest size of these proportions inside it."""
    fill: tuple[int, int] | None = None
    """Width and height of a box that is covered; what sticks out is cut off, as much on either
    side."""
    megapixels: float | None = None
    """About so many million pixels in all, in the picture's proportions."""

    def __post_init__(self) -> None:
        names = [each.name for each in fields(self) if getattr(self, each.name) is not None]
        if len(names) != 1:
            got = " and ".join(names) if names else "nothing"
            choice = ", ".join(each.name for each in fields(self))
            raise UsageError(f"a target size is one of {choice}; got {got}")
        self._expect_fields()
        if self.scale is not None and self.scale > MAX_FACTOR:
            shown = float(min(self.scale, 10**300))
            raise UsageError(
                f"scale is {shown:.15g}; a side becomes up to {MAX_FACTOR} times as long: write 3 "
                "for three times"
            )

    def _expect_fields(self) -> None:
        for name in ("width", "height"):
            if getattr(self, name) is not None:
                expect_integer(name, getattr(self, name), 1)
        for name in ("scale", "megapixels"):
            if getattr(self, name) is not None:
                expect_number(name, getattr(self, name), 0, hint=", such as 1.5")
        for name in ("fit", "fill"):
            if getattr(self, name) is not None:
                _expect_box(name, getattr(self, name))

    @property
    def factor(self) -> Fraction | None:
        """``scale`` as it is meant; None where it isn't set."""
        return None if self.scale is None else Fraction(str(self.scale))

    @property
    def label(self) -> str:
        """Short, for names of files: ``x1.5``, ``w1920``, ``h1080``, ``fit1920x1080``,
        ``1920x1080`` (fill), ``12mp``."""
        if self.scale is not None:
            return f"x{float(self.scale):g}"
        if self.megapixels is not None:
            return f"{self.megapixels:g}mp"
        if self.fit or self.fill:
            wide, high = self.fit or self.fill or (0, 0)
            return f"{'fit' if self.fit else ''}{wide}x{high}"
        return f"h{self.height}" if self.width is None else f"w{self.width}"

    def extent_of(self, height: int, width: int, orientation: int = 1) -> Extent:
        """The size of a picture that is stored in ``height`` and ``width`` pixels and turned as its
        EXIF ``orientation``, 1 … 8, says."""
        turned = orientation in SIDEWAYS
        seen = self._sides(width, height) if turned else self._sides(height, width)
        kept = self.fill[::-1] if self.fill else seen
        high, wide = seen[::-1] if turned else seen
        kept_high, kept_wide = kept[::-1] if turned else kept
        # The odd pixel is cut off at the lower and right end of what is seen.
        top = (high - kept_high + (orientation in ROWS_MIRRORED)) // 2
        left = (wide - kept_wide + (orientation in COLUMNS_MIRRORED)) // 2
        return Extent(high, wide, top, left, kept_high, kept_wide)

    def _sides(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the whole picture, as seen, each rounded half up."""
        if self.megapixels is not None:
            pixels = round(self.megapixels * 1_000_000)
            return _round_root(pixels * height, width), _round_root(pixels * width, height)
        factor = self._factor(height, width)
        return _round_side(height * factor), _round_side(width * factor)

    def _factor(self, height: int, width: int) -> Fraction:
        if self.factor is not None:
            return self.factor
        if self.width is not None:
            return Fraction(self.width, width)
        if self.height is not None:
            return Fraction(self.height, height)
        wide, high = self.fit or self.fill or (width, height)
        across, down = Fraction(wide, width), Fraction(high, height)
        return min(across, down) if self.fit else max(across, down)


def expect_target_size(size: object) -> None:
    """Raise :class:`~subpixel.errors.UsageError` unless ``size`` is a :class:`TargetSize`."""
    if not isinstance(size, TargetSize):
        raise UsageError(
            f"size is {size!r}; give a TargetSize, such as size=TargetSize(width=1920) or "
            "size=TargetSize(fit=(1920, 1080))"
        )


def parse_factor(text: str) -> Fraction:
    """A factor as people and programs write it, exactly: 3, 1.5, .5, 1.3333333333333333, 1e0.

    Raises :class:`~subpixel.errors.UsageError` for what is no decimal number above 0, and for more
    than :data:`MAX_FACTOR_LENGTH` characters. That it is small enough is said by
    :class:`TargetSize`.
    """
    if len(text) > MAX_FACTOR_LENGTH:
        raise UsageError(
            f"the factor {text[:20]!r} … has {len(text):,} characters; write it in up to "
            f"{MAX_FACTOR_LENGTH}, as 3 or 1.5"
        )
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?", text, re.ASCII | re.IGNORECASE)
    if match is None or not Fraction(match[0]):
        raise UsageError(f"{text!r} is no factor; write a number above 0, as 3 or 1.5")
    return Fraction(match[0])


def seen_size(header: Header) -> tuple[int, int]:
    """Height and width of a picture as people see it, upright."""
    turned = header.metadata.orientation in SIDEWAYS
    return (header.width, header.height) if turned else (header.height, header.width)


def extent_for(size: TargetSize, header: Header) -> Extent:
    """The size of a picture of this ``header``; raises :class:`~subpixel.errors.UsageError` for one
    of more than :data:`MAX_FACTOR` times its height or width."""
    extent = size.extent_of(header.height, header.width, header.metadata.orientation)
    factor = factor_of(extent, header)
    if factor > MAX_FACTOR:
        height, width = seen_size(header)
        raise UsageError(
            f"a side of the {width} x {height} pixels would become {float(factor):.0f} times as "
            f"long; up to {MAX_FACTOR} times are possible: name a smaller size"
        )
    return extent


def factor_of(extent: Extent, header: Header) -> Fraction:
    """How many times longer the side becomes that is enlarged the most."""
    return max(Fraction(extent.height, header.height), Fraction(extent.width, header.width))


def choose_scales(available: Sequence[int], factor: Fraction) -> tuple[int, ...]:
    """The scales of the networks that a picture passes in turn to become at least ``factor`` times
    as large; none where that is no more than 1.

    They are as few as can be, and of those the ones that come closest. The smaller scale comes
    first, as the network after it has so many more pixels to compute. Raises
    :class:`~subpixel.errors.UsageError` where no scale in ``available`` enlarges.
    """
    if factor <= 1:
        return ()
    larger = sorted({scale for scale in available if scale > 1})
    if not larger:
        raise UsageError(
            f"a size {float(factor):g} times as large needs a network that enlarges, and this one "
            "leaves the size as it is; name another with --model"
        )
    count = next(n for n in range(1, factor.__ceil__() + 1) if larger[-1] ** n >= factor)
    ways = combinations_with_replacement(larger, count)
    return min((way for way in ways if math.prod(way) >= factor), key=math.prod)


def _expect_box(name: str, box: object) -> None:
    if not isinstance(box, tuple | list) or len(box) != 2:
        raise UsageError(f"{name} is {box!r}; it is a width and a height, such as (1920, 1080)")
    for side, length in zip(("width", "height"), box, strict=True):
        expect_integer(f"the {side} of {name}", length, 1)


def _round_side(length: Fraction) -> int:
    """Half up, and at least one pixel."""
    return max(1, math.floor(length + Fraction(1, 2)))


def _round_root(numerator: int, denominator: int) -> int:
    """The square root of a ratio, rounded half up in integers, and at least one pixel."""
    return max(1, (math.isqrt(4 * numerator // denominator) + 1) // 2)
