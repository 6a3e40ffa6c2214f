"""The quality of JPEGs that were saved as something else, by their pixels; Pillow is the oracle."""

import io

import numpy as np
import pytest
from PIL import Image

from subpixel.imaging.colour import luma
from subpixel.media.compression.jpeg_steps import estimate_quality
from subpixel.media.photograph import photograph

PHOTO = photograph()


def _through(rgb: np.ndarray, form: str, quality: int, **options: object) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, form, quality=quality, **options)
    return np.asarray(Image.open(stream).convert("RGB"))


def _estimate(rgb: np.ndarray) -> int | None:
    return estimate_quality(luma(rgb.astype(np.float32)).astype(np.float32)[None])


def _clean() -> np.ndarray:
    """Pixels that went through no JPEG: the photograph, which is one, at half its size."""
    height, width = (side // 2 * 2 for side in PHOTO.shape[:2])
    halves = PHOTO[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
    return np.rint(halves).astype(np.uint8)


def test_what_was_no_jpeg_has_no_quality() -> None:
    assert _estimate(_clean()) is None
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert _estimate(noise) is None
    assert _estimate(np.zeros((200, 300, 3), np.uint8)) is None


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("quality", [30, 50, 65, 75, 85, 90, 95])
def test_a_jpeg_shows_its_quality(quality: int, subsampling: str) -> None:
    decoded = _through(_clean(), "JPEG", quality, subsampling=subsampling)
    estimate = _estimate(decoded)
    assert estimate is not None
    assert abs(estimate - quality) <= 2


@pytest.mark.parametrize(("first", "second"), [(50, 90), (60, 80), (75, 95), (50, 75), (80, 60)])
def test_of_two_jpegs_the_coarser_shows(first: int, second: int) -> None:
    estimate = _estimate(_through(_through(_clean(), "JPEG", first), "JPEG", second))
    assert estimate is not None
    assert abs(estimate - min(first, second)) <= 2


@pytest.mark.parametrize(("top", "left"), [(3, 5), (1, 0), (7, 7)])
def test_the_grid_may_begin_anywhere(top: int, left: int) -> None:
    estimate = _estimate(_through(_clean(), "JPEG", 50)[top:, left:])
    assert estimate is not None
    assert abs(estimate - 50) <= 2


def test_a_webp_of_a_jpeg_shows_it() -> None:
    estimate = _estimate(_through(_through(_clean(), "JPEG", 50), "WEBP", 95))
    assert estimate is not None
    assert abs(estimate - 50) <= 4


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (7, 9), (8, 8), (16, 5)])
def test_pictures_of_a_few_pixels_tell_nothing(shape: tuple[int, int]) -> None:
    assert estimate_quality(np.full((1, *shape), 100, np.float32)) is None
