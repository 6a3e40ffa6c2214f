"""Sizes that tell: on either side of everything that code compares a size with."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.graph.geometry.size_numbers import SizeNumbers
from subpixel.parity.discriminating_sizes import (
    LONG_SIDE,
    MAX_SIZES,
    Size,
    discriminating_sizes,
    lengths_of_two_roundings,
    random_sizes,
)

Branch = Callable[[int, int, int], bool]
"""A decision by height, width and a number that stands in the code."""

BRANCHES: dict[str, Branch] = {
    "width > c": lambda h, w, c: w > c,
    "height >= c": lambda h, w, c: h >= c,
    "longest > c": lambda h, w, c: max(h, w) > c,
    "shortest > c": lambda h, w, c: min(h, w) > c,
    "width == c": lambda h, w, c: w == c,
    "height != c - 1": lambda h, w, c: h != c - 1,
}


def drawn(*lengths: int, factors: tuple[float, ...] = ()) -> list[Size]:
    return discriminating_sizes(SizeNumbers(frozenset(lengths), frozenset(factors)))


@pytest.mark.parametrize("branch", BRANCHES.values(), ids=list(BRANCHES))
@given(c=st.integers(2, 511))
def test_both_ways_of_a_branch_are_taken(branch: Branch, c: int) -> None:
    assert {branch(h, w, c) for h, w in drawn(c)} == {True, False}


@given(low=st.integers(2, 506), wide=st.integers(2, 60))
def test_a_few_sizes_alone_are_seen(low: int, wide: int) -> None:
    """``low < h < high``, and ``w``: also below 64, where numbers may be divisors as well."""
    high = low + wide
    sizes = drawn(low, high)
    assert any(low < h < high for h, _ in sizes)
    assert any(low < w < high for _, w in sizes)


@given(numbers=st.sets(st.integers(2, 64), min_size=8, max_size=12))
def test_small_thresholds_are_not_crowded_out(numbers: set[int]) -> None:
    sizes = drawn(*numbers)
    assert numbers <= {h for h, _ in sizes}
    assert numbers <= {w for _, w in sizes}


@given(c=st.integers(64**2, 600**2))
def test_both_sides_of_an_area_are_seen(c: int) -> None:
    assert {h * w > c for h, w in drawn(c)} == {True, False}


@given(period=st.integers(2, 16))
def test_every_remainder_is_seen_in_both_directions(period: int) -> None:
    sizes = drawn(period)
    assert {h % period for h, _ in sizes} == set(range(period))
    assert {w % period for _, w in sizes} == set(range(period))


@given(period=st.integers(17, 64))
def test_of_a_large_period_the_ends_and_the_middle_are_seen(period: int) -> None:
    rests = {h % period for h, _ in drawn(period)}
    assert {0, 1, period // 2, period - 1} <= rests


@given(st.integers(17, 64).flatmap(lambda m: st.tuples(st.just(m), st.integers(2, m - 1))))
def test_a_remainder_is_seen_that_a_number_stands_for(numbers: tuple[int, int]) -> None:
    """``h % m == r``, and ``w % m``."""
    period, rest = numbers
    sizes = drawn(period, rest)
    assert rest in {h % period for h, _ in sizes}
    assert rest in {w % period for _, w in sizes}


@given(factor=st.sampled_from([0.7, 1.1, 1.4, 0.3, 2.3, 1.0 / 3.0]))
def test_lengths_that_float32_rounds_otherwise_are_drawn(factor: float) -> None:
    """An oracle of its own: Python's double against NumPy's float32."""
    differing = [
        n
        for n in range(2, 513)
        if math.floor(n * factor) != int(np.floor(np.float32(n) * np.float32(factor)))
    ]
    lengths = {length for size in drawn(factors=(factor,)) for length in size}
    assert not differing or set(differing) & lengths


def test_the_lengths_of_a_public_report_are_among_them() -> None:
    """int(h * 1.4) is 62 at 45, and 63 in float32."""
    assert {45, 85} <= set(lengths_of_two_roundings(1.4))
    assert lengths_of_two_roundings(2.5) == []


@given(factor=st.sampled_from([10 / 7, float(np.float32(10 / 7)), 1.3, 0.35]))
def test_quotients_that_float32_rounds_otherwise_than_exactly_are_drawn(factor: float) -> None:
    exact = Fraction(factor).limit_denominator(1000)
    differing = [
        n
        for n in range(2, 513)
        if math.floor(n / exact) != int(np.floor(np.float32(n) / np.float32(factor)))
    ]
    lengths = {length for size in drawn(factors=(factor,)) for length in size}
    assert set(differing[:2]) <= lengths


@given(st.frozensets(st.integers(2, 8192), max_size=200))
def test_there_is_an_end_of_them(lengths: frozenset[int]) -> None:
    sizes = discriminating_sizes(SizeNumbers(lengths))
    assert len(sizes) == len(set(sizes)) <= MAX_SIZES
    assert all(1 <= side <= LONG_SIDE + 1 for size in sizes for side in size)


@given(st.integers(0, 1 << 40))
def test_random_sizes_are_small_long_and_large(seed: int) -> None:
    sizes = random_sizes(np.random.default_rng(seed))
    assert sum(max(size) <= 96 for size in sizes) == 4
    assert any(h > 240 > w for h, w in sizes)
    assert any(w > 240 > h for h, w in sizes)
    assert any(min(size) >= 480 for size in sizes)
