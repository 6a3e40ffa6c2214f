"""Colours that boxes, or the stream itself, describe; premultiplied colours."""

import io
import zlib
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from avif_builder import (
    AvifSpec,
    alpha_item,
    build_avif,
    nclx,
    picture_item,
    prof,
)
from samples import SRGB, exif_block, smooth
from subpixel.errors import LossError
from subpixel.media.compression.av1_sequence import read_colour_description
from subpixel.media.formats.boxes.box_colour import find_coding_points
from subpixel.media.formats.boxes.items import read_items
from subpixel.media.image_file import EncodeOptions, encode_picture, read_picture, write_picture
from subpixel.media.metadata.colour_tags import CodingPoints, coding_points_in
from subpixel.media.picture import Metadata, Picture

FRAME = smooth(3, size=(24, 16))[0]
CASES = Path(__file__).parents[5] / "shared" / "cases" / "pictures"
LOSSLESS = EncodeOptions(lossless=True)


def read(folder: Path, data: bytes, name: str = "a.avif") -> Picture:
    (folder / name).write_bytes(data)
    return read_picture(folder / name)


def read_sample(name: str) -> Picture:
    if not (CASES / name).is_file():
        pytest.skip("needs the pictures of ../shared/cases beside the repository")
    return read_picture(CASES / name)


@pytest.mark.parametrize("points", list(product([1, 5, 6, 9, 12], [1, 4, 8, 13, 16, 18])), ids=str)
def test_code_points_go_on_into_an_avif_and_a_png(tmp_path: Path, points: tuple[int, int]) -> None:
    source = AvifSpec((picture_item(FRAME, nclx(*points, 0)),))
    picture = read(tmp_path, build_avif(source))
    np.testing.assert_array_equal(picture.frames[0], FRAME)
    expected = None if points == (1, 13) else CodingPoints(*points)
    assert coding_points_in(picture.metadata.icc) == expected
    for suffix in (".avif", ".png"):
        file = tmp_path / f"out{suffix}"
        assert write_picture(picture, file, LOSSLESS, strict=True) == ()
        again = read_picture(file)
        assert coding_points_in(again.metadata.icc) == expected
        np.testing.assert_array_equal(again.frames, picture.frames)
    data = (tmp_path / "out.png").read_bytes()
    assert (bytes((*points, 0, 1)) in data) == (expected is not None)


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("exif", [None, exif_block()])
@pytest.mark.parametrize("channels", [3, 4])
def test_hdr_stays_hdr(
    tmp_path: Path, transfer: int, lossless: bool, exif: bytes | None, channels: int
) -> None:
    item = picture_item(FRAME, nclx(9, transfer, 0))
    meta = replace(read(tmp_path, build_avif(AvifSpec((item,)))).metadata, exif=exif)
    picture = Picture(smooth(channels, np.uint16), meta, bit_depth=10)
    assert write_picture(picture, tmp_path / "b.avif", EncodeOptions(lossless=lossless)) == ()
    again = read_picture(tmp_path / "b.avif")
    assert coding_points_in(again.metadata.icc) == CodingPoints(9, transfer)
    assert (again.metadata.exif is None) == (exif is None)
    assert np.abs(again.frames.astype(int) - picture.frames).max() <= (64 if lossless else 4000)
    with Image.open(tmp_path / "b.avif") as image:  # libavif reads what was put together here
        theirs = np.asarray(image.convert("RGB")).astype(int)
    difference = np.abs(theirs - picture.frames[0, ..., :3] / 257)
    assert difference.max() <= (1 if lossless else 16)


@pytest.mark.parametrize(
    ("suffix", "words"),
    [
        (".jpg", "holds the transfer PQ in its profile alone"),
        (".webp", "holds the transfer PQ in its profile alone"),
        (".tif", "holds the transfer PQ in its profile alone"),
        (".gif", "has no place for the transfer PQ"),
    ],
)
def test_formats_without_code_points_say_so(tmp_path: Path, suffix: str, words: str) -> None:
    picture = read(tmp_path, build_avif(AvifSpec((picture_item(FRAME, nclx(9, 16, 0)),))))
    losses = write_picture(picture, tmp_path / f"b{suffix}")
    (why,) = [loss.why for loss in losses if loss.what == "hdr"]
    assert words in why
    assert "use PNG, AVIF or HEIC" in why
    profile = read_picture(tmp_path / f"b{suffix}").metadata.icc
    assert profile == (None if suffix == ".gif" else picture.metadata.icc)
    with pytest.raises(LossError, match="transfer PQ"):
        write_picture(picture, tmp_path / f"c{suffix}", strict=True)


def test_a_profile_takes_precedence_over_code_points(tmp_path: Path) -> None:
    for colours in ((prof(SRGB), nclx(9, 16, 0)), (nclx(9, 16, 0), prof(SRGB))):
        picture = read(tmp_path, build_avif(AvifSpec((picture_item(FRAME, *colours),))))
        assert picture.metadata.icc == SRGB


