"""Gain maps: kept, grown with the picture, and announced where readers look for them."""

import io
import re
import struct
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image

import ultra_hdr_file
from samples import exif_block
from subpixel.errors import LossError
from subpixel.media.formats.registry import FORMATS
from subpixel.media.image_file import open_picture, read_picture, write_picture
from subpixel.media.picture import GainMap, Metadata, Picture

CONTAINER = "http://ns.google.com/photos/1.0/container/"
HDRGM = "http://ns.adobe.com/hdr-gain-map/1.0/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

FORMS = [ultra_hdr_file.iso_file, ultra_hdr_file.phone_file]


def enlarge(picture: Picture, scale: float) -> Picture:
    """By libvips' bicubic, in place of a network."""
    image = pyvips.Image.new_from_array(picture.frames[0]).resize(scale, kernel="cubic")
    return replace(picture, frames=image.numpy()[None])


def linear_of(file: bytes) -> NDArray[np.float32]:
    """What a display of high dynamic range shows, by libultrahdr."""
    return pyvips.Image.uhdrload_buffer(file).uhdr2scRGB().numpy()


def second_file(file: bytes) -> tuple[bytes, bytes]:
    """The first file and the second, where MPF says they lie; parsed as CIPA DC-007 has it."""
    label = file.index(b"MPF\0")
    block = file[label + 4 :]
    order = {b"II": "<", b"MM": ">"}[block[:2]]
    (first,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, first)
    fields = {}
    for number in range(count):
        tag, _, size, value = struct.unpack_from(order + "HHII", block, first + 2 + 12 * number)
        fields[tag] = size, value
    assert fields[0xB001][1] == 2
    size, at = fields[0xB002]
    assert size == 32
    (kind, length, start, _, _) = struct.unpack_from(order + "IIIHH", block, at)
    assert (kind & 0xFFFFFF, start) == (0x030000, 0)
    (_, map_length, map_start, _, _) = struct.unpack_from(order + "IIIHH", block, at + 16)
    assert label + 4 + map_start == length
    assert length + map_length == len(file)
    return file[:length], file[length:]


@pytest.mark.parametrize("make", FORMS)
@pytest.mark.parametrize("scale", [2, 3, 1.5, 0.75])
def test_high_dynamic_range_is_that_of_the_source(tmp_path: Path, make: type, scale: float) -> None:
    source = make(64, 48)
    (tmp_path / "a.jpg").write_bytes(source)
    picture = enlarge(read_picture(tmp_path / "a.jpg"), scale)
    assert write_picture(picture, tmp_path / "b.jpg", strict=True) == ()

    after = linear_of((tmp_path / "b.jpg").read_bytes())
    before = linear_of(source)
    expected = pyvips.Image.new_from_array(before).resize(scale, kernel="linear").numpy()
    assert after.shape == (round(48 * scale), round(64 * scale), 3)
    assert expected.max() > 0.8 * ultra_hdr_file.BOOST
    # 3 code values of 8 bits in the picture (gamma 2.4, from code 90 on) and 3 of the map's 3 stops
    limit = 2.4 * np.log2(1 + 3 / 90) + 3 * 3 / 255 + 0.02
    inside = (slice(2, -2), slice(2, -2))
    assert np.abs(np.log2(after / expected))[inside].max() < limit


@pytest.mark.parametrize("make", FORMS)
def test_the_files_lie_where_mpf_says(tmp_path: Path, make: type) -> None:
    (tmp_path / "a.jpg").write_bytes(make(64, 48))
    write_picture(enlarge(read_picture(tmp_path / "a.jpg"), 3), tmp_path / "b.jpg")
    first, second = second_file((tmp_path / "b.jpg").read_bytes())
    assert Image.open(io.BytesIO(first)).size == (192, 144)
    with Image.open(io.BytesIO(second)) as gain_map:
        gain_map.load()
        assert gain_map.size == (48, 36)
    with Image.open(tmp_path / "b.jpg") as whole:  # with hdrgm in XMP, Pillow looks no further
        if make is ultra_hdr_file.iso_file:
            assert (whole.format, whole.n_frames) == ("MPO", 2)


