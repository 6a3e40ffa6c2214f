"""Sizes as integers: proportions, boxes, turned pictures, and the networks that lead there."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from subpixel.errors import UsageError
from subpixel.media.picture import Header, Metadata
from subpixel.upscaling.size.target_size import (
    MAX_FACTOR,
    Extent,
    TargetSize,
    choose_scales,
    extent_for,
    factor_of,
    parse_factor,
    seen_size,
)

sides = st.integers(1, 5000)
boxes = st.tuples(sides, sides)
numbers = st.floats(0.01, MAX_FACTOR, allow_nan=False)
sizes = st.one_of(
    numbers.map(lambda scale: TargetSize(scale=scale)),
    sides.map(lambda width: TargetSize(width=width)),
    sides.map(lambda height: TargetSize(height=height)),
    boxes.map(lambda box: TargetSize(fit=box)),
    boxes.map(lambda box: TargetSize(fill=box)),
    st.floats(0.001, 500).map(lambda number: TargetSize(megapixels=number)),
)


def _kept(extent: Extent) -> tuple[int, int]:
    return extent.kept_width, extent.kept_height


@given(sizes, sides, sides, st.integers(1, 8))
def test_what_is_kept_lies_inside(size: TargetSize, height: int, width: int, turn: int) -> None:
    extent = size.extent_of(height, width, turn)
    assert min(extent.kept_height, extent.kept_width) >= 1
    assert 0 <= extent.top <= extent.height - extent.kept_height
    assert 0 <= extent.left <= extent.width - extent.kept_width
    for start, whole, kept in (
        (extent.top, extent.height, extent.kept_height),
        (extent.left, extent.width, extent.kept_width),
    ):
        assert abs(start - (whole - kept - start)) <= 1, "as much is cut off on either side"


@given(numbers, sides, sides)
def test_a_scale_is_rounded_half_up(scale: float, height: int, width: int) -> None:
    exact = Fraction(str(scale))
    extent = TargetSize(scale=scale).extent_of(height, width)
    for side, whole in ((extent.height, height), (extent.width, width)):
        assert side == 1 or -Fraction(1, 2) < side - whole * exact <= Fraction(1, 2)


@given(sides, sides, sides)
def test_the_other_side_keeps_the_proportions(side: int, height: int, width: int) -> None:
    by_width = TargetSize(width=side).extent_of(height, width)
    by_height = TargetSize(height=side).extent_of(width, height)
    assert by_width.width == side == by_height.height
    assert abs(by_width.height - Fraction(height * side, width)) <= max(
        Fraction(1, 2), 1 - Fraction(height * side, width)
    )
    assert by_height.width == by_width.height


@given(boxes, sides, sides)
def test_fit_is_the_largest_inside(box: tuple[int, int], height: int, width: int) -> None:
    wide, high = _kept(TargetSize(fit=box).extent_of(height, width))
    assert wide <= box[0]
    assert high <= box[1]
    assert wide == box[0] or high == box[1]


@given(boxes, sides, sides)
def test_fill_is_the_box_and_covers_it(box: tuple[int, int], height: int, width: int) -> None:
    extent = TargetSize(fill=box).extent_of(height, width)
    assert _kept(extent) == box
    assert extent.width == box[0] or extent.height == box[1], "no larger than needed"


@given(st.floats(0.01, 400), sides, sides)
def test_megapixels(number: float, height: int, width: int) -> None:
    extent = TargetSize(megapixels=number).extent_of(height, width)
    exact = math.sqrt(number * 1e6 * width / height), math.sqrt(number * 1e6 * height / width)
    for side, wanted in zip(_kept(extent), exact, strict=True):
        assert side == 1 or abs(side - wanted) <= 0.5 + 1e-3  # of a pixel of 10⁶: rounded, too


def test_megapixels_of_a_photograph() -> None:
    assert _kept(TargetSize(megapixels=12).extent_of(300, 400)) == (4000, 3000)


@pytest.mark.parametrize("turn", range(1, 9))
@settings(max_examples=30)
@given(size=sizes, height=st.integers(1, 12), width=st.integers(1, 12))
def test_a_turned_picture_gets_the_size_that_it_is_seen_in(
    turn: int, size: TargetSize, height: int, width: int
) -> None:
    """To the pixel that is cut off; Pillow turns it upright. In pixels of the whole size, so that
    no filter is needed."""
    extent = size.extent_of(height, width, turn)
    if max(extent.height, extent.width) > 300:
        return
    places = np.arange(extent.height * extent.width, dtype=np.uint32)
    stored = places.reshape(extent.height, extent.width).astype(np.int32)
    rows = slice(extent.top, extent.top + extent.kept_height)
    columns = slice(extent.left, extent.left + extent.kept_width)
    upright = _turn(stored, turn)
    seen_height, seen_width = (width, height) if turn >= 5 else (height, width)
    seen = size.extent_of(seen_height, seen_width)
    assert upright.shape == (seen.height, seen.width)
    part = upright[seen.top : seen.top + seen.kept_height, seen.left : seen.left + seen.kept_width]
    assert np.array_equal(_turn(stored[rows, columns], turn), part)


def _turn(pixels: np.ndarray, turn: int) -> np.ndarray:
    image = Image.fromarray(pixels.astype(np.int32))
    image.getexif()[0x0112] = turn
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "got nothing"),
        ({"width": 5, "height": 5}, "got width and height"),
        ({"width": 0}, "width is 0; it is a whole number of 1 or more"),
        ({"fit": (5, -1)}, "the height of fit is -1; it is a whole number of 1 or more"),
        ({"scale": 0}, "scale is 0; it is a number above 0"),
        ({"scale": math.nan}, "scale is nan"),
        ({"scale": 300}, "up to 64 times"),
        ({"megapixels": math.inf}, "megapixels is inf"),
        ({"width": 40.7}, "width is 40.7; it is a whole number of 1 or more"),
        ({"width": True}, "width is True; it is a whole number"),
        ({"height": "40"}, "height is '40'; it is a whole number"),
        ({"fit": (3,)}, r"fit is \(3,\); it is a width and a height"),
        ({"fit": ()}, r"fit is \(\); it is a width and a height"),
        ({"fit": 3}, "fit is 3; it is a width and a height"),
        ({"fill": "ab"}, "fill is 'ab'; it is a width and a height"),
        ({"fill": (4, 4.5)}, "the height of fill is 4.5; it is a whole number"),
        ({"scale": "2"}, "scale is '2'; it is a number above 0, such as 1.5"),
        ({"scale": True}, "scale is True; it is a number"),
        ({"megapixels": 1j}, "megapixels is 1j; it is a number"),
    ],
)
def test_what_is_no_size_is_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TargetSize(**arguments)


@pytest.mark.parametrize(
    ("size", "label"),
    [
        (TargetSize(scale=1.5), "x1.5"),
        (TargetSize(scale=Fraction(6)), "x6"),
        (TargetSize(width=1920), "w1920"),
        (TargetSize(height=1080), "h1080"),
        (TargetSize(fit=(1920, 1080)), "fit1920x1080"),
        (TargetSize(fill=(1920, 1080)), "1920x1080"),
        (TargetSize(megapixels=2.5), "2.5mp"),
    ],
)
def test_labels(size: TargetSize, label: str) -> None:
    assert size.label == label


def _header(height: int, width: int, turn: int = 1) -> Header:
    return Header((1, height, width, 3), np.dtype(np.uint8), Metadata(orientation=turn))


def test_a_header_is_seen_upright() -> None:
    header = _header(300, 400, turn=6)
    assert seen_size(header) == (400, 300)
    extent = extent_for(TargetSize(width=600), header)
    assert (extent.height, extent.width) == (600, 800)
    assert factor_of(extent, header) == 2


def test_a_size_far_beyond_the_picture_is_refused() -> None:
    with pytest.raises(UsageError, match=r"400 x 300 .* 65 times as long; up to 64"):
        extent_for(TargetSize(width=26_000), _header(300, 400))


factors = st.fractions(Fraction(1, 100), MAX_FACTOR)


@given(st.sets(st.integers(1, 8), min_size=1), factors)
def test_networks_in_turn_are_few_and_close(available: set[int], factor: Fraction) -> None:
    if factor > 1 and max(available) == 1:
        with pytest.raises(UsageError, match="needs a network that enlarges"):
            choose_scales(sorted(available), factor)
        return
    scales = choose_scales(sorted(available), factor)
    assert (factor <= 1) == (scales == ())
    if not scales:
        return
    assert set(scales) <= available
    assert list(scales) == sorted(scales)
    assert math.prod(scales) >= factor
    assert max(available) ** (len(scales) - 1) < factor, "one network fewer is too few"
    others = itertools.product(available, repeat=len(scales)) if len(scales) < 4 else ()
    products = [math.prod(way) for way in others]
    assert not any(factor <= product < math.prod(scales) for product in products)


@pytest.mark.parametrize(
    ("factor", "scales"),
    [
        ("1", ()),
        ("1.1", (2,)),
        ("2", (2,)),
        ("2.5", (3,)),
        ("4", (4,)),
        ("5", (2, 3)),
        ("6", (2, 3)),
        ("7", (2, 4)),
        ("8", (2, 4)),
        ("9", (3, 3)),
        ("12", (3, 4)),
        ("16", (4, 4)),
        ("17", (2, 3, 3)),
    ],
)
def test_the_bundled_networks_ways(factor: str, scales: tuple[int, ...]) -> None:
    assert choose_scales((2, 3, 4), Fraction(factor)) == scales


@pytest.mark.parametrize(
    "text",
    [
        *(
            "3",
            "1.5",
            ".5",
            "2.",
            "2.00000000",
            "0002",
            "1e0",
            "2E+0",
            "15e-1",
            "1.3333333333333333",
        ),
        *("0.30000000000000004", "1.333333333333333333333333333", "1e-99", "9e99", "0" * 58 + ".1"),
    ],
)
def test_factor_is_read_exactly(text: str) -> None:
    assert parse_factor(text) == Fraction(text)


@pytest.mark.parametrize("scale", [0.1 + 0.2, 4 / 3, 1e-7, 64.0, math.pi])
def test_factor_comes_as_programs_write_it(scale: float) -> None:
    assert float(parse_factor(repr(scale))) == scale


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "e1", "1e", "1e999", "0", "0.0", "0e9", "-1", "+1", "1,5", "1/2", "nan", "inf"),
        *(" 1", "1\n", "²", "٣", "x", "1_0", "3%"),
    ],
)
def test_what_is_no_factor_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no factor; write a number above 0"):
        parse_factor(text)


@pytest.mark.parametrize("text", ["1." + "3" * 5000, "9" * 61, "1e" + "9" * 5000])
def test_long_factor_is_refused_by_its_length(text: str) -> None:
    with pytest.raises(UsageError, match=f"has {len(text):,} characters") as error:
        parse_factor(text)
    assert len(str(error.value)) < 150


def test_too_large_factor_is_shown_short() -> None:
    with pytest.raises(UsageError, match=r"scale is 9e\+99; a side becomes up to 64 times"):
        TargetSize(scale=parse_factor("9e99"))
