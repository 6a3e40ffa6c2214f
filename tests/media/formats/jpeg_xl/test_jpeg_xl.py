"""JPEG XL against its Pillow plug-in, and boxes laid out by hand."""

import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samples import SRGB, XMP, exif_block, smooth
from subpixel.errors import PictureError, PictureTooLargeError
from subpixel.media.formats.jpeg_xl import container, jpeg_xl
from subpixel.media.formats.jpeg_xl.codestream import parse_header
from subpixel.media.image_file import EncodeOptions, open_picture, read_picture, write_picture
from subpixel.media.metadata.budget import MAX_METADATA
from subpixel.media.picture import Metadata, Picture

brotli = pytest.importorskip("brotli")
pillow_jxl = pytest.importorskip("pillow_jxl")

LOSSLESS = EncodeOptions(lossless=True)
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def encode(samples: NDArray, mode: str | None = None, **options: object) -> bytes:
    """A bare codestream, without loss."""
    height, width, channels = samples.shape
    encoder = pillow_jxl.Encoder(
        mode=mode or MODES[channels],
        **{
            "lossless": True,
            "quality": 100.0,
            "decoding_speed": 0,
            "effort": 1,
            "use_container": False,
            "use_original_profile": True,
            "num_threads": 1,
        }
        | options,
    )
    return encoder(samples.tobytes(), width, height, jpeg_encode=False)


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def wrap(codestream: bytes, *boxes: bytes) -> bytes:
    """A file of boxes: the codestream, then others."""
    kind = box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return b"".join((container.CONTAINER_SIGNATURE, kind, box(b"jxlc", codestream), *boxes))


def noise(*shape: int, dtype: type = np.uint8) -> NDArray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(64, 48), (37, 61), (512, 512), (1600, 900), (2000, 17)])
@pytest.mark.parametrize("lossless", [True, False])
def test_the_header_says_the_form(channels: int, size: tuple[int, int], lossless: bool) -> None:
    width, height = size
    samples = np.zeros((height, width, channels), np.uint8)
    options = {"lossless": lossless, "quality": 90.0, "use_original_profile": lossless}
    header = parse_header(encode(samples, **options))
    assert (header.width, header.height) == size
    assert (header.grey, header.has_alpha) == (channels < 3, channels in (2, 4))
    assert (header.bits, header.orientation, header.is_srgb) == (8, 1, True)
    assert (header.is_animated, header.is_float, header.premultiplied) == (False,) * 3
    assert header.extra_channels == 0


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_samples_are_exact(tmp_path: Path, channels: int) -> None:
    samples = noise(48, 64, channels)
    (tmp_path / "a.jxl").write_bytes(encode(samples))
    assert np.array_equal(read_picture(tmp_path / "a.jxl").frames[0], samples)


def test_grey_of_16_bits_is_exact(tmp_path: Path) -> None:
    samples = noise(48, 64, 1, dtype=np.uint16)
    (tmp_path / "a.jxl").write_bytes(encode(samples, "I;16"))
    picture = read_picture(tmp_path / "a.jxl")
    assert picture.bit_depth == 16
    assert np.array_equal(picture.frames[0], samples)


def test_floating_point_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.jxl").write_bytes(encode(np.zeros((8, 8, 1), np.float32), "F"))
    with pytest.raises(PictureError, match="floating-point; save it with 8 or 16 bits"):
        open_picture(tmp_path / "a.jxl")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("offset", [0, 6])
def test_metadata_of_boxes(tmp_path: Path, compressed: bool, offset: int) -> None:
    """As the standard has it, and compressed, as encoders do by default."""
    prefix = struct.pack(">I", offset) + b"Exif\0\0"[:offset]
    blocks = {b"Exif": prefix + exif_block(), b"xml ": XMP}
    boxes = [
        box(b"brob", name + brotli.compress(data)) if compressed else box(name, data)
        for name, data in blocks.items()
    ]
    (tmp_path / "a.jxl").write_bytes(wrap(encode(noise(48, 64, 3)), *boxes))
    header = open_picture(tmp_path / "a.jxl").header
    assert header.losses == ()
    assert header.metadata.exif == exif_block()
    assert header.metadata.xmp == XMP


def test_a_box_that_unfolds_without_end_is_left_out(tmp_path: Path) -> None:
    bomb = brotli.compress(bytes(MAX_METADATA + 1))
    assert len(bomb) < 1000
    damaged = box(b"brob", b"xml " + b"\xff" * 30)
    boxes = (box(b"brob", b"Exif" + bomb), damaged)
    (tmp_path / "a.jxl").write_bytes(wrap(encode(noise(8, 8, 3)), *boxes))
    header = open_picture(tmp_path / "a.jxl").header
    assert [loss.what for loss in header.losses] == ["exif", "xmp"]
    assert (header.metadata.exif, header.metadata.xmp) == (None, None)


def test_every_other_box_is_named(tmp_path: Path) -> None:
    boxes = (
        box(b"jumb", bytes(11)),
        box(b"jhgm", bytes(12)),
        box(b"inv\n", bytes(13)),
        box(b"brob", b"priv" + brotli.compress(bytes(100))),
        box(b"Exif", bytes(4) + exif_block()),
        box(b"Exif", bytes(4) + exif_block()),
    )
    (tmp_path / "a.jxl").write_bytes(wrap(encode(noise(8, 8, 3)), *boxes))
    losses = [str(loss) for loss in open_picture(tmp_path / "a.jxl").header.losses]
    assert losses[0] == (
        "unknown data: a box 'jumb' of 11 bytes (C2PA or another JUMBF box) is left out"
    )
    assert losses[1] == "gain map: a gain map (jhgm) is left out"
    assert losses[2] == "unknown data: a box 'inv\\x0a' of 13 bytes is left out"
    assert "'priv'" in losses[3]
    assert "'Exif'" in losses[4]
    assert len(losses) == 5


