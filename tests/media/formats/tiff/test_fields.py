"""The account: each field of a file is in the output, says how pixels are stored, or is named."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from samples import SRGB, XMP, exif_block, smooth
from subpixel.errors import LossError
from subpixel.media.formats.account import MAX_LOSSES
from subpixel.media.image_file import read_picture, write_picture
from subpixel.media.metadata import exif, tags
from subpixel.media.picture import Metadata, Picture

RGB = smooth(3, size=(24, 16))[0]
ASCII, BYTE, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, FLOAT, DOUBLE = 2, 1, 3, 4, 5, 6, 7, 11, 12

DESCRIPTIVE = {
    269: (ASCII, "A document"),
    270: (ASCII, "A map"),
    271: (ASCII, "Acme"),
    272: (ASCII, "M1"),
    285: (ASCII, "Page i"),
    306: (ASCII, "2026:01:02 03:04:05"),
    315: (ASCII, "Ann"),
    316: (ASCII, "host"),
    33432: (ASCII, "(c) Ann"),
    42112: (ASCII, "<GDALMetadata></GDALMetadata>"),
    42113: (ASCII, "-9999"),
    40091: (BYTE, "title".encode("utf-16-le")),
    18246: (SHORT, (4,)),
    286: (RATIONAL, (1, 2)),
}
LOST = {
    37724: (UNDEFINED, b"8BIMLayr"),
    50838: (LONG, (12, 5)),
    50839: (BYTE, b"IJIJ\0\0\0\0"),
    50844: (DOUBLE, tuple(map(float, range(92)))),
    33920: (DOUBLE, tuple(map(float, range(16)))),
    343: (BYTE, b"path"),
    290: (SHORT, (2,)),
    65001: (LONG, (4096,)),
    65002: (13, (4096,)),
}


def write_tiff(file: Path, fields: dict[int, tuple[int, object]], **options: object) -> Path:
    def count(kind: int, value: object) -> int:
        assert isinstance(value, str | bytes | tuple)
        return 0 if isinstance(value, str) else len(value) // (2 if kind == RATIONAL else 1)

    extras = [(tag, kind, count(kind, v), v, True) for tag, (kind, v) in fields.items()]
    tifffile.imwrite(file, RGB, photometric="rgb", metadata=None, extratags=extras, **options)
    return file


def tags_of(file: Path) -> dict[int, object]:
    with tifffile.TiffFile(file) as tiff:
        return {tag.code: tag.value for tag in tiff.pages.first.tags}


def pillow_tags(file: Path) -> dict[int, object]:
    with Image.open(file) as image:
        return dict(image.getexif())


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_descriptions_are_kept_in_a_tiff(tmp_path: Path, byteorder: str) -> None:
    file = write_tiff(tmp_path / "a.tif", DESCRIPTIVE, byteorder=byteorder)
    picture = read_picture(file)
    assert write_picture(picture, tmp_path / "b.tif", strict=True) == ()
    before, after = tags_of(file), tags_of(tmp_path / "b.tif")
    assert {tag: after.get(tag) for tag in DESCRIPTIVE} == {tag: before[tag] for tag in DESCRIPTIVE}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
def test_descriptions_are_kept_in_exif(tmp_path: Path, suffix: str) -> None:
    file = write_tiff(tmp_path / "a.tif", DESCRIPTIVE)
    losses = write_picture(read_picture(file), tmp_path / f"b{suffix}")
    assert losses == ()
    before, after = pillow_tags(file), pillow_tags(tmp_path / f"b{suffix}")
    assert {tag: after.get(tag) for tag in DESCRIPTIVE} == {tag: before[tag] for tag in DESCRIPTIVE}


@pytest.mark.parametrize("tag", LOST)
@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".png"])
def test_what_cannot_hold_is_named(tmp_path: Path, tag: int, suffix: str) -> None:
    file = write_tiff(tmp_path / "a.tif", {tag: LOST[tag]})
    picture = read_picture(file)
    (loss,) = write_picture(picture, tmp_path / f"b{suffix}")
    expected = tags.LOST[tag][0] if tag in tags.LOST else "unknown data"
    assert loss.what == expected
    assert str(tag) in loss.why or tag in tags.LOST
    assert tag not in pillow_tags(tmp_path / f"b{suffix}")
    with pytest.raises(LossError):
        write_picture(picture, tmp_path / "c.tif", strict=True)


VALUES = st.one_of(
    st.tuples(st.just(ASCII), st.text("abc XYZ", min_size=1, max_size=9)),
    st.tuples(st.just(UNDEFINED), st.binary(min_size=1, max_size=9)),
    st.tuples(st.just(SHORT), st.lists(st.integers(0, 65535), min_size=1, max_size=4).map(tuple)),
    st.tuples(st.just(LONG), st.lists(st.integers(0, 1 << 31), min_size=1, max_size=3).map(tuple)),
    st.tuples(st.just(DOUBLE), st.lists(st.floats(0, 9), min_size=1, max_size=3).map(tuple)),
    st.tuples(st.just(FLOAT), st.lists(st.sampled_from([0.5, 2.0]), min_size=1).map(tuple)),
)
NOT_FREE = tags.STORAGE | tags.SEPARATE | tags.BLOCKS | {
    34665, 34853, 40965, 270, 305, 33421, 33422, 50706, *tags.GEO, *tags.COLOUR,
    exif.PIXEL_X, exif.PIXEL_Y,  # the picture's size: every output has its own
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    fields=st.dictionaries(
        st.one_of(st.integers(254, 400), st.integers(32768, 65535)).filter(
            lambda tag: tag not in NOT_FREE
        ),
        VALUES,
        min_size=1,
        max_size=MAX_LOSSES,
    ),
    suffix=st.sampled_from([".tif", ".jpg", ".png"]),
    byteorder=st.sampled_from(["<", ">"]),
)
def test_any_fields_are_kept_or_named(
    tmp_path_factory: pytest.TempPathFactory,
    fields: dict[int, tuple[int, object]],
    suffix: str,
    byteorder: str,
) -> None:
    """Known and invented ones: Pillow finds each in the output, or the losses name it."""
    folder = tmp_path_factory.mktemp("account")
    file = write_tiff(folder / "a.tif", fields, byteorder=byteorder)
    losses = write_picture(read_picture(file), folder / f"b{suffix}")
    text = "; ".join(loss.why for loss in losses)
    before, after = raw_fields(file), raw_fields(folder / f"b{suffix}")
    for tag in fields.keys() & before.keys():  # tifffile writes no directories such as 400
        name = tags.LOST[tag][1].partition(":")[0].partition(",")[0] if tag in tags.LOST else ""
        is_named = f"a field {tag} of" in text or bool(name and name in text)
        assert is_named != (after.get(tag) == before[tag]), (tag, text)


def raw_fields(file: Path) -> dict[int, tuple[int, ...]]:
    """Kind and values of the first directory's fields, by our own reading; Pillow guesses."""
    data = file.read_bytes()
    if file.suffix == ".jpg":
        data = data[data.index(exif.EXIF_PREFIX) + 6 :] if exif.EXIF_PREFIX in data else b""
    if file.suffix == ".png":
        at = data.find(b"eXIf")
        data = data[at + 4 :] if at > 0 else b""
    order = exif.layout_of(data)
    words = {1: "B", 2: "c", 3: "H", 4: "I", 5: "I", 7: "B", 11: "f", 12: "d", 13: "I"}
    return {
        f.tag: (
            f.kind,
            *(n for (n,) in struct.iter_unpack(order.order + words[f.kind], f.value)),
        )
        for f in exif.fields_of(data)
        if order is not None and f.kind in words
    }


