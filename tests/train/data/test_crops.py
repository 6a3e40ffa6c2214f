from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import UsageError
from subpixel.imaging.colour import luma
from subpixel.imaging.resample import imresize
from subpixel.train.data.crops import PhotographCrops, load_crops, load_held_out, reduce_spot
from subpixel.train.data.damage import HELD_OUT_DAMAGES, apply_damage


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for index in range(20):
        noise = np.random.default_rng(index).integers(0, 256, (49, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{index:02}.png")
    return tmp_path


def test_pairs_are_made_as_the_benchmarks_make_theirs(photographs: Path) -> None:
    _, held_out = load_crops(photographs, 3, 8)
    rgb = np.asarray(Image.open(photographs / "19.png"))[:48, :63]
    (pair,) = held_out
    np.testing.assert_allclose(pair.high, luma(rgb) / 255, atol=1e-6)
    np.testing.assert_allclose(pair.low, luma(imresize(rgb, Fraction(1, 3))) / 255, atol=1e-6)


def test_smaller_copies_are_trained_on_too(photographs: Path) -> None:
    train, held_out = load_crops(photographs, 2, 8)
    assert (len(train.photographs), len(held_out)) == (19, 1)
    sizes = [(49, 64), (37, 48), (25, 32)]
    assert all([rgb.shape[:2] for rgb in group] == sizes for group in train.photographs)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_crops_lie_on_every_grid_and_are_those_of_whole_pictures(scale: int) -> None:
    """By the reduction of the whole picture without the rows and columns before the grid."""
    rgb = np.random.default_rng(0).integers(0, 256, (90, 97, 3), dtype=np.uint8)
    for top in range(scale):
        moved = rgb[top:, scale - 1 :]
        moved = moved[: len(moved) // scale * scale, : moved.shape[1] // scale * scale]
        whole = imresize(moved, Fraction(1, scale))
        spot = [top + 5 * scale, scale - 1 + 4 * scale]
        part = reduce_spot(rgb, scale, spot, [7, 9])
        np.testing.assert_array_equal(part, whole[5:12, 4:13])


def test_a_crop_at_the_edge_repeats_it() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (48, 60, 3), dtype=np.uint8)
    whole = imresize(rgb, Fraction(1, 3))
    np.testing.assert_array_equal(reduce_spot(rgb, 3, [0, 0], [16, 20]), whole)


def test_small_pictures_are_damaged(photographs: Path) -> None:
    train, held_out = load_crops(photographs, 2, 8, shrinks=[Fraction(1)], damaged=True)
    rgb = np.asarray(Image.open(photographs / "19.png"))[:48]
    (pair,) = held_out
    low = apply_damage(imresize(rgb, Fraction(1, 2)), HELD_OUT_DAMAGES[0])
    np.testing.assert_allclose(pair.low, luma(low) / 255, atol=1e-6)
    np.testing.assert_allclose(pair.high, luma(rgb) / 255, atol=1e-6)
    clean = replace(train, damaged=False)
    low, high = (part.numpy() for part in train.draw(16, 8, 0))
    assert (low.shape, high.shape) == ((16, 1, 8, 8), (16, 1, 16, 16))
    means, undamaged = (block_means(side) for side in (high, clean.draw(16, 8, 0)[1].numpy()))
    plain = abs(undamaged - clean.draw(16, 8, 0)[0].numpy()[:, 0]).mean()
    assert abs(means - low[:, 0]).mean() > 1.3 * plain


def block_means(high: np.ndarray) -> np.ndarray:
    count, side = len(high), high.shape[-1] // 2
    return high.reshape(count, side, 2, side, 2).mean(axis=(2, 4))


def test_held_out_pictures_are_damaged_by_turns(photographs: Path) -> None:
    files = sorted(photographs.iterdir())[:7]
    pairs = load_held_out(files, 2, damaged=True)
    assert len(pairs) == 7
    rgb = np.asarray(Image.open(files[4]))[:48]
    low = apply_damage(imresize(rgb, Fraction(1, 2)), HELD_OUT_DAMAGES[4])
    np.testing.assert_allclose(pairs[4].low, luma(low) / 255, atol=1e-6)


@pytest.mark.parametrize("damaged", [False, True])
def test_crops_of_both_sizes_show_the_same_spot(photographs: Path, damaged: bool) -> None:
    train, _ = load_crops(photographs, 2, 8, damaged=damaged)
    low, high = (part.numpy() for part in train.draw(16, 8, 0))
    assert (low.shape, high.shape) == ((16, 1, 8, 8), (16, 1, 16, 16))
    likeness = [
        np.corrcoef(small.ravel(), mean.ravel())[0, 1]
        for small, mean in zip(low[:, 0], block_means(high), strict=True)
    ]
    assert np.median(likeness) > (0.6 if damaged else 0.9)
    assert damaged or min(likeness) > 0.8


def test_a_batch_depends_on_seed_and_step_alone(photographs: Path) -> None:
    train, _ = load_crops(photographs, 2, 8, seed=1)
    first, again = (train.draw(4, 8, step=7)[0].numpy() for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, train.draw(4, 8, step=8)[0].numpy())
    assert not np.array_equal(first, replace(train, seed=2).draw(4, 8, step=7)[0].numpy())


def test_a_photograph_of_many_tiles_is_drawn_no_more_often() -> None:
    """One of twelve white tiles beside three black ones of one."""
    white, black = (np.full((16, 16, 3), level, np.uint8) for level in (255, 0))
    source = PhotographCrops([[white] * 12, [black], [black], [black]], 2)
    low = np.concatenate([source.draw(50, 8, step)[0].numpy() for step in range(8)])
    # 400 draws at 1/4: the standard deviation is 0.022
    assert low.mean() == pytest.approx(0.25, abs=0.09)


def test_no_pictures_no_training(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds 0 pictures"):
        load_crops(tmp_path, 2, 8)


def test_pictures_smaller_than_a_crop_are_left_out(photographs: Path) -> None:
    def sizes(crop: int) -> set[int]:
        return {len(group) for group in load_crops(photographs, 2, crop)[0].photographs}

    assert sizes(18) == {2}, "the halved copies are too small"
    assert sizes(24) == {1}, "so are those of three quarters"
    with pytest.raises(UsageError, match="is 66 pixels high and wide"):
        load_crops(photographs, 2, 33)
