"""TIFF of long rows, which are written without libvips: Pillow, tifffile and libvips read what was
meant."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from samples import SRGB, XMP, exif_block
from subpixel.media.formats.format import EncodeOptions
from subpixel.media.formats.tiff.by_rows import write_tiff_rows
from subpixel.media.libvips import FileTarget
from subpixel.media.picture import Header, Metadata, Picture, read_source
from subpixel.media.reading import open_stream
from subpixel.media.writing import LONG_ROW, Encoder, encode_picture

WIDTH = LONG_ROW  # of grey in 8 bits, a row just long enough
COMPRESSIONS = ("none", "deflate", "lzw")


def noise(channels: int, dtype: type[np.generic], width: int = WIDTH) -> np.ndarray:
    random = np.random.default_rng(channels)
    return random.integers(0, np.iinfo(dtype).max, (1, 3, width, channels), dtype, endpoint=True)


def read_back(data: bytes) -> Picture:
    return read_source(open_stream(io.BytesIO(data)))


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_come_back_here_and_in_tifffile(
    channels: int, dtype: type[np.generic], compression: str
) -> None:
    picture = Picture(noise(channels, dtype), bit_depth=8 * np.dtype(dtype).itemsize)
    options = replace(EncodeOptions(), tiff_compression=compression)
    data = encode_picture(picture, "a.tif", options)
    back = read_back(data)
    assert np.array_equal(back.frames, picture.frames)
    assert back.header.extra_channels == picture.header.extra_channels
    if compression == "lzw":
        return  # by libvips, which tifffile needs a package of codecs for
    page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    assert np.array_equal(page.asarray().reshape(picture.frames.shape[1:]), picture.frames[0])
    assert page.rowsperstrip == 1, "each row is a strip"


def test_metadata_is_as_libvips_rows_have_it() -> None:
    """The same picture but for a column less, which is written the other way."""
    meta = Metadata(icc=SRGB, exif=exif_block(), xmp=XMP, resolution=(3.0, 4.0), orientation=6)
    frames = noise(3, np.uint8, LONG_ROW // 3 + 1)
    long, short = (
        read_back(encode_picture(Picture(pixels, meta), "a.tif"))
        for pixels in (frames, frames[:, :, 2:])
    )
    assert long.metadata.icc == meta.icc == short.metadata.icc
    assert long.metadata.xmp == meta.xmp == short.metadata.xmp
    assert long.metadata.orientation == short.metadata.orientation == 6
    assert long.metadata.resolution == pytest.approx((3.0, 4.0))
    assert short.metadata.resolution == pytest.approx((3.0, 4.0))
    assert long.losses == short.losses


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert read_back(encode_picture(Picture(noise(3, np.uint8)), "a.tif")).metadata == Metadata()


def test_few_rows_of_a_tiff_are_held() -> None:
    header = Header((1, 900, 900_000, 3), np.dtype(np.uint8))
    row = 900_000 * 3
    assert Encoder(header, Path("a.tif"), EncodeOptions(), opaque=None).memory < 10 * row
    big = replace(header, shape=(1, 5000, 900_000, 3))
    assert Encoder(big, Path("a.tif"), EncodeOptions(), opaque=None).memory > 500 * row


def test_missing_rows_of_a_tiff_are_told() -> None:
    def blocks() -> Iterator[np.ndarray]:
        yield np.zeros((2, 9, 1), np.uint8)

    header, target = Header((1, 5, 9, 1), np.dtype(np.uint8)), FileTarget(io.BytesIO(), Path("a"))
    with pytest.raises(ValueError, match="3 rows of the picture did not come"):
        write_tiff_rows(blocks(), header, [], target, deflate=True)


@pytest.mark.slow
def test_a_row_longer_than_libtiff_allows_strangers() -> None:
    """60 MB; what subpixel hands to libvips is its own."""
    frames = np.zeros((1, 1, 60_000_000, 1), np.uint8)
    frames[..., ::7, :] = 9
    data = encode_picture(Picture(frames), "a.tif", EncodeOptions(tiff_compression="lzw"))
    assert data[:2] in (b"II", b"MM")
    assert len(data) > 1000
