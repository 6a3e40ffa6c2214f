"""HEIC against pillow-heif itself, which made the files, and what is lost of them."""

import io
import re
import struct
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from samples import SRGB, XMP, exif_block, smooth
from subpixel.errors import PictureError, PictureTooLargeError
from subpixel.media.formats.boxes.avif import AVIF
from subpixel.media.formats.boxes.heic import HEIC
from subpixel.media.formats.registry import sniff
from subpixel.media.image_file import EncodeOptions, open_picture, read_picture, write_picture
from subpixel.media.metadata.colour_tags import CodingPoints, coding_points_in
from subpixel.media.picture import Metadata, Picture

pillow_heif = pytest.importorskip("pillow_heif")

EXACT = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}


def encode(mode: str, samples: NDArray, **options: object) -> bytes:
    stream = io.BytesIO()
    size = samples.shape[1::-1]
    pillow_heif.encode(mode, size, samples.tobytes(), stream, **(EXACT | options))
    return stream.getvalue()


def ramp(bits: int, channels: int) -> NDArray:
    """Every value of so many bits."""
    values = np.arange(64 * 48 * channels) % (1 << bits)
    return values.reshape(48, 64, channels).astype(np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_samples_are_those_of_the_file(tmp_path: Path, bits: int, channels: int) -> None:
    samples = ramp(bits, channels)
    mode = ("RGB", "RGBA")[channels - 3] + ("" if bits == 8 else f";{bits}")
    (tmp_path / "a.heic").write_bytes(encode(mode, samples, bit_depth=bits))
    picture = read_picture(tmp_path / "a.heic")
    assert picture.bit_depth == bits
    exact = samples * (picture.full_scale / ((1 << bits) - 1))
    assert np.abs(picture.frames[0] - exact).max() <= 0.5


def test_grey_stays_grey(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(encode("L", ramp(8, 1)))
    assert np.array_equal(read_picture(tmp_path / "a.heic").frames[0], ramp(8, 1))


def test_ten_bits_go_round(tmp_path: Path) -> None:
    samples = (ramp(10, 4).astype(np.uint32) * 65535 + 511) // 1023
    picture = Picture(samples.astype(np.uint16)[None], bit_depth=10)
    file = tmp_path / "a.heic"
    assert write_picture(picture, file, EncodeOptions(lossless=True), strict=True) == ()
    assert np.array_equal(read_picture(file).frames, picture.frames)
    assert np.array_equal(by_pillow_heif(file), ramp(10, 4))


def by_pillow_heif(file: Path) -> NDArray:
    opened = pillow_heif.open_heif(file, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    return np.asarray(opened)


def test_an_orientation_is_applied_once(tmp_path: Path) -> None:
    """As phones write it: in the file's properties, in EXIF and in XMP."""
    xmp = XMP.replace(b"<rdf:RDF ", b'<rdf:RDF xmlns:tiff="x"  tiff:Orientation="6" ')
    data = encode("RGB", ramp(8, 3), exif=b"Exif\0\0" + exif_block(orientation=6), xmp=xmp)
    (tmp_path / "a.heic").write_bytes(data)
    picture = read_picture(tmp_path / "a.heic")
    assert np.array_equal(picture.frames[0], np.rot90(ramp(8, 3), -1))
    assert picture.metadata.orientation == 1
    assert picture.metadata.xmp == xmp.replace(b'"6"', b'"1"')
    write_picture(picture, tmp_path / "b.heic", EncodeOptions(lossless=True))
    assert np.array_equal(read_picture(tmp_path / "b.heic").frames, picture.frames)
    assert pillow_heif.open_heif(tmp_path / "b.heic").to_pillow().getexif().get(0x0112, 1) == 1


def test_a_stored_orientation_is_applied_to_the_pixels(tmp_path: Path) -> None:
    xmp = XMP.replace(b"<rdf:RDF ", b'<rdf:RDF xmlns:tiff="x"  tiff:Orientation="8" ')
    meta = Metadata(exif=exif_block(orientation=8), orientation=8, xmp=xmp, icc=SRGB)
    picture = Picture(smooth(3), meta)
    write_picture(picture, tmp_path / "a.heic", EncodeOptions(lossless=True))
    assert np.array_equal(by_pillow_heif(tmp_path / "a.heic"), np.rot90(picture.frames[0]))


@pytest.mark.parametrize(("quality", "chroma"), [(None, 420), (89, 420), (90, 444), (100, 444)])
def test_chroma_is_stored_in_full_from_90_on(
    tmp_path: Path, quality: int | None, chroma: int
) -> None:
    picture = Picture(smooth(3, size=(64, 48)))
    write_picture(picture, tmp_path / "a.heic", EncodeOptions(quality=quality))
    opened = pillow_heif.open_heif(tmp_path / "a.heic")
    assert opened.info["chroma"] == chroma
    limit = 12 if chroma == 420 else 6
    assert np.abs(np.asarray(opened).astype(int) - picture.frames[0]).max() < limit


def test_premultiplied_alpha_is_undone(tmp_path: Path) -> None:
    straight = np.zeros((48, 64, 4), np.uint8)
    straight[..., 2], straight[..., 3] = 255, np.arange(48)[:, None] * 5
    premultiplied = straight.copy()
    premultiplied[..., 2] = straight[..., 3]
    (tmp_path / "a.heic").write_bytes(encode("RGBa", premultiplied))
    frame = read_picture(tmp_path / "a.heic").frames[0]
    visible = straight[..., 3] > 0
    assert np.array_equal(frame[visible], straight[visible])
    assert (frame[~visible] == 0).all()


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    heif = pillow_heif.HeifFile()
    for number in range(2):
        heif.add_frombytes("RGB", (64, 48), ramp(8, 3).tobytes()).info["primary"] = number == 1
    heif.save(tmp_path / "a.heic", **EXACT)
    film = struct.pack(">I4s", 1008, b"mpvd") + bytes(1000)
    unknown = struct.pack(">I4s", 19, b"inv1") + bytes(11)
    with (tmp_path / "a.heic").open("ab") as file:
        file.write(film + unknown)
    assert [str(loss) for loss in open_picture(tmp_path / "a.heic").header.losses] == [
        "frames: one of the 2 pictures in the file is used",
        "motion photo: a film behind the picture is left out",
        "unknown data: a box inv1 of 11 bytes is left out",
    ]


def test_xmp_no_more_promises_what_is_left_out(tmp_path: Path) -> None:
    camera = b' xmlns:C="http://ns.google.com/photos/1.0/camera/" C:MotionPhoto="1"'
    xmp = XMP.replace(b"<rdf:RDF", b"<rdf:RDF" + camera)
    (tmp_path / "a.heic").write_bytes(encode("RGB", ramp(8, 3), xmp=xmp))
    packet = open_picture(tmp_path / "a.heic").header.metadata.xmp
    assert packet == xmp.replace(b' C:MotionPhoto="1"', b"")
    (tmp_path / "a.heic").write_bytes(encode("RGB", ramp(8, 3), xmp=xmp[:-9]))
    header = open_picture(tmp_path / "a.heic").header
    assert header.metadata.xmp is None
    assert [loss.what for loss in header.losses] == ["xmp"]


@pytest.mark.parametrize("points", [(12, 16), (9, 18), (12, 13), (9, 1)])
def test_code_points_are_a_profile_and_go_round(tmp_path: Path, points: tuple[int, int]) -> None:
    """PQ, HLG, Display P3: what a phone writes in place of a profile."""
    names = ("color_primaries", "transfer_characteristics")
    data = encode("RGB;10", ramp(10, 3), bit_depth=10, **dict(zip(names, points, strict=True)))
    (tmp_path / "a.heic").write_bytes(data)
    picture = read_picture(tmp_path / "a.heic")
    assert picture.losses == ()
    assert coding_points_in(picture.metadata.icc) == CodingPoints(*points)
    options = EncodeOptions(lossless=True)
    assert write_picture(picture, tmp_path / "b.heic", options, strict=True) == ()
    back = pillow_heif.open_heif(tmp_path / "b.heic", convert_hdr_to_8bit=False)
    if points[1] in (16, 18):
        assert tuple(back.info["nclx_profile"][name] for name in names) == points
    else:
        assert back.info["icc_profile"] == picture.metadata.icc
    assert read_picture(tmp_path / "b.heic").metadata.icc == picture.metadata.icc
    assert np.array_equal(read_picture(tmp_path / "b.heic").frames, picture.frames)


def test_the_size_is_checked_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.heic").write_bytes(encode("RGB", ramp(8, 3)))

    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(pillow_heif.HeifImage, "load", decode)
    assert open_picture(tmp_path / "a.heic", max_pixels=64 * 48).header.shape == (1, 48, 64, 3)
    with pytest.raises(PictureTooLargeError, match="64 x 48"):
        open_picture(tmp_path / "a.heic", max_pixels=64 * 48 - 1)


@pytest.mark.parametrize("cut", [20, 300, 0.5, 0.9])
def test_cut_files_are_refused_in_one_line(tmp_path: Path, cut: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    data = encode("RGB", noise)
    (tmp_path / "a.heic").write_bytes(data[: int(cut if cut > 1 else len(data) * cut)])
    with pytest.raises(PictureError, match=r"can't be read as HEIC: \S") as error:
        read_picture(tmp_path / "a.heic")
    assert "\n" not in str(error.value)


def test_a_file_of_no_pictures_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As damaged ones are opened now and then."""
    (tmp_path / "a.heic").write_bytes(encode("RGB", ramp(8, 3)))
    monkeypatch.setattr(pillow_heif, "open_heif", lambda *_, **__: pillow_heif.HeifFile())
    with pytest.raises(PictureError, match="no picture that can be decoded"):
        open_picture(tmp_path / "a.heic")


@pytest.mark.parametrize("words", ["Memory allocation error: Security limit exceeded: 9", "9"])
def test_a_limit_of_libheif_is_no_lack_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    (tmp_path / "a.heic").write_bytes(encode("RGB", ramp(8, 3)))

    def refuse(*_: object, **__: object) -> None:
        raise ValueError(words)

    monkeypatch.setattr(pillow_heif, "open_heif", refuse)
    with pytest.raises(PictureError, match="9"):
        open_picture(tmp_path / "a.heic")


def test_without_its_package_the_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.heic").write_bytes(encode("RGB", ramp(8, 3)))
    real = util.find_spec
    monkeypatch.setattr(
        "subpixel.media.formats.format.find_spec",
        lambda name: None if name == "pillow_heif" else real(name),
    )
    words = "HEIC needs the package pillow_heif: pip install 'subpixel[heif]'"
    with pytest.raises(PictureError, match=r"a\.heic can't be read: " + re.escape(words)):
        open_picture(tmp_path / "a.heic")
    with pytest.raises(PictureError, match=r"HEIC needs the package pillow_heif: pip install"):
        write_picture(Picture(smooth(3)), tmp_path / "b.heic")
    assert [file.name for file in tmp_path.iterdir()] == ["a.heic"]


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", HEIC),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", HEIC),
        (b"\0\0\0\x18ftypmsf1\0\0\0\0hevcmsf1", HEIC),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", AVIF),
        (b"\0\0\0\x14ftypmif1\0\0\0\0mif1heic", AVIF),  # what looks like a brand is the next box
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1heic", AVIF),
        (b"\0\0\0\x18ftypisom\0\0\0\0mif1heic", None),
    ],
)
def test_brands(head: bytes, form: object) -> None:
    assert sniff(head) is form


def test_a_file_by_another_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode("RGB", ramp(8, 3)))
    assert open_picture(tmp_path / "a.jpg").form is HEIC
    assert read_picture(tmp_path / "a.jpg").losses == ()
