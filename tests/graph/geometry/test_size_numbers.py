"""Numbers are told apart: lengths, factors, and what can be neither."""

import math

from subpixel.graph.geometry.size_numbers import SizeNumbers, sort_numbers


def test_lengths_and_factors_are_told_apart() -> None:
    plain = [8, 300, 300**2, 0, 1, -64, 1.4, 0.5, 2.0]
    numbers = sort_numbers([*plain, 1e-5, 1e9, math.nan, math.inf])
    assert numbers == SizeNumbers(frozenset({8, 300, 90000, 64, 2}), frozenset({1.4, 0.5}))


def test_a_broken_threshold_is_a_length_on_either_side() -> None:
    assert sort_numbers([300.5, 7.5]) == SizeNumbers(frozenset({300, 301, 7, 8}), frozenset({7.5}))


def test_numbers_are_joined() -> None:
    joined = SizeNumbers(frozenset({1}), frozenset({0.5})) | SizeNumbers(frozenset({2}))
    assert joined == SizeNumbers(frozenset({1, 2}), frozenset({0.5}))
