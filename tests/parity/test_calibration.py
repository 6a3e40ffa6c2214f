from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import UsageError
from subpixel.parity.calibration import (
    calibration_pictures,
    describe_flat,
    flat_pictures,
    folder_pictures,
)
from subpixel.spec import ModelSpec

RGB = ModelSpec("net", 2, "rgb", "rgb")
SPECS = [
    RGB,
    replace(RGB, colour="luma", interface="luma"),
    replace(RGB, size_multiple=8, size_minimum=24),
    replace(RGB, size_multiple=8, size_minimum=24, square=True),
    replace(RGB, fixed_size=(30, 40), fixed_batch=2),
]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name, (width, height) in {"a": (50, 40), "b": (300, 280), "c": (5, 5)}.items():
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize("spec", SPECS)
def test_pictures_fit_the_network(spec: ModelSpec, photos: Path) -> None:
    for pictures in (list(calibration_pictures(spec)), list(folder_pictures(photos, spec))):
        assert len(pictures) >= 2
        for picture in pictures:
            batch, channels, height, width = picture.shape
            assert picture.dtype == np.float32
            assert 0 <= picture.min() <= picture.max() <= 1
            assert (batch, channels) == (spec.fixed_batch or 1, spec.channels)
            assert height % spec.size_multiple == width % spec.size_multiple == 0
            assert min(height, width) >= spec.size_minimum
            assert height == width or not spec.square
            assert (height, width) == (spec.fixed_size or (height, width))


def test_the_grids_noise_is_among_them() -> None:
    spread = [picture.std() for picture in calibration_pictures(RGB)]
    assert any(abs(s - 12**-0.5) < 0.01 for s in spread)


def test_a_folder_without_a_fitting_photo(photos: Path) -> None:
    with pytest.raises(UsageError, match="holds no photograph of a size that net takes"):
        list(folder_pictures(photos, replace(RGB, fixed_size=(400, 400))))


def test_flat_pictures_are_flat_and_of_many_levels() -> None:
    pictures = list(flat_pictures(RGB))
    assert {picture.shape for picture in pictures} == {(1, 3, 24, 24)}
    assert all(np.ptp(picture) == 0 for picture in pictures)
    levels = {float(picture.max()) for picture in pictures}
    assert len(levels) == 18
    assert {min(levels), max(levels)} == {0.0, 1.0}


@pytest.mark.parametrize(
    ("flat", "busy", "said"), [(0, 2, None), (1, 2, None), (2, 2, "2 of the 4")]
)
def test_mostly_flat_pictures_are_pointed_out(flat: int, busy: int, said: str | None) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.random((1, 3, 8, 8), np.float32) for _ in range(busy)]
    nearly = [np.full((1, 3, 8, 8), 0.5, np.float32) + each / 255 for each in noise[:flat]]
    found = describe_flat([*nearly, *noise])
    assert (found or "").startswith(said or "")
    assert (found is None) == (said is None)
