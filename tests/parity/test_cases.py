"""The grid: what it holds, and that it is the same every time."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.parity.cases import BUDGET, LONG, SIZES, Case, Content, grid, pixels
from subpixel.spec import ModelSpec

CONTENTS = get_args(Content)
ANY = ModelSpec("any", 2, "luma", "luma", halo=5)


def shapes(*specs: ModelSpec) -> set[tuple[int, int, int]]:
    return {(case.batch, case.height, case.width) for case in grid(*specs)}


def test_the_whole_grid() -> None:
    sizes = {(1, 1), (7, 5), (64, 64), (51, 67), (224, 224), (33, 200)}
    assert shapes(ANY) == {(batch, *size) for batch in (1, 3) for size in sizes}
    assert len(grid(ANY)) == 2 * 6 * 6
    assert {case.content for case in grid(ANY)} == set(CONTENTS)


def test_a_fixed_size_and_batch_take_the_place_of_the_grids() -> None:
    fixed = ModelSpec("fixed", 2, "luma", "luma", fixed_size=(224, 224), fixed_batch=2)
    assert shapes(fixed) == {(2, 224, 224)}
    assert len(grid(fixed)) == len(CONTENTS)
    assert shapes(ANY, fixed) == shapes(fixed)


def test_sizes_are_rounded_up_to_the_multiple() -> None:
    windows = ModelSpec("windows", 2, "luma", "luma", halo=9, size_multiple=8)
    sizes = {(8, 8), (64, 64), (56, 72), (224, 224), (40, 200)}
    assert shapes(windows) == {(batch, *size) for batch in (1, 3) for size in sizes}


@given(
    st.builds(
        Case,
        *[st.integers(1, 3)],
        st.integers(1, 40),
        st.integers(1, 300),
        st.sampled_from(CONTENTS),
    ),
    st.sampled_from([1, 3]),
)
def test_pixels_are_pictures(case: Case, channels: int) -> None:
    found = pixels(case, channels)
    assert found.shape == (case.batch, channels, case.height, case.width)
    assert found.dtype == np.float32
    assert found.min() >= 0.0
    assert found.max() <= 1.0
    assert np.array_equal(found, pixels(case, channels))


@pytest.mark.parametrize("content", [c for c in CONTENTS if c not in ("zeros", "ones")])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_a_batch_differ(content: Content, channels: int) -> None:
    found = pixels(Case(3, 51, 67, content), channels)
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[1], found[2])


def test_the_contents_are_what_they_are_called() -> None:
    def picture(content: Content) -> np.ndarray:
        return pixels(Case(2, 64, 64, content), 1)

    assert not picture("zeros").any()
    assert picture("ones").all()
    assert len(np.unique(picture("noise"))) > 4000
    assert np.array_equal(np.unique(picture("impulses")), [0, 1])
    assert 0 < picture("impulses")[0].mean() < 0.05
    assert 0.95 < picture("impulses")[1].mean() < 1
    assert np.allclose(picture("gradients")[0, 0, 5], np.linspace(0, 1, 64))
    neighbours = np.abs(np.diff(picture("photo")[0, 0], axis=1)).mean()
    assert 0.005 < neighbours < 0.05, "a photograph is smooth, but not flat"


def test_the_photo_is_in_colour_and_mirrored_where_it_ends() -> None:
    (photo,) = pixels(Case(1, 300, 1000, "photo"), 3)
    start = (1000 - 451 + 1) // 2
    whole = photo[:, :, start : start + 451]
    assert (whole[0] - whole[2]).mean() > 0.05, "an orange cat"
    assert np.array_equal(photo[:, :, start - 100 : start], whole[:, :, :100][:, :, ::-1])
    assert np.array_equal(photo[:, :, start + 451 :], whole[:, :, ::-1][:, :, : 1000 - 451 - start])


def test_a_case_says_its_name() -> None:
    assert Case(3, 51, 67, "noise").name == "noise 3×51×67"


def test_a_dear_network_is_spared_the_dearest_cases() -> None:
    spec = ModelSpec("dear", 4, "rgb", "rgb", halo=9)
    whole, spared = grid(spec), grid(spec, cost=5e6)
    assert sum(case.pixels for case in spared) * 5e6 <= BUDGET
    assert [case for case in whole if case in spared] == list(spared)
    sizes = {(case.height, case.width) for case in whole}
    assert {(case.height, case.width) for case in spared} == sizes
    assert {case.batch for case in spared} == {1, 3}
    assert Case(1, 224, 224, "noise") in spared
    assert grid(spec, cost=59e3) == whole


def test_every_size_stays_however_dear() -> None:
    spec = ModelSpec("dearest", 4, "rgb", "rgb", halo=9)
    left = grid(spec, cost=1e15)
    assert {(c.height, c.width) for c in left if c.batch == 1} == set(SIZES)
    assert {(c.height, c.width) for c in left if c.batch == 3} == set(SIZES[:4])
    assert {c.content for c in left} == {"noise"}


def test_a_file_that_pads_is_asked_for_every_size() -> None:
    spec = ModelSpec("pads", 2, "rgb", "rgb", halo=9, size_multiple=8, pads=True)
    assert {(c.height, c.width) for c in grid(spec)} == set(SIZES)


def test_a_network_that_sees_the_whole_picture_is_shown_a_long_one() -> None:
    spec = ModelSpec("global", 2, "rgb", "rgb")
    assert [c for c in grid(spec) if c not in grid(replace(spec, halo=1))] == [
        Case(1, *LONG, "noise"),
        Case(1, *LONG, "photo"),
    ]
    short = grid(replace(spec, size_maximum=1023))
    assert max(case.height for case in short) == 1023