@pytest.mark.parametrize("size", [2, 7, 1 << 20])
def test_damaged_boxes_that_hold_no_picture_pass_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], size: int
) -> None:
    """The decoder's own words about them went to standard error."""
    samples, damaged = noise(9, 13, 3), struct.pack(">I4s", size, b"odd ") + bytes(40)
    (tmp_path / "a.jxl").write_bytes(wrap(encode(samples), damaged))
    picture = read_picture(tmp_path / "a.jxl")
    assert np.array_equal(picture.frames[0], samples)
    assert picture.losses
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_that_was_packed_comes_out_as_it_was(tmp_path: Path, orientation: int) -> None:
    stream = io.BytesIO()
    block = b"Exif\0\0" + exif_block(orientation=orientation)
    image = Image.fromarray(smooth(3, size=(64, 48))[0])
    image.save(stream, "JPEG", quality=95, exif=block, icc_profile=SRGB)
    encoder = pillow_jxl.Encoder(mode="RGB", lossless=True, quality=100.0, effort=1,
                                 use_container=True, num_threads=1)  # fmt: skip
    (tmp_path / "a.jxl").write_bytes(encoder(stream.getvalue(), 64, 48, jpeg_encode=True))
    (tmp_path / "a.jpg").write_bytes(stream.getvalue())
    packed, jpeg = read_picture(tmp_path / "a.jxl"), read_picture(tmp_path / "a.jpg")
    assert np.array_equal(packed.frames, jpeg.frames)
    assert packed.metadata.orientation == orientation
    assert packed.losses == ()


def test_what_is_stored_turned_goes_out_upright(tmp_path: Path) -> None:
    xmp = XMP.replace(b"<rdf:RDF ", b'<rdf:RDF xmlns:tiff="x"  tiff:Orientation="6" ')
    meta = Metadata(exif=exif_block(orientation=6), orientation=6, xmp=xmp)
    picture = Picture(smooth(4), meta)
    write_picture(picture, tmp_path / "a.jxl", LOSSLESS)
    with Image.open(tmp_path / "a.jxl") as image:
        assert np.array_equal(np.asarray(image), np.rot90(picture.frames[0], -1))
        assert image.getexif()[0x0112] == 1
    back = read_picture(tmp_path / "a.jxl").metadata
    assert (back.orientation, back.xmp) == (1, xmp.replace(b'"6"', b'"1"'))


def test_premultiplied_alpha_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder writes none, so the header says it here."""
    samples = np.zeros((8, 64, 4), np.uint8)
    samples[..., 0] = samples[..., 3] = np.arange(64)
    (tmp_path / "a.jxl").write_bytes(encode(samples))
    real = jpeg_xl.parse_header
    monkeypatch.setattr(
        jpeg_xl,
        "parse_header",
        lambda head: replace(real(head), premultiplied=True),
    )
    frame = read_picture(tmp_path / "a.jxl").frames[0]
    assert (frame[:, 1:, 0] == 255).all()
    assert (frame[:, 0] == 0).all()


def test_the_size_is_checked_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jxl").write_bytes(encode(noise(48, 64, 3)))

    def decode(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(pillow_jxl, "Decoder", decode)
    assert open_picture(tmp_path / "a.jxl").header.shape == (1, 48, 64, 3)
    with pytest.raises(PictureTooLargeError, match="64 x 48"):
        open_picture(tmp_path / "a.jxl", max_pixels=64 * 48 - 1)


@pytest.mark.parametrize("cut", [2, 3, 5, 0.5, 0.9])
@pytest.mark.parametrize("wrapped", [False, True])
def test_cut_files_are_refused_in_one_line(tmp_path: Path, cut: float, wrapped: bool) -> None:
    data = encode(noise(48, 64, 3))
    data = data[: int(cut if cut > 1 else len(data) * cut)]
    (tmp_path / "a.jxl").write_bytes(wrap(data) if wrapped else data)
    with pytest.raises(PictureError, match=r"can't be read as JPEG XL: \S") as error:
        read_picture(tmp_path / "a.jxl")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("quality", [50, 90])
def test_quality_and_effort_are_passed_on(tmp_path: Path, quality: int) -> None:
    picture = Picture(noise(1, 64, 64, 3))
    sizes = []
    for number in (quality, quality + 5):
        write_picture(picture, tmp_path / "a.jxl", EncodeOptions(quality=number), overwrite=True)
        sizes.append((tmp_path / "a.jxl").stat().st_size)
    assert sizes[0] < sizes[1]
    write_picture(picture, tmp_path / "b.jxl", EncodeOptions(lossless=True, effort=0))
    assert np.array_equal(read_picture(tmp_path / "b.jxl").frames, picture.frames)


def test_deep_colours_are_named() -> None:
    """16 bits of colour, as libjxl writes its header: read off a file of another program."""
    deep = parse_header(bytes.fromhex(DEEP_RGB))
    assert (deep.bits, deep.grey) == (10, False)
    assert [loss.what for loss in jpeg_xl._find_losses(deep)] == ["bit depth"]


DEEP_RGB = "ff0acb5040d1220804010015b42b59899191c2fd38a33138d11863d45539"
