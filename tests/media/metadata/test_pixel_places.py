"""What EXIF counts in pixels, after the picture grew. Judge: Pillow turns marked pixels."""

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import IFDRational

from subpixel.media.image_file import read_picture, write_picture
from subpixel.media.metadata.exif import orientation_in
from subpixel.media.metadata.pixel_places import PixelGrowth, enlarge_area, enlarge_resolutions
from subpixel.upscaling.upscaler import Upscaler

PHOTO, INTEROPERABILITY = 0x8769, 0xA005
WIDTH, HEIGHT = 24, 16
PLACES = {
    0xA002: WIDTH,
    0xA003: HEIGHT,
    0xA20E: IFDRational(2199, 20),
    0xA20F: IFDRational(100),
    0x9214: (6, 4, 10, 8),
    0xA214: (6, 4),
    INTEROPERABILITY: {1: "R98", 0x1001: WIDTH, 0x1002: HEIGHT},
}


def photograph(file: Path, orientation: int, changes: dict[int, object] | None = None) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(PHOTO).update({**PLACES, **(changes or {})})
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 99, np.uint8)).save(file, exif=exif)
    return file


def places_in(file: Path) -> dict[int, object]:
    exif = Image.Exif()
    exif.load(read_picture(file).metadata.exif or b"")
    return dict(exif.get_ifd(PHOTO)) | {INTEROPERABILITY: dict(exif.get_ifd(INTEROPERABILITY))}


def enlarge(source: Path, target: Path) -> dict[int, object]:
    Upscaler("fast", scale=2, device="cpu", tuning=False).file(source, target)
    return places_in(target)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_a_larger_picture_has_more_pixels_on_the_same_sensor(tmp_path: Path, suffix: str) -> None:
    found = enlarge(photograph(tmp_path / "a.jpg", 6), tmp_path / f"b{suffix}")
    assert (found[0xA002], found[0xA003]) == (2 * WIDTH, 2 * HEIGHT)
    assert (found[0xA20E], found[0xA20F]) == (Fraction(2199, 10), 200)
    assert found[0x9214] == (12, 8, 20, 16)  # centres: 6.5 * 2 - 0.5 = 12.5, to even
    assert found[0xA214] == (12, 8)
    assert found[INTEROPERABILITY] == {1: "R98", 0x1001: 2 * WIDTH, 0x1002: 2 * HEIGHT}


def test_pixels_that_are_turned_take_their_places_along(tmp_path: Path) -> None:
    found = enlarge(photograph(tmp_path / "a.jpg", 6), tmp_path / "b.avif")
    assert (found[0xA002], found[0xA003]) == (2 * HEIGHT, 2 * WIDTH)
    assert (found[0xA20E], found[0xA20F]) == (200, Fraction(2199, 10))
    assert found[0x9214] == (22, 12, 16, 20)  # of 16 rows the fourth is the eleventh from below
    assert found[0xA214] == (22, 12)


def test_a_cropped_picture_keeps_what_it_had(tmp_path: Path) -> None:
    """Nobody knows by how much it was enlarged."""
    source = photograph(tmp_path / "a.jpg", 1, {0xA002: 30})
    found = enlarge(source, tmp_path / "b.jpg")
    assert (found[0x9214], found[0xA20F]) == (PLACES[0x9214], 100)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_places_turn_as_pillow_turns_pixels(orientation: int) -> None:
    for x, y in ((0, 0), (6, 4), (23, 0), (11, 15)):
        marked = np.zeros((HEIGHT, WIDTH), np.uint8)
        marked[y, x] = 255
        exif = Image.Exif()
        exif[0x0112] = orientation
        stream = io.BytesIO()
        Image.fromarray(marked).save(stream, "PNG", exif=exif)
        upright = np.asarray(ImageOps.exif_transpose(Image.open(stream)))
        (down,), (across,) = np.nonzero(upright)
        size = upright.shape[1], upright.shape[0]
        same = PixelGrowth((WIDTH, HEIGHT), size, orientation)
        assert same.move(x, y) == (across, down)
        thrice = PixelGrowth((WIDTH, HEIGHT), (3 * size[0], 3 * size[1]), orientation)
        assert thrice.move(x, y) == (3 * across + 1, 3 * down + 1)


def test_what_does_not_fit_becomes_the_largest() -> None:
    tenfold = PixelGrowth((20_000, 10_000), (200_000, 100_000))
    assert enlarge_area((19_000, 10, 4), tenfold) == (65_535, 104, 40)
    assert enlarge_resolutions((Fraction(2**31), Fraction(1, 2**31)), tenfold) == (
        2**32 - 1,
        Fraction(10, 2**31).limit_denominator(2**32 - 1),
    )
    assert enlarge_area((1,), tenfold) is None


def test_blocks_without_places_stay(tmp_path: Path) -> None:
    source = photograph(tmp_path / "a.jpg", 3)
    picture = read_picture(source)
    write_picture(picture, tmp_path / "b.jpg")
    assert places_in(tmp_path / "b.jpg") == places_in(source)
    assert orientation_in(read_picture(tmp_path / "b.jpg").metadata.exif) == 3
