"""Pictures written by rows: as when written whole, and whole or not at all."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from samples import PHOTOSHOP, SRGB, XMP, exif_block, smooth
from subpixel.errors import LossError, PictureError
from subpixel.media.image_file import (
    EncodeOptions,
    PictureWriter,
    encode_picture,
    read_picture,
    write_picture,
)
from subpixel.media.picture import Metadata, Picture, Rows
from subpixel.media.writing import Encoder

FULL = Metadata(SRGB, exif_block(), XMP, PHOTOSHOP, 6, (11.8, 7.9), (("Comment", "Größe"),))
SUFFIXES = [".jpg", ".png", ".webp", ".tif", ".avif", ".gif"]
NOISE = np.random.default_rng(0).integers(0, 256, (1, 300, 200, 3), dtype=np.uint8)


def pieces(picture: Picture, heights: list[int]) -> Iterator[Rows]:
    for frame in picture.frames:
        top = 0
        for height in [*heights, len(frame)]:
            if top < len(frame):
                yield frame[top : top + height]
                top += height


@pytest.mark.slow
@settings(max_examples=30)
@given(
    st.sampled_from(SUFFIXES),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(1, 4),
    st.integers(1, 2),
    st.lists(st.integers(1, 40), max_size=4),
)
def test_rows_however_cut_make_the_same_file(
    tmp_path_factory: pytest.TempPathFactory,
    suffix: str,
    dtype: type,
    channels: int,
    count: int,
    heights: list[int],
) -> None:
    frames = np.repeat(smooth(channels, dtype, (33, 47)), count, axis=0)
    picture = Picture(frames, FULL, bit_depth=frames.itemsize * 8)
    file = tmp_path_factory.mktemp("pieces") / f"a{suffix}"
    with PictureWriter(picture.header, file) as writer:
        for rows in pieces(picture, heights):
            writer.write(rows)
    assert file.read_bytes() == encode_picture(picture, file)
    assert writer.losses == write_picture(picture, file, overwrite=True)


def test_pillow_and_tifffile_see_the_rows(tmp_path: Path) -> None:
    picture = Picture(NOISE)
    for name in ("a.png", "a.tif"):
        with PictureWriter(picture.header, tmp_path / name) as writer:
            for rows in pieces(picture, [1, 7, 64]):
                writer.write(rows)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), NOISE[0])
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), NOISE[0])


class FullDisk(io.BytesIO):
    """Takes so many bytes and no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, data: bytes) -> int:
        if self.tell() + len(data) > self._room:
            raise OSError(28, "No space left on device")
        return super().write(data)


def encode(picture: Picture, suffix: str, stream: io.BytesIO) -> None:
    encoder = Encoder(picture.header, Path(f"a{suffix}"), EncodeOptions(), opaque=False)
    with encoder.into(stream):
        for rows in pieces(picture, [3] * 100):
            encoder.write(rows)
        encoder.finish()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_at_any_byte(suffix: str) -> None:
    """The encoder's thread ends, and whoever feeds it is let go and told why."""
    picture = Picture(NOISE, FULL)
    whole = len(encode_picture(picture, f"a{suffix}"))
    for room in (0, 1, 10, whole // 3, whole * 2 // 3, whole - 1):
        with pytest.raises(OSError, match="No space left"):
            encode(picture, suffix, FullDisk(room))
    assert not [t for t in threading.enumerate() if t.name.startswith("encoder")]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, MemoryError, OSError, PictureError])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_what_goes_wrong_between_rows_leaves_things_as_they_were(
    tmp_path: Path, suffix: str, problem: type[BaseException]
) -> None:
    file = tmp_path / f"a{suffix}"
    file.write_bytes(b"old")
    mine = problem("mine")

    def interrupted(after: int) -> None:
        with PictureWriter(Picture(NOISE).header, file, overwrite=True) as writer:
            if after:
                writer.write(NOISE[0, :after])
            raise mine

    for after in (0, 1, 150, 300):
        with pytest.raises(problem) as error:
            interrupted(after)
        assert error.value is mine
        assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(file.name, b"old")]


def test_a_picture_that_ends_early_is_no_file(tmp_path: Path) -> None:
    def early() -> None:
        with PictureWriter(Picture(NOISE).header, tmp_path / "a.png") as writer:
            writer.write(NOISE[0, :299])

    with pytest.raises(ValueError, match="1 rows"):
        early()
    assert list(tmp_path.iterdir()) == []


def test_strict_refuses_what_only_the_last_row_shows(tmp_path: Path) -> None:
    rgba = np.full((1, 50, 20, 4), 255, np.uint8)
    rgba[0, -1, -1, 3] = 254
    picture = Picture(rgba)

    def written() -> None:
        with PictureWriter(picture.header, tmp_path / "a.jpg", strict=True) as writer:
            for rows in pieces(picture, [30]):
                writer.write(rows)

    with pytest.raises(LossError, match="alpha"):
        written()
    assert list(tmp_path.iterdir()) == []
    rgba[0, -1, -1, 3] = 255
    written()
    assert read_picture(tmp_path / "a.jpg").header.channels == 3
