"""Camera raw files: developed with the extra `raw`, and named without it.

The files are written here, by tifffile: DNGs of a sensor whose every value is known.
"""

import io
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from subpixel.cli.main import run
from subpixel.errors import PictureError, PictureTooLargeError
from subpixel.jobs.file_kinds import file_kind_of
from subpixel.media.formats.tiff import developing
from subpixel.media.image_file import open_picture, read_picture, write_picture

needs_rawpy = pytest.mark.skipif(
    find_spec("rawpy") is None, reason="rawpy, of the extra raw, isn't installed"
)

GAINS = (2.0, 1.0, 1.5)
"""The camera's white balance: what red, green and blue are multiplied by."""

ROWS, COLUMNS = 96, 128


def fractions(*values: float) -> list[int]:
    return [number for value in values for number in (round(value * 10_000), 10_000)]


def make_mosaic(light: NDArray) -> NDArray[np.uint16]:
    """What a sensor sees of grey ``light``, 0 … 1, under a filter of RG over GB."""
    gain = np.empty_like(light)
    gain[0::2, 0::2], gain[1::2, 1::2] = GAINS[0], GAINS[2]
    gain[0::2, 1::2] = gain[1::2, 0::2] = GAINS[1]
    return np.rint(light / gain * 65535).astype(np.uint16)


def write_dng(file: Path, light: NDArray, orientation: int = 1) -> Path:
    """A DNG of grey light, without a preview."""
    return write_mosaic(file, make_mosaic(light), orientation)


def write_mosaic(file: Path, mosaic: NDArray[np.uint16], orientation: int = 1) -> Path:
    xyz_to_srgb = (3.2405, -1.5371, -0.4985, -0.9693, 1.8760, 0.0416, 0.0556, -0.2040, 1.0572)
    tags: Sequence[tuple[int, int, int, object, bool]] = [
        (271, 2, 0, "Acme", False),
        (272, 2, 0, "A1", False),
        (274, 3, 1, orientation, False),
        (33421, 3, 2, (2, 2), False),  # CFARepeatPatternDim
        (33422, 1, 4, bytes((0, 1, 1, 2)), False),
        (50706, 1, 4, bytes((1, 4, 0, 0)), False),  # DNGVersion
        (50707, 1, 4, bytes((1, 1, 0, 0)), False),
        (50708, 2, 0, "Acme A1", False),
        (50714, 3, 1, 0, False),  # BlackLevel
        (50717, 3, 1, 65535, False),  # WhiteLevel
        (50721, 10, 9, fractions(*xyz_to_srgb), False),
        (50728, 5, 3, fractions(*(1 / gain for gain in GAINS)), False),  # AsShotNeutral
        (50778, 3, 1, 21, False),  # D65
    ]
    tifffile.imwrite(
        file,
        mosaic,
        photometric=32803,
        extratags=tags,
        datetime="2024:05:06 07:08:09",
        software=False,
        metadata=None,
    )
    return file


