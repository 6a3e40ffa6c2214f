from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import UsageError
from subpixel.imaging.colour import luma
from subpixel.imaging.resample import imresize
from subpixel.media.jpeg_degradation import through_jpeg
from subpixel.train.data import draw_batch, load_pairs


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for index in range(20):
        noise = np.random.default_rng(index).integers(0, 256, (49, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{index:02}.png")
    return tmp_path


def test_pairs_are_made_as_the_benchmarks_make_theirs(photographs: Path) -> None:
    _, held_out = load_pairs(photographs, 3, 8)
    rgb = np.asarray(Image.open(photographs / "19.png"))[:48, :63]
    (pair,) = held_out
    np.testing.assert_allclose(pair.high, luma(rgb) / 255, atol=1e-6)
    np.testing.assert_allclose(pair.low, luma(imresize(rgb, Fraction(1, 3))) / 255, atol=1e-6)


def test_smaller_copies_are_trained_on_too(photographs: Path) -> None:
    train, held_out = load_pairs(photographs, 2, 8)
    assert (len(train), len(held_out)) == (19 * 3 * 4, 1)


@pytest.mark.parametrize("scale", [2, 3])
def test_every_grid_is_trained_on(photographs: Path, scale: int) -> None:
    train, _ = load_pairs(photographs, scale, 8, shrinks=[Fraction(1)])
    assert len(train) == 19 * scale**2
    rgb = np.asarray(Image.open(photographs / "00.png"))
    for index in range(scale**2):
        moved = rgb[index // scale :, index % scale :]
        moved = moved[: len(moved) // scale * scale, : moved.shape[1] // scale * scale]
        low = luma(imresize(moved, Fraction(1, scale))) / 255
        np.testing.assert_allclose(train[index].low, low, atol=1e-6)
        np.testing.assert_allclose(train[index].high, luma(moved) / 255, atol=1e-6)


def test_grids_share_the_photograph(photographs: Path) -> None:
    train, _ = load_pairs(photographs, 2, 8, shrinks=[Fraction(1)])
    assert np.shares_memory(train[0].high, train[3].high)
    assert train[3] is train[3], "made once"


def test_small_pictures_go_through_jpeg(photographs: Path) -> None:
    train, held_out = load_pairs(photographs, 2, 8, shrinks=[Fraction(1)], qualities=(40, 90))
    assert (len(train), len(held_out)) == (19 * 4 * 2, 1)
    rgb = np.asarray(Image.open(photographs / "00.png"))[:48]
    low = imresize(rgb, Fraction(1, 2))
    for pair, quality in zip((train[0], train[1]), (40, 90), strict=True):
        np.testing.assert_allclose(pair.low, luma(through_jpeg(low, quality)) / 255, atol=1e-6)
        np.testing.assert_allclose(pair.high, luma(rgb) / 255, atol=1e-6)


def test_crops_of_both_sizes_show_the_same_spot(photographs: Path) -> None:
    train, _ = load_pairs(photographs, 2, 8)
    low, high = draw_batch(train, size=16, crop=8, seed=0, step=0)
    assert (low.shape, high.shape) == ((16, 1, 8, 8), (16, 1, 16, 16))
    means = high.reshape(16, 8, 2, 8, 2).mean(axis=(2, 4)).reshape(16, 8, 8)
    for small, mean in zip(low[:, 0], means, strict=True):
        assert np.corrcoef(small.ravel(), mean.ravel())[0, 1] > 0.8


def test_a_batch_depends_on_seed_and_step_alone(photographs: Path) -> None:
    train, _ = load_pairs(photographs, 2, 8)
    first, again = (draw_batch(train, 4, 8, seed=1, step=7)[0] for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, draw_batch(train, 4, 8, seed=1, step=8)[0])
    assert not np.array_equal(first, draw_batch(train, 4, 8, seed=2, step=7)[0])


def test_no_pictures_no_training(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds 0 pictures"):
        load_pairs(tmp_path, 2, 8)


def test_pictures_smaller_than_a_crop_are_left_out(photographs: Path) -> None:
    assert len(load_pairs(photographs, 2, 18)[0]) == 19 * 2 * 4, "the halved copies are too small"
    assert len(load_pairs(photographs, 2, 24)[0]) == 19 * 4, "so are those of three quarters"
    with pytest.raises(UsageError, match="is 66 pixels high and wide"):
        load_pairs(photographs, 2, 33)