def test_xmp_announces_the_new_map(tmp_path: Path) -> None:
    source = ultra_hdr_file.phone_file()
    (tmp_path / "a.jpg").write_bytes(source)
    picture = enlarge(read_picture(tmp_path / "a.jpg"), 3)
    assert b"GainMap" not in (picture.metadata.xmp or b"")
    assert b"hdrgm:Version" not in (picture.metadata.xmp or b"")
    assert b'xmp:Rating="4"' in (picture.metadata.xmp or b"")
    write_picture(picture, tmp_path / "b.jpg")
    first, second = second_file((tmp_path / "b.jpg").read_bytes())
    with Image.open(io.BytesIO(first)) as image:
        packet = ElementTree.fromstring(image.info["xmp"])
    items = list(packet.iter(f"{{{CONTAINER}}}Item"))
    assert [item.get(f"{{{CONTAINER}item/}}Semantic") for item in items] == ["Primary", "GainMap"]
    assert int(items[1].get(f"{{{CONTAINER}item/}}Length", "")) == len(second)
    descriptions = [part.attrib for part in packet.iter(f"{{{RDF}}}Description")]
    assert sum(f"{{{HDRGM}}}Version" in part for part in descriptions) == 1
    assert sum("{http://ns.adobe.com/xap/1.0/}Rating" in part for part in descriptions) == 1
    assert xmp_of(second) == xmp_of(second_file(source)[1])


def xmp_of(file: bytes) -> object:
    with Image.open(io.BytesIO(file)) as image:
        return image.info["xmp"]


def test_a_map_described_in_xmp_alone_needs_a_packet(tmp_path: Path) -> None:
    """Where the picture's XMP was stripped, the new file gets one."""
    source = ultra_hdr_file.phone_file()
    (tmp_path / "a.jpg").write_bytes(source)
    picture = read_picture(tmp_path / "a.jpg")
    picture = replace(picture, metadata=replace(picture.metadata, xmp=None))
    write_picture(picture, tmp_path / "b.jpg")
    packet = ElementTree.fromstring(str(xmp_of((tmp_path / "b.jpg").read_bytes()), "utf-8"))
    assert len(list(packet.iter(f"{{{CONTAINER}}}Item"))) == 2


def test_iso_metadata_is_carried_over(tmp_path: Path) -> None:
    source = ultra_hdr_file.iso_file()
    (tmp_path / "a.jpg").write_bytes(source)
    write_picture(enlarge(read_picture(tmp_path / "a.jpg"), 2), tmp_path / "b.jpg")
    before, after = (
        pyvips.Image.uhdrload_buffer(f) for f in (source, (tmp_path / "b.jpg").read_bytes())
    )
    names = [
        name for name in before.get_fields() if name.startswith("gainmap-") and "data" not in name
    ]
    assert len(names) > 5
    assert [after.get(name) for name in names] == [before.get(name) for name in names]
    assert (
        b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0"
        in second_file((tmp_path / "b.jpg").read_bytes())[0]
    )


def test_an_orientation_stays_a_tag(tmp_path: Path) -> None:
    """The map is stored as the picture is, so both are turned by the one tag."""
    (tmp_path / "a.jpg").write_bytes(ultra_hdr_file.phone_file(exif=exif_block(orientation=6)))
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.metadata.orientation == 6
    write_picture(enlarge(picture, 2), tmp_path / "b.jpg")
    back = read_picture(tmp_path / "b.jpg")
    assert back.metadata.orientation == 6
    assert back.metadata.gain_map is not None
    assert pyvips.Image.jpegload_buffer(back.metadata.gain_map.data).width == 32


@pytest.mark.parametrize("form", [f for f in FORMATS if f.name != "JPEG"], ids=lambda f: f.name)
def test_other_formats_name_the_loss_and_promise_nothing(tmp_path: Path, form: object) -> None:
    (tmp_path / "a.jpg").write_bytes(ultra_hdr_file.phone_file())
    file = tmp_path / f"b{form.suffixes[0]}"
    picture = read_picture(tmp_path / "a.jpg")
    assert "gain map" in {loss.what for loss in write_picture(picture, file)}
    assert b"GainMap" not in file.read_bytes()
    with pytest.raises(LossError, match="gain map"):
        write_picture(picture, file, strict=True, overwrite=True)


