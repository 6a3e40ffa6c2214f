"""What the pictures of the grid show."""

import itertools
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.parity.contents import LEVELS, Content, draw
from subpixel.runtime.op import Pixels

CONTENTS = get_args(Content)


def batch(content: Content, channels: int, height: int, width: int, seed: int = 0) -> Pixels:
    shape = (channels, height, width)
    return np.stack([draw(content, shape, index, seed) for index in range(3)])


@pytest.mark.parametrize("content", [c for c in CONTENTS if c not in ("zeros", "ones")])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_a_batch_differ(content: Content, channels: int) -> None:
    pictures = batch(content, channels, 51, 67)
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


def test_the_contents_are_what_they_are_called() -> None:
    def picture(content: Content) -> Pixels:
        return batch(content, 1, 64, 64)

    assert not picture("zeros").any()
    assert picture("ones").all()
    assert len(np.unique(picture("noise"))) > 4000
    assert np.array_equal(np.unique(picture("impulses")), [0, 1])
    assert 0 < picture("impulses")[0].mean() < 0.05
    assert 0.95 < picture("impulses")[1].mean() < 1
    assert np.allclose(picture("gradients")[0, 0, 5], np.linspace(0, 1, 64))
    neighbours = np.abs(np.diff(picture("photo")[0, 0], axis=1)).mean()
    assert 0.005 < neighbours < 0.05, "a photograph is smooth, but not flat"
    assert picture("dark photo").max() <= 1 / 16
    assert picture("bright photo").min() >= 15 / 16


def test_a_grey_photo_has_equal_channels_and_is_not_flat() -> None:
    grey = batch("grey photo", 3, 51, 67)
    assert np.array_equal(grey[:, 0], grey[:, 1])
    assert np.array_equal(grey[:, 0], grey[:, 2])
    assert grey.std() > 0.05


def test_random_pictures_differ_with_the_seed_and_the_others_do_not() -> None:
    for content in CONTENTS:
        same = np.array_equal(batch(content, 3, 20, 30, 1), batch(content, 3, 20, 30, 2))
        assert same == (content != "random")


@given(st.integers(0, 1 << 32))
def test_random_pictures_are_of_every_brightness(first: int) -> None:
    seeds = range(first, first + LEVELS)
    means = sorted(float(draw("random", (3, 32, 32), 0, seed).mean()) for seed in seeds)
    assert means[0] < 0.25
    assert means[-1] > 0.75
    assert max(later - earlier for earlier, later in itertools.pairwise(means)) < 0.4


def test_the_photo_is_in_colour_and_mirrored_where_it_ends() -> None:
    photo = draw("photo", (3, 300, 1000), 0, 0)
    start = (1000 - 451 + 1) // 2
    whole = photo[:, :, start : start + 451]
    assert (whole[0] - whole[2]).mean() > 0.05, "an orange cat"
    assert np.array_equal(photo[:, :, start - 100 : start], whole[:, :, :100][:, :, ::-1])
    assert np.array_equal(photo[:, :, start + 451 :], whole[:, :, ::-1][:, :, : 1000 - 451 - start])
