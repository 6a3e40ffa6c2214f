"""What is put into an AVIF comes out of it, or is named as a loss."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avif_builder import (
    AvifSpec,
    ItemSpec,
    alpha_item,
    box,
    build_avif,
    full_box,
    picture_item,
)
from samples import XMP, exif_block, smooth
from subpixel.media.formats.boxes.items import read_items
from subpixel.media.image_file import read_picture
from subpixel.media.picture import Picture

FRAME = smooth(3, size=(24, 16))[0]
PICTURE = picture_item(FRAME)
PLAIN = AvifSpec((PICTURE,))
SMALL = picture_item(FRAME[:8, :8])
ALPHA = alpha_item(FRAME[..., 0])
EXIF = ItemSpec(b"Exif", bytes(4) + exif_block())
XMP_ITEM = ItemSpec(b"mime", XMP, extra=b"application/rdf+xml\0")
C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def read(folder: Path, spec: AvifSpec) -> Picture:
    file = folder / "a.avif"
    file.write_bytes(build_avif(spec))
    picture = read_picture(file)
    np.testing.assert_array_equal(picture.frames[0, ..., :3], FRAME)
    return picture


def losses(folder: Path, spec: AvifSpec) -> list[str]:
    return [str(loss) for loss in read(folder, spec).losses]


def with_item(item: ItemSpec, *references: tuple[bytes, int, tuple[int, ...]]) -> AvifSpec:
    return AvifSpec((PICTURE, item), references)


def test_a_plain_file_loses_nothing(tmp_path: Path) -> None:
    assert losses(tmp_path, PLAIN) == []


def test_transparency_exif_xmp_and_a_thumbnail_are_no_losses(tmp_path: Path) -> None:
    spec = AvifSpec(
        (PICTURE, ALPHA, EXIF, XMP_ITEM, replace(SMALL, hidden=True)),
        (
            (b"auxl", 2, (1,)),
            (b"cdsc", 3, (1,)),
            (b"cdsc", 4, (1,)),
            (b"thmb", 5, (1,)),
        ),
    )
    picture = read(tmp_path, spec)
    assert picture.losses == ()
    assert picture.has_alpha
    assert picture.metadata.exif == exif_block()
    assert picture.metadata.xmp == XMP


@pytest.mark.parametrize("item", [EXIF, XMP_ITEM])
def test_metadata_that_is_not_the_picture_s(tmp_path: Path, item: ItemSpec) -> None:
    picture = read(tmp_path, with_item(item))
    has_it = picture.metadata.exif is not None or picture.metadata.xmp is not None
    assert has_it != bool(picture.losses)


@pytest.mark.parametrize("item", [EXIF, XMP_ITEM])
def test_a_second_one_is_a_loss(tmp_path: Path, item: ItemSpec) -> None:
    spec = AvifSpec((PICTURE, item, item), ((b"cdsc", 2, (1,)), (b"cdsc", 3, (1,))))
    (loss,) = read(tmp_path, spec).losses
    assert loss.what == "unknown data"
    assert f"{len(item.data):,} bytes" in loss.why


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            with_item(
                alpha_item(FRAME[..., 1], b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0"),
                (b"auxl", 2, (1,)),
            ),
            "further pictures: a depth map",
        ),
        (
            with_item(  # of another shape than the picture
                alpha_item(FRAME[:8, :8, 1], b"urn:com:apple:photo:2020:aux:hdrgainmap\0"),
                (b"auxl", 2, (1,)),
            ),
            "gain map: an HDR gain map",
        ),
        (
            with_item(alpha_item(FRAME[..., 1], b"urn:acme:heat\0"), (b"auxl", 2, (1,))),
            "urn:acme:heat",
        ),
        (
            AvifSpec(
                (PICTURE, replace(SMALL, hidden=True), ItemSpec(b"tmap", bytes(62))),
                ((b"dimg", 3, (1, 2)),),
            ),
            "gain map: an HDR gain map",
        ),
        (with_item(SMALL), "frames: one of the 2 pictures"),
        (replace(PLAIN, boxes=(box(b"uuid", C2PA, bytes(99)),)), "C2PA"),
        (replace(PLAIN, boxes=(box(b"uuid", bytes(range(16))),)), "a box uuid of 16 bytes"),
        (replace(PLAIN, boxes=(b"trailing bytes!!",)), "data behind the last box of 16 bytes"),
        (replace(PLAIN, boxes=(box(b"free", b"secret"),)), "a box free of 6 bytes"),
        (replace(PLAIN, meta_boxes=(full_box(b"xml ", b"<a/>"),)), "a box xml  in meta"),
        (
            replace(PLAIN, meta_boxes=(box(b"grpl", full_box(b"brst", bytes(8))),)),
            "a group of pictures brst",
        ),
        (AvifSpec((picture_item(FRAME, box(b"clli", bytes(4))),)), "hdr: content light level"),
        (AvifSpec((picture_item(FRAME, box(b"mdcv", bytes(24))),)), "hdr: mastering display"),
        (
            AvifSpec((picture_item(FRAME, box(b"pasp", struct.pack(">II", 2, 1))),)),
            "resolution: pixels that aren't square",
        ),
        (
            AvifSpec((picture_item(FRAME, full_box(b"udes", b"en\0a\0b\0c\0")),)),
            "a property udes",
        ),
        (replace(PLAIN, loose_properties=(full_box(b"zzzz"),)), "a property zzzz"),
    ],
)
def test_what_is_left_out_is_named(tmp_path: Path, spec: AvifSpec, words: str) -> None:
    lost = losses(tmp_path, spec)
    assert len(lost) == 1
    assert words in lost[0]


def test_padding_and_square_pixels_are_no_losses(tmp_path: Path) -> None:
    square = picture_item(FRAME, box(b"pasp", struct.pack(">II", 1, 1)))
    spec = AvifSpec((square,), boxes=(box(b"free", bytes(40)), box(b"skip", bytes(7))))
    assert losses(tmp_path, spec) == []


NAMES = st.builds(
    lambda first, rest: bytes((first,)) + rest,
    st.sampled_from(b"QWZ4\0\xa9\xff"),
    st.binary(min_size=3, max_size=3),
)
"""Invented: no box that is known begins like that."""


@settings(max_examples=40)
@given(
    place=st.sampled_from(["file", "meta", "item", "property"]), name=NAMES, size=st.integers(1, 99)
)
def test_whatever_nobody_has_thought_of_is_named(
    tmp_path_factory: pytest.TempPathFactory, place: str, name: bytes, size: int
) -> None:
    spec = {
        "file": replace(PLAIN, boxes=(box(name, bytes(size)),)),
        "meta": replace(PLAIN, meta_boxes=(box(name, bytes(size)),)),
        "item": with_item(ItemSpec(name, bytes(size))),
        "property": AvifSpec((picture_item(FRAME, box(name, bytes(size))),)),
    }[place]
    lost = losses(tmp_path_factory.mktemp("avif"), spec)
    assert len(lost) == 1
    assert lost[0].startswith("unknown data: ")
    assert f" of {size} bytes" in lost[0]


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=8))
def test_damaged_boxes_raise_nothing(place: int, data: bytes) -> None:
    sound = build_avif(AvifSpec((PICTURE, ALPHA, EXIF), ((b"auxl", 2, (1,)), (b"cdsc", 3, (1,)))))
    read_items(sound[:place])
    read_items(sound[:place] + data + sound[place + len(data) :])


def test_tables_that_are_an_attack_end() -> None:
    """Extents that take no room in the box, 65,535 of them for each of many items."""
    many = b"".join(struct.pack(">HHH", i, 0, 65_535) for i in range(20_000))
    table = full_box(b"iloc", b"\0\0", struct.pack(">H", 20_000), many)
    meta = full_box(b"meta", full_box(b"pitm", struct.pack(">H", 1)), table)
    assert read_items(meta).by_number == {}
    chain = b"".join(box(b"dimg", struct.pack(">HHH", i, 1, i + 1)) for i in range(1, 40_000))
    meta = full_box(b"meta", full_box(b"pitm", struct.pack(">H", 1)), full_box(b"iref", chain))
    assert len(read_items(meta).with_sources(1)) == 40_000
