"""Shards: every unit is of exactly one, whatever the others are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subpixel.errors import UsageError
from subpixel.jobs.journal.shard import Shard, hash_number


@settings(max_examples=30)
@given(st.lists(st.text(), max_size=30), st.integers(1, 9))
def test_every_unit_has_one_shard(keys: list[str], count: int) -> None:
    shards = [Shard(number, count) for number in range(1, count + 1)]
    for key in keys:
        assert sum(shard.takes(key) for shard in shards) == 1


def test_the_same_everywhere() -> None:
    """By hashlib, and not by hash(), which differs from process to process."""
    assert hash_number("a/b.png") == 0x88F7EC7982E1B5DB
    assert hash_number("\udcff") == 0xA8100AE6AA1940D0, "a name that is no UTF-8"


def test_parts_are_about_equal() -> None:
    sizes = [sum(Shard(n, 4).takes(f"{k}.png") for k in range(4000)) for n in (1, 2, 3, 4)]
    # Binomial of 4,000 and 1/4: 27.4 is the standard deviation, and this is six of them.
    assert all(abs(size - 1000) < 165 for size in sizes)


@pytest.mark.parametrize(("index", "count"), [(0, 3), (4, 3), (1, 0), (-1, 2)])
def test_parts_that_are_none(index: int, count: int) -> None:
    with pytest.raises(UsageError, match="no part of a job"):
        Shard(index, count)
