import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from subpixel.imaging.metrics import psnr
from subpixel.media.jpeg_degradation import through_jpeg, through_webp
from subpixel.media.photograph import photograph
from subpixel.train.data.damage import Damage, Storage, apply_damage, draw_damage

RGB = photograph()[40:140, 60:161]


def by_pillow(rgb: np.ndarray, quality: int, subsampling: str) -> np.ndarray:
    stored = io.BytesIO()
    Image.fromarray(rgb).save(stored, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(stored)).astype(int)


@pytest.mark.parametrize(("full_colour", "subsampling"), [(False, "4:2:0"), (True, "4:4:4")])
@pytest.mark.parametrize("quality", [30, 98])
def test_colour_is_stored_as_pillow_stores_it(
    full_colour: bool, subsampling: str, quality: int
) -> None:
    ours = apply_damage(RGB, Damage((Storage("jpeg", quality, full_colour),))).astype(int)
    assert np.abs(ours - by_pillow(RGB, quality, subsampling)).max() <= 1


def test_a_second_storage_begins_elsewhere() -> None:
    """By Pillow: in a frame of three rows and five columns that repeat the edge."""
    damage = Damage((Storage("jpeg", 50), Storage("jpeg", 80)), (3, 5))
    once = by_pillow(RGB, 50, "4:2:0").astype(np.uint8)
    framed = np.pad(once, ((3, 0), (5, 0), (0, 0)), mode="edge")
    expected = by_pillow(framed, 80, "4:2:0")[3:, 5:]
    difference = np.abs(apply_damage(RGB, damage).astype(int) - expected)
    # what was rounded otherwise once may fall into another step of the second table
    assert np.mean(difference <= 1) > 0.95
    assert not np.array_equal(apply_damage(RGB, damage), apply_damage(RGB, Damage(damage.storages)))


def test_mozjpeg_s_tables_are_others() -> None:
    standard = through_jpeg(RGB, 60)
    assert np.array_equal(standard, through_jpeg(RGB, 60, tables="libjpeg"))
    assert not np.array_equal(standard, through_jpeg(RGB, 60, tables="mozjpeg"))
    assert psnr(through_jpeg(RGB, 60, tables="mozjpeg"), RGB) > 25


def test_webp_is_lossy_and_better_at_higher_quality() -> None:
    qualities = [psnr(through_webp(RGB, quality), RGB) for quality in (30, 75, 98)]
    assert qualities == sorted(qualities)
    assert 25 < qualities[0] < qualities[2] < 50


def test_no_storage_is_no_damage() -> None:
    assert np.array_equal(apply_damage(RGB, Damage(())), RGB)


def test_all_kinds_are_drawn() -> None:
    random = np.random.default_rng(0)
    damages = [draw_damage(random) for _ in range(600)]
    counts = Counter(len(damage.storages) for damage in damages)
    storages = [storage for damage in damages for storage in damage.storages]
    assert min(counts[0], counts[1], counts[2]) > 10
    assert {s.codec for s in storages} == {"jpeg", "webp"}
    assert {(s.full_colour, s.tables) for s in storages if s.codec == "jpeg"} == {
        (full, tables) for full in (False, True) for tables in ("libjpeg", "mozjpeg")
    }
    assert {s.quality for s in storages} == set(range(30, 99))
