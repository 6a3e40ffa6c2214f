"""What a JPEG says of itself: read from all its segments, written again in as many as it takes."""

import io
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from insertions import film, photoshop, record, segment, with_jfif, with_segments
from samples import smooth
from subpixel.errors import LossError
from subpixel.media.formats.jpeg.description import describe_head
from subpixel.media.formats.jpeg.segments import read_head
from subpixel.media.image_file import losses_in, open_picture, read_picture, write_picture
from subpixel.media.metadata.xmp.xmp_extension import EXTENSION_LABEL
from subpixel.media.picture import Metadata, Picture
from xmp_packets import build_packet, list_properties

CASES = Path(__file__).resolve().parents[5] / "shared" / "cases" / "pictures"
XMP_LABEL = b"http://ns.adobe.com/xap/1.0/\0"
PLAIN = Picture(smooth(3))


def contents(file: Path, marker: int, label: bytes) -> list[bytes]:
    """Of the segments in a file's head, walked apart from the code under test."""
    data, at, result = file.read_bytes(), 2, []
    while data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        content = data[at + 4 : at + 2 + length]
        if data[at + 1] == marker and content.startswith(label):
            result.append(content[len(label) :])
        at += 2 + length
    return result


def case(name: str) -> Path:
    if not (CASES / name).exists():
        pytest.skip(f"no {name} beside the repository")
    return CASES / name


class TestIptc:
    LONG = photoshop()[4:] + b"8BIM\x04\x04\0\0" + struct.pack(">I", 150_000)
    LONG += b"".join(record(25, b"%05d" % i + b"k" * 990) for i in range(150))

    def test_more_than_a_segment_holds_is_split(self, tmp_path: Path) -> None:
        picture = replace(PLAIN, metadata=Metadata(iptc=self.LONG))
        assert write_picture(picture, tmp_path / "a.jpg", strict=True) == ()
        pieces = contents(tmp_path / "a.jpg", 0xED, b"Photoshop 3.0\0")
        assert len(pieces) == 3
        assert b"Photoshop 3.0\0" + b"".join(pieces) == self.LONG
        assert read_picture(tmp_path / "a.jpg").metadata.iptc == self.LONG

    def test_split_and_in_two_segments(self, tmp_path: Path) -> None:
        for name in ("iptc_split.jpg", "iptc_two_segments.jpg"):
            picture = read_picture(case(name))
            whole = b"".join(contents(case(name), 0xED, b"Photoshop 3.0\0"))
            assert picture.metadata.iptc == b"Photoshop 3.0\0" + whole
            assert write_picture(picture, tmp_path / name, strict=True) == ()
            assert b"".join(contents(tmp_path / name, 0xED, b"Photoshop 3.0\0")) == whole
            assert {loss.what for loss in losses_in(picture, ".png")} == {"iptc"}


