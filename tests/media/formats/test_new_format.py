"""A format that this file adds: one object, and its name in the list.

It is libvips' own: 64 bytes of header, then the samples as they are.
"""

import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips

from samples import SRGB, XMP, exif_block, smooth
from subpixel.errors import LossError, PictureError
from subpixel.media.formats import registry
from subpixel.media.formats.format import Capacity, Format, FormatReader, FormatWriter
from subpixel.media.image_file import losses_in, open_picture, read_picture, write_picture
from subpixel.media.libvips import build_header
from subpixel.media.picture import Metadata, Picture
from subpixel.media.reading import METADATA_COPIES, PictureFile

HEADER_BYTES = 64


@pytest.fixture(autouse=True)
def _trusted() -> None:
    """A test of ``--untrusted`` may have blocked this format in the same process."""
    pyvips.block_untrusted_set(False)


def header_of(image: pyvips.Image) -> bytes:
    """As libvips writes it on a machine of little-endian numbers."""
    numbers = (
        *(image.width, image.height, image.bands, 0),
        {"uchar": 0, "ushort": 2}[image.format],
        0,
        {"b-w": 1, "srgb": 22, "rgb16": 25, "grey16": 26}[image.interpretation],
    )
    return (b"\xb6\xa6\xf2\x08" + struct.pack("<7i", *numbers)).ljust(HEADER_BYTES, b"\0")


RAW = Format(
    name="VIPS",
    suffixes=(".v", ".vips"),
    recognize=lambda head: head[:4] in (b"\xb6\xa6\xf2\x08", b"\x08\xf2\xa6\xb6"),
    capacity=Capacity(
        depth=16,
        alpha="none",
        grey=True,
        animation="none",
        icc=False,
        exif=False,
        xmp=False,
        resolution=False,
        max_side=100,
    ),
    reader=FormatReader(
        load=lambda contents, fail_on: (
            pyvips.Image.vipsload(str(contents.file), fail_on=fail_on, access="sequential"),
            (),
        )
    ),
    writer=FormatWriter(
        save=lambda image, task, target: image.rawsave_target(
            target.for_libvips(lambda head: header_of(image) + head)
        )
    ),
)


@pytest.fixture(autouse=True)
def register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FORMATS", (*registry.FORMATS, RAW))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_it_is_written_and_read(tmp_path: Path, channels: int, dtype: type) -> None:
    picture = Picture(smooth(channels, dtype), bit_depth=np.dtype(dtype).itemsize * 8)
    assert write_picture(picture, tmp_path / "a.v") == ()
    assert np.array_equal(read_picture(tmp_path / "a.v").frames, picture.frames)
    samples = (tmp_path / "a.v").read_bytes()[HEADER_BYTES:][: picture.frames.nbytes]
    assert samples == picture.frames.tobytes()


def test_another_programs_file_is_known_by_its_content(tmp_path: Path) -> None:
    pyvips.Image.new_from_array(smooth(3)[0]).vipssave(str(tmp_path / "a.v"))
    (tmp_path / "a.v").rename(tmp_path / "a.jpg")
    opened = open_picture(tmp_path / "a.jpg")
    assert opened.form is RAW
    assert np.array_equal(next(opened.chunks()), smooth(3)[0])


def test_its_losses_follow_from_its_capacity(tmp_path: Path) -> None:
    meta = Metadata(icc=SRGB, exif=exif_block(), xmp=XMP, resolution=(3, 3), text=(("Title", "a"),))
    picture = Picture(np.concatenate([smooth(4)] * 2), meta)
    expected = ["alpha", "frames", "icc", "exif", "xmp", "text", "resolution"]
    assert [loss.what for loss in losses_in(picture, ".vips")] == expected
    with pytest.raises(LossError, match="VIPS holds no transparency"):
        write_picture(picture, tmp_path / "a.v", strict=True)


def test_its_limits_and_name_are_in_the_messages(tmp_path: Path) -> None:
    wide = Picture(np.zeros((1, 2, 101, 3), np.uint8))
    with pytest.raises(PictureError, match="too large for VIPS, which holds up to 100"):
        write_picture(wide, tmp_path / "a.v")
    (tmp_path / "a").write_bytes(b"\xb6\xa6\xf2\x08 and no more")
    with pytest.raises(PictureError, match="can't be read as VIPS"):
        read_picture(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"nothing")
    with pytest.raises(PictureError, match=r"it holds no JPEG, .*, PAM or VIPS picture"):
        read_picture(tmp_path / "a")
    with pytest.raises(PictureError, match=r"use one of \.jpg, .*\.v, \.vips"):
        write_picture(wide, tmp_path / "a.xyz")


def decode_with(rows: Callable[[], Iterator[np.ndarray]]) -> Format:
    """A format whose samples libvips doesn't decode: any file is two frames of 40 rows."""
    return replace(
        RAW,
        reader=FormatReader(
            load=lambda _contents, _fail_on: (build_header((2, 40, 5, 3), 8, SRGB), ()),
            decode=lambda _contents: rows(),
            animation_bytes=7,
        ),
    )


FRAMES = np.concatenate([smooth(3, size=(5, 40)), 255 - smooth(3, size=(5, 40))])


def open_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Format) -> PictureFile:
    monkeypatch.setattr(registry, "FORMATS", (form,))
    (tmp_path / "a").write_bytes(b"\xb6\xa6\xf2\x08")
    return open_picture(tmp_path / "a")


def test_rows_that_libvips_does_not_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_with(tmp_path, monkeypatch, decode_with(lambda: iter(FRAMES)))
    assert source.header.shape == (2, 40, 5, 3)
    assert source.header.metadata.icc == SRGB
    assert source.memory == 40 * 5 * 7 + METADATA_COPIES * sys.getsizeof(SRGB)
    assert [len(rows) for rows in source.chunks()] == [32, 8, 32, 8]
    assert np.array_equal(read_picture(tmp_path / "a").frames, FRAMES)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (FRAMES[:, :, :4], r"\(5, 3\) uint8, and they are of \(4, 3\) uint8"),
        (FRAMES[..., :1], r"of \(5, 1\) uint8"),
        (FRAMES.astype(np.uint16), r"of \(5, 3\) uint16"),
        (FRAMES[:1], "40 of the 2 × 40 rows that it announces are missing"),
        (FRAMES[:, :39], "2 of the 2 × 40 rows that it announces are missing"),
        (np.concatenate([FRAMES] * 2), "more than the 2 × 40 rows that it announces"),
    ],
)
def test_rows_of_another_form_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: np.ndarray, words: str
) -> None:
    source = open_with(tmp_path, monkeypatch, decode_with(lambda: iter(frames)))
    with pytest.raises(PictureError, match=words):
        list(source.chunks())
