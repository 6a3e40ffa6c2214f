import click
import pytest

from subpixel.cli.options.choices import SIZE


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1G", 10**9),
        ("1GB", 10**9),
        ("500M", 5 * 10**8),
        ("1.5GiB", 3 << 29),
        ("2gi", 2 << 30),
        ("64 kB", 64_000),
        (".5T", 5 * 10**11),
        ("123", 123),
        ("7B", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert SIZE.convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "G", "1X", "-1G", "0", "0G", "1G1", "1 000", "1e9", "nan"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="500M, 1G or"):
        SIZE.convert(text, None, None)