def quarters() -> NDArray:
    """Four greys, no two alike, as ``(rows, columns)``."""
    light = np.empty((ROWS, COLUMNS))
    light[: ROWS // 2, : COLUMNS // 2], light[: ROWS // 2, COLUMNS // 2 :] = 0.01, 0.05
    light[ROWS // 2 :, : COLUMNS // 2], light[ROWS // 2 :, COLUMNS // 2 :] = 0.2, 0.7
    return light


def encode_srgb(light: NDArray) -> NDArray:
    """IEC 61966-2-1, 0 … 1."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def corners(frame: NDArray) -> NDArray:
    """The mean of each quarter's inner part: top left, top right, bottom left, bottom right."""
    high, wide = frame.shape[0] // 2, frame.shape[1] // 2
    parts = [frame[y : y + high, x : x + wide] for y in (0, high) for x in (0, wide)]
    return np.stack([part[8:-8, 8:-8].mean((0, 1)) for part in parts])


@needs_rawpy
def test_grey_is_grey_as_bright_as_it_was(tmp_path: Path) -> None:
    """Through the camera's white balance and the curve of sRGB, without brightening; 1 of 255."""
    picture = read_picture(write_dng(tmp_path / "a.dng", quarters()))
    assert picture.frames.dtype == np.uint16
    assert picture.bit_depth == 16
    expected = encode_srgb(np.array([0.01, 0.05, 0.2, 0.7]))[:, None]
    assert np.abs(corners(picture.frames[0]) / 65535 - expected).max() < 1 / 255


@needs_rawpy
def test_highlights_of_a_sensor_that_saturates_early_are_white(tmp_path: Path) -> None:
    """At nine tenths of what the file says: red and blue, multiplied, must not go beyond green."""
    light = np.full((ROWS, COLUMNS), 0.2)
    light[ROWS // 2 :] = 2.0
    mosaic = np.minimum(make_mosaic(light / 2) * 2.0, 0.9 * 65535)
    picture = read_picture(write_mosaic(tmp_path / "a.dng", mosaic.astype(np.uint16)))
    assert (corners(picture.frames[0])[2:] > 0.999 * 65535).all()


@needs_rawpy
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pixels_come_out_upright(tmp_path: Path, orientation: int) -> None:
    picture = read_picture(write_dng(tmp_path / "a.dng", quarters(), orientation))
    assert picture.metadata.orientation == 1
    turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]  # counterclockwise, as numpy counts
    expected = corners(np.rot90(np.repeat(encode_srgb(quarters())[..., None], 3, 2), turns))
    assert np.abs(corners(picture.frames[0]) / 65535 - expected).max() < 1 / 255


@needs_rawpy
def test_what_the_file_says_goes_along_and_what_is_lost_is_named(tmp_path: Path) -> None:
    file = write_dng(tmp_path / "a.dng", quarters(), 6)
    if shutil.which("exiftool"):
        command = ["exiftool", "-q", "-overwrite_original", "-DateTimeOriginal=2023:01:02 03:04:05"]
        subprocess.run([*command, "-ISO=400", str(file)], check=True)
    picture = read_picture(file)
    assert [loss.what for loss in picture.losses] == ["raw"]
    assert "(DNG)" in picture.losses[0].why
    write_picture(picture, tmp_path / "b.tif")
    with Image.open(tmp_path / "b.tif") as image:
        fields = image.getexif()
        assert (fields[271], fields[272], fields[306]) == ("Acme", "A1", "2024:05:06 07:08:09")
        assert fields[274] == 1
        assert not {33421, 33422, 50706, 50721, 50728} & set(fields)
        if shutil.which("exiftool"):
            shot = fields.get_ifd(0x8769)
            assert (shot[0x9003], shot[0x8827]) == ("2023:01:02 03:04:05", 400)
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert read_picture(tmp_path / "b.tif").losses == ()  # it isn't taken for a raw file


@needs_rawpy
def test_upscale_writes_a_tiff(tmp_path: Path) -> None:
    file = write_dng(tmp_path / "a.dng", quarters())
    words = ["upscale", str(file), "--scale", "2", "--model", "fast", "-q"]
    assert run([*words, "-o", str(tmp_path / "out.tif")]) == 0
    assert run(words) == 0
    assert run([*words, "--strict", "-o", str(tmp_path / "strict.tif")]) == 1
    for name in ("out.tif", "a_x2.tif"):
        values = tifffile.imread(tmp_path / name)
        assert values.shape == (2 * ROWS, 2 * COLUMNS, 3)
        assert values.dtype == np.uint16
    assert not (tmp_path / "strict.tif").exists()


@needs_rawpy
@pytest.mark.skipif(sys.platform != "linux", reason="decoders are forked on Linux")
def test_decoded_apart_it_is_the_same(tmp_path: Path) -> None:
    direct = read_picture(write_dng(tmp_path / "a.dng", quarters(), 8))
    apart = read_picture(tmp_path / "a.dng", untrusted=True)
    np.testing.assert_array_equal(apart.frames, direct.frames)
    assert apart.metadata == direct.metadata
    assert apart.losses == direct.losses


@needs_rawpy
def test_a_damaged_one_and_a_large_one_are_refused_in_a_line(tmp_path: Path) -> None:
    file = write_dng(tmp_path / "a.dng", quarters())
    with pytest.raises(PictureTooLargeError, match="128 x 96"):
        open_picture(file, max_pixels=1000)
    data = file.read_bytes()
    (tmp_path / "b.dng").write_bytes(data[: len(data) // 2])
    (tmp_path / "c.orf").write_bytes(b"IIRO\x08\0\0\0" + bytes(100))
    for name in ("b.dng", "c.orf"):
        with pytest.raises(PictureError, match="can't be read") as error:
            read_picture(tmp_path / name)
        assert "\n" not in str(error.value)


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(developing, "find_spec", lambda name: None)
    file = write_dng(tmp_path / "a.dng", quarters())
    with pytest.raises(PictureError, match=r"develop it first.*extra 'raw'.*subpixel\[raw\]"):
        read_picture(file)
    assert file_kind_of(file).label == "camera raw"


def test_of_a_folder_they_are_taken_where_they_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subpixel.jobs.file_kinds.can_develop", lambda: True)
    (tmp_path / "a.NEF").touch()
    assert file_kind_of(tmp_path / "a.NEF").suffix == ".tif"
