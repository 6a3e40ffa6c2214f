"""BMP against Pillow, and headers laid out by hand."""

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samples import SRGB, smooth
from subpixel.errors import PictureError, PictureTooLargeError
from subpixel.media.image_file import open_picture, read_picture, write_picture
from subpixel.media.picture import Metadata, Picture

NOISE = np.random.default_rng(0).integers(0, 256, (21, 37, 4), np.uint8)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (32, 7), (33, 130)])
def test_pillows_files(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    image = Image.fromarray(samples).convert(mode)
    image.save(tmp_path / "a.bmp", dpi=(300, 150))
    picture = read_picture(tmp_path / "a.bmp")
    with Image.open(tmp_path / "a.bmp") as image:
        colours = ("L", "RGB", "RGBA")[(1, 3, 4).index(picture.frames.shape[-1])]
        seen = np.asarray(image.convert(colours)).reshape(picture.frames.shape[1:])
    assert np.array_equal(picture.frames[0], seen)
    assert not picture.has_alpha
    assert picture.is_grey == (mode in "1L")
    # Pillow writes alpha and no word of it in the header, and reads none itself
    lost = ["alpha"] if mode == "RGBA" and samples[..., 3].min() < 255 else []
    assert [loss.what for loss in picture.losses] == lost
    assert picture.metadata.resolution == pytest.approx((300 / 25.4, 150 / 25.4), rel=1e-3)


def info(
    size: int, width: int, height: int, bits: int, compression: int = 0, used: int = 0
) -> bytes:
    head = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, compression, 0, 0, 0, used, 0)
    return head.ljust(size, b"\0")


def bmp(header: bytes, samples: bytes, between: bytes = b"") -> bytes:
    start = 14 + len(header) + len(between)
    return struct.pack("<2sI4xI", b"BM", start + len(samples), start) + header + between + samples


def by_pillow(file: Path) -> NDArray:
    with Image.open(file) as image:
        return np.asarray(image)


@pytest.mark.parametrize("masks", [(0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)])
def test_16_bits(tmp_path: Path, masks: tuple[int, int, int]) -> None:
    words = np.arange(48, dtype="<u2") * 1365
    data = bmp(info(40, 8, 6, 16, 3), words.tobytes(), struct.pack("<III", *masks))
    (tmp_path / "a.bmp").write_bytes(data)
    frame = read_picture(tmp_path / "a.bmp").frames[0]
    assert np.abs(frame.astype(int) - by_pillow(tmp_path / "a.bmp")).max() <= 1
    for channel, mask in enumerate(masks):
        part = (words.astype(int) & mask) / mask * 255
        exact = part.reshape(6, 8)[::-1]
        assert np.abs(frame[..., channel] - exact).max() <= 0.5


def test_16_bits_without_masks(tmp_path: Path) -> None:
    words = np.arange(48, dtype="<u2") * 1365 % 32768
    (tmp_path / "a.bmp").write_bytes(bmp(info(40, 8, 6, 16), words.tobytes()))
    frame = read_picture(tmp_path / "a.bmp").frames[0]
    assert np.abs(frame.astype(int) - by_pillow(tmp_path / "a.bmp")).max() <= 1


def test_from_top_to_bottom(tmp_path: Path) -> None:
    data = bmp(info(40, 37, -21, 32), NOISE.tobytes())
    (tmp_path / "a.bmp").write_bytes(data)
    frame = read_picture(tmp_path / "a.bmp").frames[0]
    assert np.array_equal(frame, NOISE[..., 2::-1])
    assert np.array_equal(frame, by_pillow(tmp_path / "a.bmp"))


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_palettes_of_few_colours_and_old_headers(tmp_path: Path, bits: int) -> None:
    head = struct.pack("<IHHHH", 12, 9, 5, 1, bits)
    palette = np.random.default_rng(1).integers(0, 256, (1 << bits, 3), np.uint8)
    row = (9 * bits + 31) // 32 * 4
    samples = np.random.default_rng(2).integers(0, 256, row * 5, np.uint8)
    (tmp_path / "a.bmp").write_bytes(bmp(head, samples.tobytes(), palette.tobytes()))
    picture = read_picture(tmp_path / "a.bmp")
    with Image.open(tmp_path / "a.bmp") as image:
        assert np.array_equal(picture.frames[0], np.asarray(image.convert("RGB")))


def test_a_colour_outside_the_palette_is_refused(tmp_path: Path) -> None:
    data = bmp(info(40, 4, 1, 8, used=2), b"\0\1\2\0", bytes(range(8)))
    (tmp_path / "a.bmp").write_bytes(data)
    with pytest.raises(PictureError, match="a pixel is of colour 2 of 2"):
        read_picture(tmp_path / "a.bmp")