@pytest.mark.parametrize("points", [(0, 13), (1, 19), (300, 13), (3, 3)])
def test_code_points_that_mean_nothing_are_named(tmp_path: Path, points: tuple[int, int]) -> None:
    picture = read(tmp_path, build_avif(AvifSpec((picture_item(FRAME, nclx(*points, 0)),))))
    assert picture.metadata.icc is None
    assert [loss.what for loss in picture.losses] == ["colour"]


def test_the_stream_speaks_where_no_box_does() -> None:
    item = picture_item(FRAME)
    assert read_colour_description(item.data) == (1, 13, 0)
    assert read_colour_description(item.data[:8]) is None
    assert read_colour_description(b"") is None


@pytest.mark.parametrize(
    ("name", "colours"),
    [
        ("hlg10.avif", (9, 18, 9)),
        ("pq10.avif", (9, 16, 9)),
        ("p3.avif", (12, 13, 1)),
        ("mono.avif", (1, 13, 6)),
        ("anim.avif", (1, 13, 6)),
    ],
)
def test_streams_of_another_encoder(name: str, colours: tuple[int, int, int]) -> None:
    read_sample(name)
    file = (CASES / name).read_bytes()
    items = read_items(file)
    start, size = items.by_number[items.primary].extents[0]
    assert read_colour_description(file[start : start + size]) == colours
    at = file.index(b"colrnclx")
    silent = file[:at] + b"free" + file[at + 4 :]
    assert find_coding_points(silent, read_items(silent)) == CodingPoints(*colours[:2])


@given(st.binary(max_size=60))
def test_any_bytes_as_a_stream(data: bytes) -> None:
    read_colour_description(data)


@pytest.mark.parametrize("name", ["limited.avif", "mono.avif", "mir.avif", "sdr.avif"])
def test_what_says_srgb_gets_no_profile(name: str) -> None:
    picture = read_sample(name)
    assert picture.metadata.icc is None
    assert picture.losses == ()
    with Image.open(CASES / name) as image:
        theirs = np.asarray(image.convert("RGB")).astype(int)
    ours = picture.frames[0, ..., :3].astype(int)
    if name != "mir.avif":  # Pillow states the mirroring as an orientation
        assert np.abs(ours - theirs).max() <= 3  # each rounds YCbCr in its own way


def test_premultiplied_colours_become_straight(tmp_path: Path) -> None:
    """A pure blue of every transparency: 255 is what stands under it."""
    alpha = np.linspace(0, 255, 64).round().astype(np.uint8).reshape(4, 16).repeat(4, 0)
    stored = np.zeros((16, 16, 3), np.uint8)
    stored[..., 2] = alpha
    spec = AvifSpec(
        (picture_item(stored), alpha_item(alpha)),
        ((b"auxl", 2, (1,)), (b"prem", 1, (2,))),
    )
    straight = read(tmp_path, build_avif(spec)).frames[0].astype(int)
    plain = replace(spec, references=spec.references[:1])
    kept = read(tmp_path, build_avif(plain), "b.avif").frames[0].astype(int)
    np.testing.assert_array_equal(kept[..., :3], stored)
    seen = kept[..., 3] > 0
    expected = np.minimum(np.rint(255.0 * stored[..., 2] / np.maximum(kept[..., 3], 1)), 255)
    assert np.abs(straight[..., 2] - expected)[seen].max() <= 1
    assert not straight[..., :2].any()
    np.testing.assert_array_equal(straight[..., 3], kept[..., 3])


def test_the_sample_of_premultiplied_colours() -> None:
    picture = read_sample("premult.avif")
    colours = picture.frames[0][picture.frames[0, ..., 3] > 200].astype(int)
    assert colours[:, :3].max() == 255


def test_a_grey_picture_of_hdr_keeps_its_transfer_as_rgb(tmp_path: Path) -> None:
    pixels = Picture(smooth(1), Metadata())
    png = encode_picture(pixels, Path("a.png"))
    at = png.index(b"IDAT") - 4
    chunk = b"cICP" + bytes((9, 16, 0, 1))
    stream = io.BytesIO()
    stream.write(png[:at] + (4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + png[at:])
    picture = read(tmp_path, stream.getvalue(), "a.png")
    assert picture.metadata.icc is not None
    assert picture.metadata.icc[16:20] == b"GRAY"
    assert write_picture(picture, tmp_path / "b.avif", LOSSLESS, strict=True) == ()
    again = read_picture(tmp_path / "b.avif")
    assert coding_points_in(again.metadata.icc) == CodingPoints(9, 16)
    np.testing.assert_array_equal(again.frames[..., :1], picture.frames)
