import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.convention import RANGES, parse_input, parse_range
from subpixel.errors import UsageError


@pytest.mark.parametrize("known", RANGES)
def test_a_range_there_and_back(known: object) -> None:
    pixels = np.random.default_rng(0).random((2, 3, 4, 5))
    value_range = parse_range(str(known))
    assert value_range is known
    np.testing.assert_allclose(value_range.to_unit(value_range.from_unit(pixels)), pixels)


def test_the_ends_of_the_ranges() -> None:
    ends = np.array([0.0, 1.0]).reshape(1, 1, 1, 2)
    for text, low, high in (("0..1", 0, 1), ("0..255", 0, 255), ("-1..1", -1, 1)):
        np.testing.assert_allclose(parse_range(text).from_unit(ends).ravel(), [low, high])


def test_numbers_are_those_of_torchvisions_normalize() -> None:
    own = parse_range("mean/std=0.5,0.25,0/0.5,0.1,2")
    grey = np.full((1, 3, 1, 1), 0.5)
    np.testing.assert_allclose(own.from_unit(grey).ravel(), [0, 2.5, 0.25])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0-255",
        "mean/std=",
        "mean/std=1",
        "mean/std=1,2/1,2",
        "mean/std=1/0",
        "mean/std=1,1,1/1,1",
        "mean/std=a/b",
        "mean/std=nan/1",
        "mean/std=0/inf",
    ],
)
def test_ranges_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="the range is"):
        parse_range(text)


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_an_input_by_any_name(name: str, value: float) -> None:
    if name:
        assert parse_input(f"{name}={value!r}") == (name, value)


@pytest.mark.parametrize("text", ["", "sigma", "=1", "sigma=", "sigma=x", "sigma=nan", "sigma=inf"])
def test_inputs_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="NAME=VALUE"):
        parse_input(text)
