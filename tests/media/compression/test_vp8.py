"""How coarsely WebPs are quantised; libwebp's own rule is the oracle."""

import io

import numpy as np
import pytest
from PIL import Image

from subpixel.media.compression.vp8 import read_quantizer

SMOOTH = np.add.outer(np.arange(120), np.arange(160)).astype(np.uint8)
RGB = np.stack([SMOOTH, 255 - SMOOTH, SMOOTH // 2], axis=2)


def _webp(pixels: np.ndarray, **options: object) -> io.BytesIO:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", **options)
    return stream


@pytest.mark.parametrize("quality", [5, 30, 50, 75, 90, 100])
def test_it_follows_libwebp_s_curve(quality: int) -> None:
    """libwebp: 127 * (1 - c ** (1/3)), c linear up to 75 and then steeper; segments vary it."""
    share = quality / 100
    linear = share * 2 / 3 if share < 0.75 else 2 * share - 1
    expected = 127 * (1 - linear ** (1 / 3))
    quantizer = read_quantizer(_webp(RGB, quality=quality))
    assert quantizer is not None
    assert abs(quantizer - expected) <= 12


def test_alpha_and_metadata_before_the_picture_are_passed_over() -> None:
    rgba = np.dstack([RGB, SMOOTH])
    plain = read_quantizer(_webp(RGB, quality=60))
    exif = Image.Exif()
    exif[0x010E] = "odd"
    assert read_quantizer(_webp(RGB, quality=60, exif=exif, icc_profile=b"x" * 129)) == plain
    assert read_quantizer(_webp(rgba, quality=60)) is not None


def test_an_animation_has_its_first_frame_s() -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    stream = io.BytesIO()
    frames[0].save(stream, "WEBP", save_all=True, append_images=frames[1:], quality=40)
    assert read_quantizer(stream) is not None


def test_a_lossless_one_has_none() -> None:
    assert read_quantizer(_webp(RGB, lossless=True)) is None


@pytest.mark.parametrize("cut", [0, 11, 15, 20, 25])
def test_a_damaged_one_has_none(cut: int) -> None:
    assert read_quantizer(io.BytesIO(_webp(RGB, quality=50).getvalue()[:cut])) is None