def test_pixels_that_are_not_square_are_said(tmp_path: Path) -> None:
    file = write_tiff(tmp_path / "a.tif", {}, resolution=(1, 2), resolutionunit="NONE")
    (loss,) = read_picture(file).losses
    assert str(loss) == "aspect: pixels that are 2 times as wide as high become square"
    assert read_picture(write_tiff(file, {}, resolution=(2, 2), resolutionunit="NONE")).losses == ()
    assert read_picture(write_tiff(file, {}, resolution=(1, 2), resolutionunit="INCH")).losses == ()


class TestDescriptions:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("ImageJ=1.53c\nimages=2\nslices=2\n", "ImageJ"),
            ('<?xml version="1.0"?><OME xmlns="x"><Pixels SizeX="24"/></OME>', "OME-XML"),
            ('{"shape": [16, 24, 3], "axes": "YXS", "author": "Ann"}', "author, axes"),
        ],
    )
    def test_those_of_the_old_size_are_named(self, tmp_path: Path, text: str, words: str) -> None:
        file = write_tiff(tmp_path / "a.tif", {270: (ASCII, text)})
        picture = read_picture(file)
        assert [loss.what for loss in picture.losses] == ["description"]
        assert words in picture.losses[0].why
        write_picture(picture, tmp_path / "b.tif")
        assert 270 not in tags_of(tmp_path / "b.tif")

    def test_a_shape_alone_is_how_pixels_are_stored(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", RGB, photometric="rgb")  # its own description
        picture = read_picture(tmp_path / "a.tif")
        assert write_picture(picture, tmp_path / "b.tif", strict=True) == ()
        assert 270 not in tags_of(tmp_path / "b.tif")


class TestPages:
    def pages(self, file: Path) -> Path:
        with tifffile.TiffWriter(file) as writer:
            for number, profile in enumerate((SRGB, None, SRGB)):
                extras = [
                    (285, ASCII, 0, f"Page {number}", True),
                    (315, ASCII, 0, "Ann" if number else "Bob", True),
                    (700, BYTE, len(XMP), XMP, True),
                ]
                if number == 1:
                    extras.append((274, SHORT, 1, 6, True))
                writer.write(
                    RGB + np.uint8(number),
                    photometric="rgb",
                    metadata=None,
                    iccprofile=profile,
                    extratags=extras,
                    resolution=(100 + number, 100),
                    resolutionunit="INCH",
                )
        return file

    def test_each_keeps_what_it_says(self, tmp_path: Path) -> None:
        picture = read_picture(self.pages(tmp_path / "a.tif"))
        assert write_picture(picture, tmp_path / "b.tif", strict=True) == ()
        with tifffile.TiffFile(tmp_path / "a.tif") as a, tifffile.TiffFile(tmp_path / "b.tif") as b:
            assert len(a.pages) == len(b.pages) == 3
            for before, after in zip(a.pages, b.pages, strict=True):
                assert np.array_equal(before.asarray(), after.asarray())
                for code in (285, 315, 700, 34675, 282, 283, 296):
                    old, new = before.tags.get(code), after.tags.get(code)
                    assert (old and old.value) == (new and new.value), code
                old, new = before.tags.get(274), after.tags.get(274)
                assert (1 if old is None else old.value) == new.value
        again = read_picture(tmp_path / "b.tif")  # with the page numbers that libvips writes
        assert write_picture(again, tmp_path / "c.tif", strict=True) == ()
        assert read_picture(tmp_path / "c.tif").metadata == again.metadata

    @pytest.mark.parametrize("suffix", [".webp", ".gif"])
    def test_one_description_for_all_frames_is_said(self, tmp_path: Path, suffix: str) -> None:
        picture = read_picture(self.pages(tmp_path / "a.tif"))
        lost = {loss.what for loss in write_picture(picture, tmp_path / f"b{suffix}")}
        assert {"pages", "icc"} <= lost

    def test_pages_without_a_unit_get_none(self, tmp_path: Path) -> None:
        write_picture(Picture(np.stack([RGB, RGB])), tmp_path / "a.tif")
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            assert [page.tags["ResolutionUnit"].value for page in file.pages] == [1, 1]

    def test_cmyk_pages_share_the_profile_that_they_got(self, tmp_path: Path) -> None:
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for name in ("a", "b"):
                writer.write(
                    np.dstack([RGB, RGB[..., :1]]),
                    photometric="separated",
                    metadata=None,
                    extratags=[(285, ASCII, 0, name, True)],
                )
        metadata = read_picture(tmp_path / "a.tif").metadata
        assert metadata.icc is not None
        assert [page.icc for page in metadata.pages] == [metadata.icc] * 2

    def test_cmyk_pages_of_several_profiles_are_said(self, tmp_path: Path) -> None:
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for profile in (None, SRGB):  # no CMYK profile, and so left aside
                writer.write(
                    np.dstack([RGB, RGB[..., :1]]),
                    photometric="separated",
                    metadata=None,
                    iccprofile=profile,
                )
        assert {loss.what for loss in read_picture(tmp_path / "a.tif").losses} == {"colour", "icc"}


class TestExifIntoTiff:
    def test_private_fields_are_kept(self, tmp_path: Path) -> None:
        picture = Picture(RGB[None], Metadata(exif=exif_block()))
        assert [loss.what for loss in write_picture(picture, tmp_path / "a.tif")] == ["maker note"]
        assert tags_of(tmp_path / "a.tif")[0xFDE8] == "hello"

    def test_what_may_be_an_offset_is_named(self, tmp_path: Path) -> None:
        field = exif.Field(0xFDE9, LONG, 1, struct.pack("<I", 77))
        block = exif.add_fields(exif_block("<", thumbnail=False), [field])
        losses = write_picture(Picture(RGB[None], Metadata(exif=block)), tmp_path / "a.tif")
        assert "a field 65001 of 4 bytes is left out" in "; ".join(loss.why for loss in losses)
        assert write_picture(Picture(RGB[None], Metadata(exif=block)), tmp_path / "a.png") == ()

    @pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".webp"])
    def test_a_second_directory_that_is_no_thumbnail(self, tmp_path: Path, suffix: str) -> None:
        block = bytearray(exif_block("<"))
        at = block.index(struct.pack("<HHI", 0x0201, 4, 1))
        struct.pack_into("<H", block, at, 0x0205)
        assert exif.count_further_directories(bytes(block)) == 1
        assert exif.count_further_directories(exif_block("<")) == 0
        losses = write_picture(
            Picture(RGB[None], Metadata(exif=bytes(block))), tmp_path / f"a{suffix}"
        )
        assert "directories after the first one (1)" in "; ".join(loss.why for loss in losses)

    def test_fields_out_of_reach_are_named(self, tmp_path: Path) -> None:
        block = bytearray(exif_block("<", thumbnail=False))
        at = block.index(struct.pack("<HH", 0xA431, 2))
        struct.pack_into("<I", block, at + 8, 1 << 30)
        losses = write_picture(Picture(RGB[None], Metadata(exif=bytes(block))), tmp_path / "a.tif")
        assert "a field 42033 of 0 bytes" in "; ".join(loss.why for loss in losses)