class TestXmp:
    def test_more_than_a_segment_holds_is_extended(self, tmp_path: Path) -> None:
        packet = build_packet('dc:format="f"', f"<dc:source>{'x' * 200_000}</dc:source>")
        picture = replace(PLAIN, metadata=Metadata(xmp=packet))
        assert write_picture(picture, tmp_path / "a.jpg", strict=True) == ()
        (main,) = contents(tmp_path / "a.jpg", 0xE1, XMP_LABEL)
        pieces = contents(tmp_path / "a.jpg", 0xE1, EXTENSION_LABEL)
        assert len(pieces) == 4
        extension = b"".join(piece[40:] for piece in pieces)
        both = list_properties(main) + list_properties(extension)
        assert len(both) == 3  # with the pointer
        back = read_picture(tmp_path / "a.jpg")
        assert list_properties(back.metadata.xmp or b"") == list_properties(packet)
        assert back.losses == ()

    def test_what_cannot_be_extended_is_named(self, tmp_path: Path) -> None:
        picture = replace(PLAIN, metadata=Metadata(xmp=b"no XML" * 20_000))
        assert [loss.what for loss in losses_in(picture, ".jpg")] == ["xmp"]
        with pytest.raises(LossError, match="xmp"):
            write_picture(picture, tmp_path / "a.jpg", strict=True)
        write_picture(picture, tmp_path / "a.jpg")
        assert contents(tmp_path / "a.jpg", 0xE1, XMP_LABEL) == []
        assert losses_in(picture, ".png") == ()

    def test_an_extension_is_joined(self, tmp_path: Path) -> None:
        picture = read_picture(case("extended_xmp.jpg"))
        (main,) = contents(case("extended_xmp.jpg"), 0xE1, XMP_LABEL)
        pieces = contents(case("extended_xmp.jpg"), 0xE1, EXTENSION_LABEL)
        extension = b"".join(piece[40:] for piece in pieces)
        assert picture.losses == ()
        assert picture.metadata.xmp is not None
        assert list_properties(picture.metadata.xmp) == list_properties(extension)
        assert len(list_properties(main)) == 1  # the pointer
        for suffix in (".jpg", ".png", ".webp", ".tif", ".avif", ".gif"):
            write_picture(picture, tmp_path / f"a{suffix}")
            back = read_picture(tmp_path / f"a{suffix}").metadata.xmp
            assert list_properties(back or b"") == list_properties(extension)

    def test_an_extension_that_is_not_whole_is_named(self, tmp_path: Path) -> None:
        data = case("extended_xmp.jpg").read_bytes()
        at = data.rindex(EXTENSION_LABEL)
        (tmp_path / "a.jpg").write_bytes(data[:at] + b"H" + data[at + 1 :])
        header = open_picture(tmp_path / "a.jpg").header
        assert any("not whole" in loss.why for loss in header.losses)
        assert b"HasExtendedXMP" not in (header.metadata.xmp or b"")


@pytest.mark.parametrize(
    "size", [*range(65_440, 65_540, 7), 65_502, 65_503, 65_504, 65_505, 65_533]
)
def test_near_the_size_of_a_segment_blocks_are_kept_or_named(tmp_path: Path, size: int) -> None:
    """Also XMP that can't be split, and EXIF to which an orientation is added."""
    text = b"II*\0\x08\0\0\0\1\0\x3b\x01\2\0" + struct.pack("<II", size - 26, 26) + bytes(4)
    block = text.ljust(size, b"x")
    for meta, label in (
        (Metadata(xmp=b"x" * size), XMP_LABEL),
        (Metadata(exif=block), b"Exif\0\0"),
        (Metadata(exif=block, orientation=6), b"Exif\0\0"),
        (Metadata(text=(("Comment", "x" * size),)), b"x" * 99),
    ):
        losses = write_picture(replace(PLAIN, metadata=meta), tmp_path / "a.jpg", overwrite=True)
        marker = 0xFE if meta.text else 0xE1
        assert bool(losses) != bool(contents(tmp_path / "a.jpg", marker, label))


class TestMotionPhoto:
    @pytest.mark.parametrize("name", ["motion_google.jpg", "motion_samsung.jpg"])
    def test_the_film_is_named_and_no_longer_promised(self, tmp_path: Path, name: str) -> None:
        picture = read_picture(case(name))
        assert {loss.what for loss in picture.losses} == {"motion photo"}
        write_picture(picture, tmp_path / "a.jpg")
        written = (tmp_path / "a.jpg").read_bytes()
        assert b"MotionPhoto=" not in written
        assert b"MicroVideo" not in written
        with pytest.raises(LossError, match="motion photo"):
            write_picture(picture, tmp_path / "b.jpg", strict=True)

    def test_xmp_that_is_damaged_and_promises_a_film_goes(self, tmp_path: Path) -> None:
        packet = build_packet('G:MotionPhoto="1"', G="http://ns.google.com/photos/1.0/camera/")
        broken = packet.replace(b"</x:xmpmeta>", b"")
        (tmp_path / "a.jpg").write_bytes(with_segments(segment(0xE1, XMP_LABEL + broken)) + film())
        header = open_picture(tmp_path / "a.jpg").header
        assert header.metadata.xmp is None
        assert [loss.what for loss in header.losses] == ["xmp", "motion photo"]


