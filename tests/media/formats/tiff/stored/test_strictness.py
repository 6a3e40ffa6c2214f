"""Damage in tiles, of which libvips only warns: a file is refused, not half black."""

import struct
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile

from subpixel.errors import PictureError
from subpixel.media.formats.tiff.stored.codecs import (
    STRIP_OFFSETS,
    TILE_BYTE_COUNTS,
    TILE_OFFSETS,
)
from subpixel.media.image_file import read_picture

NOISE = np.random.default_rng(0).integers(0, 256, (80, 96, 3), np.uint8)
COMPRESSIONS = ["none", "deflate", "lzw", "packbits", "jpeg"]


def write(file: Path, *, tile: bool, compression: str) -> bytes:
    image = pyvips.Image.new_from_array(NOISE).copy(interpretation="srgb")
    sides = {"tile_width": 16, "tile_height": 16} if tile else {"tile_height": 16}
    image.tiffsave(str(file), tile=tile, compression=compression, **sides)
    return file.read_bytes()


def with_number(data: bytes, tag: int, number: int, value: int) -> bytes:
    """A file of libvips with another value in the field of a tag."""
    changed = bytearray(data)
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        found, kind, _, place = struct.unpack_from("<HHII", data, entry)
        if found == tag:
            form, size = {3: ("<H", 2), 4: ("<I", 4)}[kind]
            struct.pack_into(form, changed, place + number * size, value)
    assert changed != data
    return bytes(changed)


def without_tile(data: bytes, number: int) -> bytes:
    """A file that leaves a tile out, as GDAL does."""
    return with_number(with_number(data, TILE_OFFSETS, number, 0), TILE_BYTE_COUNTS, number, 0)


def expect_refused(file: Path) -> None:
    with pytest.raises(PictureError, match=rf"{file.name} can't be read as TIFF"):
        read_picture(file)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("tile", [True, False], ids=["tiles", "strips"])
def test_data_that_end_too_early_are_refused(tmp_path: Path, compression: str, tile: bool) -> None:
    whole = write(tmp_path / "a.tif", tile=tile, compression=compression)
    assert read_picture(tmp_path / "a.tif").frames.shape == (1, *NOISE.shape)
    offsets = TILE_OFFSETS if tile else STRIP_OFFSETS
    (tmp_path / "b.tif").write_bytes(with_number(whole, offsets, 2, len(whole) - 20))
    expect_refused(tmp_path / "b.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("pages", [1, 3])
@pytest.mark.parametrize("sides", [{"tile": (16, 16)}, {"rowsperstrip": 16}], ids=str)
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_file_that_is_cut_is_refused(
    tmp_path: Path, compression: str | None, pages: int, sides: dict[str, int], share: float
) -> None:
    file, frames = tmp_path / "a.tif", np.stack([NOISE] * pages)
    tifffile.imwrite(file, frames, photometric="rgb", compression=compression, **sides)
    assert np.array_equal(read_picture(file).frames, frames)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    expect_refused(file)


@pytest.mark.parametrize("sides", [{"tile": (16, 16)}, {"rowsperstrip": 16}], ids=str)
def test_what_is_damaged_inside_is_refused(tmp_path: Path, sides: dict[str, int]) -> None:
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, NOISE, photometric="rgb", compression="zlib", **sides)
    damaged = bytearray(file.read_bytes())
    damaged[12_000:12_100] = bytes(100)
    file.write_bytes(damaged)
    expect_refused(file)


def test_tiles_that_are_left_out_are_black(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    file.write_bytes(without_tile(write(file, tile=True, compression="deflate"), 7))
    expected = NOISE.copy()
    expected[16:32, 16:32] = 0
    assert np.array_equal(read_picture(file).frames[0], expected)


def test_a_file_that_leaves_tiles_out_is_refused_where_it_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, NOISE, photometric="rgb", tile=(16, 16))
    sparse = without_tile(file.read_bytes(), 7)
    file.write_bytes(sparse)
    assert read_picture(file).frames.shape == (1, *NOISE.shape)
    file.write_bytes(sparse[:-10])
    expect_refused(file)


def test_odd_fields_harm_no_tiles(tmp_path: Path) -> None:
    """libvips warns of these, too."""
    file = tmp_path / "a.tif"
    odd = [(65000, "s", 0, "private", True), (33550, "d", 3, (1.0, 2.0, 3.0), True)]
    tifffile.imwrite(file, NOISE, photometric="rgb", tile=(16, 16), extratags=odd)
    entries = bytearray(file.read_bytes())
    at = entries.index(struct.pack("<HH", 33550, 12))
    entries[at : at + 24] = entries[at + 12 : at + 24] + entries[at : at + 12]  # out of order
    file.write_bytes(entries)
    assert np.array_equal(read_picture(file).frames[0], NOISE)