def test_a_damaged_field_of_a_tiff_is_named(tmp_path: Path) -> None:
    data = bytearray(
        write_tiff(tmp_path / "a.tif", {315: (ASCII, "Ann of Green Gables")}).read_bytes()
    )
    at = data.index(struct.pack("<HH", 315, 2))
    struct.pack_into("<I", data, at + 8, 1 << 30)
    (tmp_path / "a.tif").write_bytes(data)
    (loss,) = read_picture(tmp_path / "a.tif").losses
    assert "315" in loss.why
    assert "outside the file" in loss.why


def test_fields_that_overlap_are_no_gigabytes(tmp_path: Path) -> None:
    """Each claims the whole file as its value: together they would be many times as large."""
    size = 1 << 16
    fields = {40000 + i: (UNDEFINED, b"x" * 8) for i in range(200)}
    data = bytearray(write_tiff(tmp_path / "a.tif", fields).read_bytes().ljust(size, b"\0"))
    for tag in fields:
        at = data.index(struct.pack("<HH", tag, 7))
        struct.pack_into("<II", data, at + 4, size - 8, 8)
    (tmp_path / "a.tif").write_bytes(data)
    picture = read_picture(tmp_path / "a.tif")
    assert len(picture.metadata.exif or b"") < 2 * size
    assert "exif" in {loss.what for loss in picture.losses}