def v5(kind: bytes, profile: bytes = b"", gamma: int = 0) -> bytes:
    head = bytearray(info(124, 4, 1, 24))
    head[56:60] = kind
    head[96:108] = struct.pack("<III", gamma, gamma, gamma)
    struct.pack_into("<II", head, 112, 124 + 12, len(profile))
    return bmp(bytes(head), bytes(12) + profile)


def test_an_embedded_profile_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(v5(b"DEBM", SRGB))
    picture = read_picture(tmp_path / "a.bmp")
    assert picture.metadata.icc == SRGB
    assert picture.losses == ()
    write_picture(picture, tmp_path / "a.png", strict=True)
    assert [loss.what for loss in write_picture(picture, tmp_path / "b.bmp")] == ["icc"]


@pytest.mark.parametrize(
    ("file", "what"),
    [
        (v5(b"DEBM", SRGB)[:-9], "icc"),
        (v5(b"KNIL", b"c:/a.icc"), "icc"),
        (v5(bytes(4), gamma=1 << 16), "colour"),
        (v5(bytes(4)) + bytes(99), "unknown data"),
    ],
)
def test_what_is_left_out_is_named(tmp_path: Path, file: bytes, what: str) -> None:
    (tmp_path / "a.bmp").write_bytes(file)
    assert what in [loss.what for loss in open_picture(tmp_path / "a.bmp").header.losses]


@pytest.mark.parametrize("kind", [b"BGRs", b" niW", bytes(4)])
def test_usual_colour_spaces_are_no_loss(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "a.bmp").write_bytes(v5(kind))
    header = open_picture(tmp_path / "a.bmp").header
    assert (header.losses, header.metadata.icc) == ((), None)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (bmp(info(40, 4, 4, 8, 1), bytes(99)), r"compressed \(run-length\); save it plain"),
        (bmp(info(40, 4, 4, 0, 4), bytes(99)), r"compressed \(JPEG\)"),
        (bmp(info(40, 4, 4, 24, 3), bytes(99)), "24 bits a pixel in compression 3"),
        (bmp(info(40, 4, 4, 7), bytes(99)), "7 bits a pixel"),
        (bmp(info(40, 0, 4, 24), bytes(99)), "0 x 4 pixels"),
        (bmp(info(40, -4, 4, 24), bytes(99)), "-4 x 4 pixels"),
        (bmp(info(40, 4, 4, 32, 3), bytes(99)), "a colour has no bits"),
        (bmp(info(16, 4, 4, 24)[:16], bytes(99)), "of 16 bytes is of no known kind"),
        (bmp(info(40, 4, 4, 24), bytes(47)), "ends 1 bytes too early"),
        (bmp(info(40, 4, 4, 24), b"")[:30], "ends 24 bytes too early"),
    ],
)
def test_what_is_not_read_is_refused_by_name(tmp_path: Path, file: bytes, words: str) -> None:
    (tmp_path / "a.bmp").write_bytes(file)
    with pytest.raises(PictureError, match=words):
        read_picture(tmp_path / "a.bmp")


def test_a_header_that_lies_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(bmp(info(40, 2**30, 2**24, 24), bytes(99)))
    with pytest.raises(PictureError):
        open_picture(tmp_path / "a.bmp")
    (tmp_path / "a.bmp").write_bytes(bmp(info(40, 60_000, 60_000, 24), bytes(99)))
    with pytest.raises(PictureTooLargeError, match="60000 x 60000"):
        open_picture(tmp_path / "a.bmp")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_pillow_reads_ours(tmp_path: Path, channels: int, width: int) -> None:
    picture = Picture(NOISE[None, :, :width, :channels], Metadata(resolution=(3.0, 4.0)))
    assert write_picture(picture, tmp_path / "a.bmp", strict=True) == ()
    mode = ("L", "LA", "RGB", "RGBA")[channels - 1]
    with Image.open(tmp_path / "a.bmp") as image:
        seen = np.asarray(image.convert(mode)).reshape(21, width, channels)
        assert image.info["dpi"] == pytest.approx((3.0 * 25.4, 4.0 * 25.4))
    assert np.array_equal(seen, picture.frames[0])
    size = (tmp_path / "a.bmp").stat().st_size
    assert int.from_bytes((tmp_path / "a.bmp").read_bytes()[2:6], "little") == size


def test_many_rows_stand_in_their_order(tmp_path: Path) -> None:
    picture = Picture(smooth(3, size=(5, 200)))
    write_picture(picture, tmp_path / "a.bmp")
    assert np.array_equal(by_pillow(tmp_path / "a.bmp"), picture.frames[0])
    assert np.array_equal(read_picture(tmp_path / "a.bmp").frames, picture.frames)
