"""The quality of JPEGs of several encoders, by their tables."""

import io
import struct

import numpy as np
import pytest
import pyvips
from PIL import Image

from subpixel.imaging.metrics import psnr
from subpixel.media.compression.jpeg_tables import (
    ANNEX_K,
    LOW_FREQUENCIES,
    fit_quality,
    libjpeg_table,
    read_luma_table,
)
from subpixel.media.formats.jpeg.segments import walk_head
from subpixel.media.photograph import photograph

ROBIDOUX = (
    16, 16, 16, 16, 17, 16, 18, 20, 20, 18, 25, 27, 24, 27, 25, 37,
    34, 31, 31, 34, 37, 56, 40, 43, 40, 43, 40, 56, 85, 53, 62, 53,
    53, 62, 53, 85, 75, 91, 74, 69, 74, 91, 75, 135, 106, 94, 94, 106,
    135, 156, 131, 124, 131, 156, 189, 169, 169, 189, 238, 226, 238, 255, 255, 255,
)  # fmt: skip
"""mozjpeg's default table of luma (N. Robidoux's) in zigzag order, at quality 50."""


def _photo(mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def _jpeg(image: Image.Image, **options: object) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream


def table_of(stream: io.BytesIO) -> tuple[int, ...] | None:
    return read_luma_table((segment.marker, segment.data) for segment in walk_head(stream))


@pytest.mark.parametrize("quality", range(1, 98))
def test_libjpeg_s_own_quality_is_read_back(quality: int) -> None:
    table = table_of(_jpeg(_photo(), quality=quality))
    assert table == libjpeg_table(quality)
    # below 4 the low frequencies are at their limit of 255, and several qualities are alike
    fit = fit_quality(table)
    assert libjpeg_table(fit)[:LOW_FREQUENCIES] == table[:LOW_FREQUENCIES]
    assert fit == quality or quality < 4


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
def test_every_kind_of_jpeg_has_its_table(mode: str, progressive: bool) -> None:
    stream = _jpeg(_photo(mode), quality=70, progressive=progressive)
    assert fit_quality(table_of(stream) or ()) == 70


def test_metadata_and_thumbnails_before_it_are_passed_over() -> None:
    thumbnail = _jpeg(_photo(), quality=20).getvalue()
    exif = Image.Exif()
    exif[0x927C] = thumbnail
    stream = _jpeg(_photo(), quality=85, exif=exif, comment=b"\xff\xdb" * 40)
    assert fit_quality(table_of(stream) or ()) == 85


def test_libvips_writes_the_same_tables() -> None:
    data = pyvips.Image.new_from_array(np.asarray(_photo())).jpegsave_buffer(Q=61)
    assert table_of(io.BytesIO(data)) == libjpeg_table(61)


def test_tables_of_16_bits_and_of_another_number_are_read() -> None:
    wide = struct.pack(">B64H", 0x12, *(step * 300 for step in range(1, 65)))
    dqt = struct.pack(">HH", 0xFFDB, 2 + len(wide)) + wide
    frame = struct.pack(">BHHB3B", 8, 8, 8, 1, 1, 0x11, 2)
    sof = struct.pack(">HH", 0xFFC1, 2 + len(frame)) + frame
    stream = io.BytesIO(b"\xff\xd8" + dqt + sof + b"\xff\xda")
    assert table_of(stream) == tuple(step * 300 for step in range(1, 65))


@pytest.mark.parametrize("percent", [200, 100, 50, 20])
def test_other_tables_get_the_quality_that_loses_as_much(percent: int) -> None:
    """A photograph by that table is as far off as one by libjpeg's of the quality: within 1 dB."""
    table = [max((step * percent + 50) // 100, 1) for step in ROBIDOUX]
    photo = Image.fromarray(photograph()).reduce(2)  # itself a JPEG
    stream = _jpeg(photo, qtables=[table, table])
    fit = fit_quality(table_of(stream) or ())
    errors = [
        psnr(np.asarray(photo.convert("L")), np.asarray(Image.open(file).convert("L")))
        for file in (stream, _jpeg(photo, quality=fit))
    ]
    assert abs(errors[0] - errors[1]) < 1


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 5, 40, 60])
def test_a_damaged_file_has_none(cut: int) -> None:
    data = _jpeg(_photo()).getvalue()
    assert table_of(io.BytesIO(data[:cut])) is None


def test_a_table_with_zeros_is_none() -> None:
    data = _jpeg(_photo(), quality=50).getvalue()
    table = bytes(ANNEX_K)
    assert table in data
    assert table_of(io.BytesIO(data.replace(table, b"\0" + table[1:]))) is None
