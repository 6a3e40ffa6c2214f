"""Whole numbers, however many digits they have."""

import pytest

from subpixel.serve.work.whole_numbers import read_whole_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", 0), ("7", 7), ("99", 99), ("100", 100), ("101", 101), ("999", 101)),
        *(("0" * 5000, 0), ("0" * 5000 + "42", 42), ("9" * 5000, 101), ("0" * 12 + "9999", 101)),
        *((text, None) for text in ("", "-1", "+1", " 1", "1.0", "1e1", "²", "٣", "x")),
    ],
)
def test_number_is_read_up_to_its_limit(text: str, number: int | None) -> None:
    assert read_whole_number(text, 100) == number
