"""The grid: what it holds, that a seed draws the same again, and what a dear network is spared."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.graph.geometry.size_numbers import SizeNumbers
from subpixel.parity.cases import BUDGET, LONG, STANDARD_SIZES, Case, Content, Grid, grid, pixels
from subpixel.parity.discriminating_sizes import LARGEST_TILE, LONG_SIDE
from subpixel.spec import ModelSpec

CONTENTS = get_args(Content)
ANY = ModelSpec("any", 2, "luma", "luma", halo=5)
RGB = ModelSpec("any", 2, "rgb", "rgb", halo=5)


def shapes(drawn: Grid) -> set[tuple[int, int, int]]:
    return {(case.batch, case.height, case.width) for case in drawn.cases}


def test_every_fixed_size_is_there_alone_and_in_batches() -> None:
    drawn = grid(RGB)
    assert {(batch, *size) for batch in (1, 3) for size in STANDARD_SIZES} <= shapes(drawn)
    assert {case.content for case in drawn.cases} == set(CONTENTS)
    assert not drawn.left_out
    assert len(set(drawn.cases)) == len(drawn.cases)


@pytest.mark.parametrize("content", [c for c in CONTENTS if c != "random"])
def test_every_content_is_seen_in_single_pictures_of_some_size(content: Content) -> None:
    assert Case(1, 51, 67, content) in grid(RGB).cases


def test_one_channel_is_grey_anyway() -> None:
    assert "grey photo" not in {case.content for case in grid(ANY).cases}


@given(st.integers(0, 1 << 32))
def test_random_sizes_reach_the_largest_tile_and_a_seed_draws_the_same_again(seed: int) -> None:
    drawn = grid(ANY, seed=seed)
    assert drawn == grid(ANY, seed=seed)
    assert drawn.seed == seed
    sides = [(case.height, case.width) for case in drawn.cases]
    assert any(min(size) >= LARGEST_TILE - 32 for size in sides)
    assert max(height for height, _ in sides) == max(width for _, width in sides) == LONG_SIDE


def test_another_seed_draws_other_sizes() -> None:
    assert shapes(grid(ANY, seed=1)) != shapes(grid(ANY, seed=2))


def test_sizes_are_drawn_from_the_numbers_that_a_network_computes_with() -> None:
    drawn = shapes(grid(ANY, numbers=SizeNumbers(frozenset({300}))))
    for length in (299, 300, 301):
        assert any(height == length for _, height, _ in drawn)
        assert any(width == length for _, _, width in drawn)


def test_batches_are_drawn_from_the_numbers_too() -> None:
    batches = {case.batch for case in grid(ANY, numbers=SizeNumbers(frozenset({6, 300}))).cases}
    assert {1, 3, 6, 7} <= batches
    assert max(batches) < 10


def test_a_fixed_size_and_batch_take_the_place_of_the_grids() -> None:
    fixed = ModelSpec("fixed", 2, "luma", "luma", fixed_size=(224, 224), fixed_batch=2)
    assert shapes(grid(fixed)) == shapes(grid(ANY, fixed)) == {(2, 224, 224)}
    contents = {case.content for case in grid(fixed).cases}
    assert contents == set(CONTENTS) - {"grey photo"}


def test_sizes_are_rounded_up_to_the_multiple() -> None:
    windows = ModelSpec("windows", 2, "luma", "luma", halo=9, size_multiple=8)
    drawn = shapes(grid(windows, numbers=SizeNumbers(frozenset({300, 5}))))
    assert {(1, 8, 8), (3, 56, 72), (1, 40, 200)} <= drawn
    assert all(height % 8 == width % 8 == 0 for _, height, width in drawn)


def test_a_file_that_pads_is_asked_for_every_size() -> None:
    spec = ModelSpec("pads", 2, "rgb", "rgb", halo=9, size_multiple=8, pads=True)
    assert set(STANDARD_SIZES) <= {(case.height, case.width) for case in grid(spec).cases}


def test_a_square_network_is_not_shown_huge_squares() -> None:
    spec = ModelSpec("square", 1, "rgb", "rgb", size_multiple=128, square=True)
    drawn = grid(spec)
    assert all(case.height == case.width for case in drawn.cases)
    assert max(case.height for case in drawn.left_out) == LONG_SIDE
    assert max(case.height for case in drawn.cases) < LONG_SIDE


def test_a_dear_network_is_spared_the_dearest_cases() -> None:
    whole, spared = grid(RGB, seed=1), grid(RGB, cost=1.67e7, seed=1)
    assert sum(case.pixels for case in spared.cases) * 1.67e7 <= BUDGET
    assert [case for case in whole.cases if case in spared.cases] == list(spared.cases)
    assert set(spared.left_out) == set(whole.cases) - set(spared.cases)
    assert all(Case(1, 51, 67, c) in spared.cases for c in CONTENTS if c != "random")
    assert Case(1, 8, LONG_SIDE, "noise") in spared.cases
    assert grid(RGB, cost=59e3, seed=1) == whole


def test_noise_stays_at_every_small_size_however_dear() -> None:
    left = grid(RGB, cost=1e15).cases
    singles = {(1, *size) for size in STANDARD_SIZES if size != (224, 224)}
    small = singles | {(3, *size) for size in STANDARD_SIZES[:4]}
    assert {(c.batch, c.height, c.width) for c in left} == small
    assert {c.content for c in left} == {"noise"}


def test_a_network_that_sees_the_whole_picture_is_shown_a_long_one() -> None:
    drawn, local = grid(replace(RGB, halo=None)), grid(RGB)
    assert [case for case in drawn.cases if case not in local.cases] == [
        Case(1, *LONG, "noise"),
        Case(1, *LONG, "photo"),
    ]
    short = grid(replace(RGB, halo=None, size_maximum=1023))
    assert max(case.height for case in short.cases) == 1023


@given(
    st.builds(
        Case,
        *[st.integers(1, 3)],
        st.integers(1, 40),
        st.integers(1, 300),
        st.sampled_from(CONTENTS),
        st.integers(0, 1 << 32),
    ),
    st.sampled_from([1, 3]),
)
def test_pixels_are_pictures(case: Case, channels: int) -> None:
    drawn = pixels(case, channels)
    assert drawn.shape == (case.batch, channels, case.height, case.width)
    assert drawn.dtype == np.float32
    assert drawn.min() >= 0.0
    assert drawn.max() <= 1.0
    assert np.array_equal(drawn, pixels(case, channels))


def test_a_case_says_its_name() -> None:
    assert Case(3, 51, 67, "noise").name == "noise 3×51×67"
