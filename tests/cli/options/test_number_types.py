import click
import pytest

from subpixel.cli.options.number_types import RealNumber, WholeNumber

TYPES = {
    "a whole number of 1 or more": WholeNumber(1),
    "a whole number of 1 to 100": WholeNumber(1, 100),
    "a number above 0": RealNumber(0, min_open=True),
    "a number of 0 to 1": RealNumber(0, 1),
    "a number": RealNumber(),
    "a number up to 5": RealNumber(max=5),
}


@pytest.mark.parametrize(
    ("limits", "text", "number"),
    [
        ("a whole number of 1 or more", "1", 1),
        ("a whole number of 1 to 100", "100", 100),
        ("a number above 0", "1e-9", 1e-9),
        ("a number of 0 to 1", "0", 0.0),
        ("a number of 0 to 1", "1", 1.0),
        ("a number", "-3.5", -3.5),
        ("a number up to 5", "5", 5.0),
    ],
)
def test_what_is_within(limits: str, text: str, number: float) -> None:
    assert TYPES[limits].convert(text, None, None) == number


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ("a whole number of 1 or more", "0"),
        ("a whole number of 1 or more", "1.5"),
        ("a whole number of 1 or more", "500px"),
        ("a whole number of 1 to 100", "101"),
        ("a number above 0", "0"),
        ("a number of 0 to 1", "1.01"),
        ("a number of 0 to 1", "nan"),
        *(("a number", "1MP"), ("a number", "inf"), ("a number", "-inf"), ("a number", "nan")),
        *(("a number above 0", "inf"), ("a number above 0", "1e999")),
        *(("a whole number of 1 to 100", "9" * 400), ("a whole number of 1 to 100", "9" * 5000)),
        ("a number up to 5", "6"),
    ],
)
def test_what_is_not_is_answered_by_the_limits(limits: str, text: str) -> None:
    with pytest.raises(click.BadParameter) as error:
        TYPES[limits].convert(text, None, None)
    assert error.value.message == f"{text!r} is no {limits.removeprefix('a ')}"
