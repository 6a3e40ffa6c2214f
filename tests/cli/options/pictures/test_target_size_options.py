"""Sizes as they are typed."""

from fractions import Fraction

import click
import pytest

from subpixel.cli.options.pictures.target_size import (
    BOX,
    Factor,
    choose_opening_scale,
    make_target_size,
)
from subpixel.errors import UsageError
from subpixel.upscaling.size.target_size import TargetSize


@pytest.mark.parametrize(
    ("text", "box"), [("1920x1080", (1920, 1080)), ("8X9", (8, 9)), (" 7×5 ", (7, 5))]
)
def test_boxes(text: str, box: tuple[int, int]) -> None:
    assert BOX.convert(text, None, None) == box


@pytest.mark.parametrize("text", ["1920", "x1080", "0x5", "1920x1080x3", "-3x4", "1.5x2", "a x b"])
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write width x height, as 1920x1080"):
        BOX.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("3", Fraction(3)),
        ("1.5", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("1.1", Fraction("1.1")),
        ("x3", Fraction(3)),
        ("2X", Fraction(2)),
        ("1.33333333333", Fraction("1.33333333333")),
    ],
)
def test_factors(text: str, factor: Fraction) -> None:
    assert Factor().convert(text, None, None) == factor


@pytest.mark.parametrize(
    "text", ["0", "-1", "0.0", "x3x", "x", "3%", "1,5", "nan", "inf", "2" * 5000, ""]
)
def test_what_is_no_factor_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"write .*, as 3 or 1\.5"):
        Factor().convert(text, None, None)


def test_one_of_them_makes_a_size() -> None:
    assert make_target_size(None, None, None, None, None, None) is None
    assert make_target_size(None, 640, None, None, None, None) == TargetSize(width=640)
    assert make_target_size(None, None, None, (4, 3), None, None) == TargetSize(fit=(4, 3))


def test_two_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--scale and --megapixels exclude each other: name one"):
        make_target_size(Fraction(2), None, None, None, None, 12.0)
    with pytest.raises(UsageError, match=r"for a box, use --fit WxH .* or --fill WxH"):
        make_target_size(None, 640, 480, None, None, None)


@pytest.mark.parametrize(
    ("size", "scales", "scale"),
    [
        (None, (2, 3, 4), None),
        (TargetSize(scale=3), (2, 3, 4), 3),
        (TargetSize(scale=6), (2, 3, 4), 2),
        (TargetSize(scale=0.5), (2, 3, 4), None),
        (TargetSize(scale=3), (), None),
        (TargetSize(width=100), (2, 3, 4), None),
    ],
)
def test_what_is_opened_first(
    size: TargetSize | None, scales: tuple[int, ...], scale: int | None
) -> None:
    assert choose_opening_scale(size, scales) == scale