def test_a_gain_map_that_is_kept_is_no_loss_of_xmp() -> None:
    packet = build_packet('h:Version="1.0"', h="http://ns.adobe.com/hdr-gain-map/1.0/")
    segments, _ = read_head(io.BytesIO(with_segments(segment(0xE1, XMP_LABEL + packet))))
    meta, losses = describe_head(segments, True)
    assert [loss.what for loss in losses] == ["further pictures"]
    assert describe_head(segments, True, {"GainMap"}) == (meta, ())
    assert list_properties(meta.xmp or b"") == []


def test_c2pa_is_named() -> None:
    header = open_picture(case("c2pa.jpg")).header
    assert [loss.what for loss in header.losses] == ["content credentials"]
    assert "APP11" in header.losses[0].why
    assert "can't hold for other pixels" in header.losses[0].why


class TestAspect:
    @pytest.mark.parametrize("numbers", [(2, 1), (1, 2), (65535, 1), (16, 15)])
    def test_it_is_read_and_written(self, tmp_path: Path, numbers: tuple[int, int]) -> None:
        (tmp_path / "a.jpg").write_bytes(with_jfif(0, *numbers))
        picture = read_picture(tmp_path / "a.jpg")
        assert picture.metadata.aspect == numbers
        assert write_picture(picture, tmp_path / "b.jpg", strict=True) == ()
        with Image.open(tmp_path / "b.jpg") as image:
            assert (image.info["jfif_unit"], image.info["jfif_density"]) == (0, numbers)
        assert write_picture(picture, tmp_path / "b.png", strict=True) == ()
        with Image.open(tmp_path / "b.png") as image:
            assert image.info["aspect"] == numbers

    @pytest.mark.parametrize("numbers", [(1, 1), (72, 72), (0, 1), (0, 0)])
    def test_square_pixels_say_nothing(self, tmp_path: Path, numbers: tuple[int, int]) -> None:
        (tmp_path / "a.jpg").write_bytes(with_jfif(0, *numbers))
        assert read_picture(tmp_path / "a.jpg").metadata == Metadata()

    @pytest.mark.parametrize("aspect", [(1 << 31, 1 << 30), (1, 1 << 31), (131_070, 3)])
    def test_numbers_that_jfif_does_not_hold(self, tmp_path: Path, aspect: tuple[int, int]) -> None:
        write_picture(replace(PLAIN, metadata=Metadata(aspect=aspect)), tmp_path / "a.jpg")
        with Image.open(tmp_path / "a.jpg") as image:
            across, down = image.info["jfif_density"]
        assert max(across, down) == 65_535
        expected = min(aspect) * 65_535 / max(aspect)
        assert abs(min(across, down) - max(expected, 1)) <= 1


def test_a_profile_of_which_a_part_is_missing_is_named(tmp_path: Path) -> None:
    broken = with_segments(segment(0xE2, b"ICC_PROFILE\0\2\2" + b"half"))
    (tmp_path / "a.jpg").write_bytes(broken)
    header = open_picture(tmp_path / "a.jpg").header
    assert [loss.what for loss in header.losses] == ["icc"]


@pytest.mark.parametrize(
    "name",
    ["plain.jpg", "exif300.jpg", "exif_before_jfif.jpg", "jfif72_exif300.jpg", "a98.jpg", "cat.jpg"]
    + [f"orient{n}.jpg" for n in range(1, 9)]
    + ["zeros_for_eoi.jpg", "no_eoi.jpg", "grey_sgray.jpg", "pano30000.jpg"],
)
def test_ordinary_files_lose_nothing(name: str) -> None:
    assert open_picture(case(name)).header.losses == ()