def test_previews_are_named(tmp_path: Path) -> None:
    preview = ultra_hdr_file.parts_of(ultra_hdr_file.iso_file(16, 16))[0]
    (tmp_path / "a.jpg").write_bytes(ultra_hdr_file.phone_file(previews=(preview,)))
    header = open_picture(tmp_path / "a.jpg").header
    assert header.metadata.gain_map is not None
    assert [loss.what for loss in header.losses] == ["further pictures"]
    assert f"{len(preview):,} bytes" in header.losses[0].why


def test_a_damaged_map_is_named(tmp_path: Path) -> None:
    source = bytearray(ultra_hdr_file.phone_file())
    scan = source.rindex(b"\xff\xda")
    source[scan : scan + 4] = b"\xff\xc0\0\0"
    (tmp_path / "a.jpg").write_bytes(source)
    header = open_picture(tmp_path / "a.jpg").header
    assert header.metadata.gain_map is None
    assert [loss.what for loss in header.losses] == ["gain map"]
    assert b"GainMap" not in (header.metadata.xmp or b"")


def test_a_map_larger_than_the_picture_is_refused(tmp_path: Path) -> None:
    small, large = ultra_hdr_file.phone_file(16, 16), ultra_hdr_file.phone_file(400, 400)
    stamp = re.search(rb"\xff\xe2..MPF\0II", small, re.DOTALL)
    assert stamp is not None
    gain_map = second_file(large)[1]
    first = second_file(small)[0]
    at = stamp.end() - 2
    places = [(len(first), 0), (len(gain_map), len(first) - at)]
    block = ultra_hdr_file.little_endian_mpf(2, places)
    (tmp_path / "a.jpg").write_bytes(
        first[: at - 4] + block + first[at - 4 + len(block) :] + gain_map
    )
    header = open_picture(tmp_path / "a.jpg").header
    assert [loss.what for loss in header.losses] == ["gain map"]
    assert "100 x 100" in header.losses[0].why


def test_a_cropped_picture_gets_its_part_of_the_map(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(ultra_hdr_file.iso_file(64, 48))
    picture = read_picture(tmp_path / "a.jpg")
    gain_map = picture.metadata.gain_map
    assert gain_map is not None
    part = enlarge(Picture(picture.frames[:, 12:36, 32:64]), 2)
    meta = Metadata(gain_map=gain_map.crop(0.5, 0.25, 1.0, 0.75), icc=picture.metadata.icc)
    write_picture(replace(part, metadata=meta), tmp_path / "b.jpg")
    after = linear_of((tmp_path / "b.jpg").read_bytes())
    before = linear_of((tmp_path / "a.jpg").read_bytes())[12:36, 32:64]
    expected = pyvips.Image.new_from_array(before).resize(2, kernel="linear").numpy()
    # at the edges of the part libultrahdr interpolates without the rest of the map
    inside = (slice(8, -8), slice(8, -8))
    limit = 2.4 * np.log2(1 + 3 / 90) + 3 * 3 / 255 + 0.05
    assert np.abs(np.log2(after / expected))[inside].max() < limit


def test_a_picture_of_another_shape_loses_the_map(tmp_path: Path) -> None:
    """Cut by somebody who knows nothing of maps: better none than one that is drawn out."""
    (tmp_path / "a.jpg").write_bytes(ultra_hdr_file.iso_file(64, 48))
    picture = read_picture(tmp_path / "a.jpg")
    cut = replace(picture, frames=picture.frames[:, :, :40])
    losses = write_picture(cut, tmp_path / "b.jpg")
    assert [str(loss) for loss in losses] == [
        "gain map: the picture was given another shape than the map; left out"
    ]
    assert b"MPF" not in (tmp_path / "b.jpg").read_bytes()


@pytest.mark.parametrize("scale", [1 / 3, 0.51, 1.37, 2, 7.9])
@pytest.mark.parametrize("size", [(64, 48), (4000, 3000), (17, 1001), (3, 5)])
def test_rounded_sides_are_the_same_shape(size: tuple[int, int], scale: float) -> None:
    width, height = (max(1, round(side * scale)) for side in size)
    assert GainMap(b"", *size).fits(width, height)


def test_crops_of_crops_add_up() -> None:
    half = GainMap(b"", 8, 8).crop(0.5, 0.0, 1.0, 0.5)
    assert half.crop(0.5, 0.5, 1.0, 1.0).region == (0.75, 0.25, 1.0, 0.5)
