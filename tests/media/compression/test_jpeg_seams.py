"""The seams of JPEGs that Pillow wrote and made smaller: their period is 8 times the factor."""

import io

import numpy as np
import pytest
from PIL import Image

from subpixel.imaging.colour import luma
from subpixel.media.compression.jpeg_seams import JpegSeams, find_jpeg_seams
from subpixel.media.photograph import photograph

PHOTO = Image.fromarray(photograph())
BAND = 32


def find_in(image: Image.Image) -> JpegSeams | None:
    plane = luma(np.asarray(image, np.float32)).astype(np.float32)
    count = len(plane) // BAND
    return find_jpeg_seams(plane[: count * BAND].reshape(count, BAND, -1), BAND)


def shrink(image: Image.Image, factor: float) -> Image.Image:
    size = round(image.width * factor), round(image.height * factor)
    return image.resize(size, Image.Resampling.BICUBIC)


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


@pytest.mark.parametrize("factor", [0.5, 0.6, 2 / 3, 0.75, 0.9])
def test_the_period_is_that_of_the_blocks(factor: float) -> None:
    seams = find_in(shrink(as_jpeg(PHOTO, 20), factor))
    assert seams is not None
    assert seams.period == pytest.approx(8 * factor, abs=0.06)


def test_the_worse_the_jpeg_the_stronger_they_are() -> None:
    contrasts = [find_in(shrink(as_jpeg(PHOTO, quality), 0.75)) for quality in (10, 30, 50)]
    values = [0 if seams is None else seams.contrast for seams in contrasts]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[2]


@pytest.mark.parametrize("factor", [0.5, 2 / 3, 0.75, 0.9])
def test_what_was_no_jpeg_has_none(factor: float) -> None:
    assert find_in(shrink(PHOTO, factor)) is None
    noise = np.random.default_rng(1).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    assert find_in(shrink(Image.fromarray(noise), factor)) is None


@pytest.mark.parametrize("quality", [20, 50, 75, 90])
def test_blocks_as_they_were_are_none(quality: int) -> None:
    """Their steps say more, and a line at 8 pixels has another at 4."""
    assert find_in(as_jpeg(PHOTO, quality)) is None
    assert find_in(as_jpeg(PHOTO.crop((3, 5, 259, 261)), quality).crop((2, 1, 250, 253))) is None


def test_stripes_one_way_are_none() -> None:
    stripes = np.asarray(PHOTO).copy()
    stripes[:, ::6] = stripes[:, ::6] // 2
    assert find_in(Image.fromarray(stripes)) is None


def test_bands_with_gaps_between_them_will_do() -> None:
    plane = luma(np.asarray(shrink(as_jpeg(PHOTO, 15), 0.75), np.float32)).astype(np.float32)
    count = len(plane) // BAND
    bands = plane[: count * BAND].reshape(count, BAND, -1)[::2]
    seams = find_jpeg_seams(bands, 2 * BAND)
    assert seams is not None
    assert seams.period == pytest.approx(6, abs=0.06)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 200), (1, 200, 3), (2, 32, 20), (1, 20, 20)])
def test_small_ones_say_nothing(shape: tuple[int, int, int]) -> None:
    assert find_jpeg_seams(np.zeros(shape, np.float32), shape[1]) is None
    random = np.random.default_rng(0).random(shape, np.float32)
    assert find_jpeg_seams(random * 255, shape[1]) is None
