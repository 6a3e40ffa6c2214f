"""PNG of long rows, which are written without libvips: Pillow and libvips read what was meant."""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import PictureError
from subpixel.media.formats.png.by_rows import DATA_BYTES, write_png_rows
from subpixel.media.formats.png.chunks import walk_every_chunk
from subpixel.media.libvips import FileTarget
from subpixel.media.picture import Header, Metadata, Picture, read_source
from subpixel.media.reading import open_stream
from subpixel.media.writing import LONG_ROW, EncodeOptions, Encoder, encode_picture

WIDTH = LONG_ROW  # of grey in 8 bits, a row just long enough
PROFILE_FREE = Metadata(text=(("Title", "long"),), resolution=(3.0, 4.0), orientation=6)


def noise(channels: int, dtype: type[np.generic]) -> np.ndarray:
    random = np.random.default_rng(channels)
    return random.integers(0, np.iinfo(dtype).max, (1, 5, WIDTH, channels), dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_and_metadata_come_back(channels: int, dtype: type[np.generic]) -> None:
    depth = 8 * np.dtype(dtype).itemsize
    picture = Picture(noise(channels, dtype), PROFILE_FREE, bit_depth=depth)
    back = read_source(open_stream(io.BytesIO(encode_picture(picture, "a.png"))))
    assert np.array_equal(back.frames, picture.frames)
    assert back.bit_depth == depth
    assert back.metadata.text == PROFILE_FREE.text
    assert back.metadata.resolution == PROFILE_FREE.resolution
    assert back.metadata.orientation == PROFILE_FREE.orientation


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pillow_reads_the_same(channels: int) -> None:
    picture = Picture(noise(channels, np.uint8))
    with Image.open(io.BytesIO(encode_picture(picture, "a.png"))) as image:
        assert np.array_equal(
            np.asarray(image).reshape(picture.frames.shape[1:]), picture.frames[0]
        )


def test_libvips_writes_shorter_rows_and_the_file_holds_the_same() -> None:
    """On either side of the bound: one encoder or the other, the same pixels."""
    long = noise(1, np.uint8)
    for frames in (long, long[:, :, 1:]):
        data = encode_picture(Picture(frames), "a.png")
        assert np.array_equal(read_source(open_stream(io.BytesIO(data))).frames, frames)


def test_level_and_checksums_are_as_said() -> None:
    """Chunks' checksums by zlib alone; pixels that repeat become small, at level 0 they don't."""
    picture = Picture(np.full((1, 9, WIDTH, 1), 7, np.uint8))
    sizes = {}
    for level in (0, 9):
        data = encode_picture(picture, "a.png", EncodeOptions(png_compression=level))
        sizes[level] = len(data)
        stream = io.BytesIO(data)
        for chunk in walk_every_chunk(stream):
            body = chunk.read(stream)
            assert data[chunk.at + len(body) : chunk.at + len(body) + 4] == zlib.crc32(
                chunk.name + body
            ).to_bytes(4)
    assert sizes[0] > 9 * WIDTH > 100 * sizes[9]


def test_few_rows_are_held() -> None:
    header = Header((1, 5000, 900_000, 3), np.dtype(np.uint8))
    row = 900_000 * 3
    assert Encoder(header, Path("a.png"), EncodeOptions(), opaque=None).memory < 10 * row


def test_missing_rows_are_told() -> None:
    def blocks() -> Iterator[np.ndarray]:
        yield np.zeros((2, 9, 1), np.uint8)

    out = io.BytesIO()
    header = Header((1, 5, 9, 1), np.dtype(np.uint8))
    with pytest.raises(ValueError, match="3 rows of the picture did not come"):
        write_png_rows(blocks(), header, b"", 2, FileTarget(out, Path("a.png")))


def test_a_full_disk_is_said() -> None:
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    encoder = Encoder(
        Picture(noise(1, np.uint8)).header, Path("a.png"), EncodeOptions(), opaque=None
    )
    with encoder.into(Full()), pytest.raises((OSError, PictureError), match="No space"):  # noqa: PT012
        encoder.write(noise(1, np.uint8)[0])  # which fails itself where the encoder was quick
        encoder.finish()


def test_data_chunks_are_not_small() -> None:
    data = encode_picture(Picture(noise(4, np.uint8)), "a.png")
    stream = io.BytesIO(data)
    sizes = [chunk.size for chunk in walk_every_chunk(stream) if chunk.name == b"IDAT"]
    assert len(sizes) > 1
    assert min(sizes[:-1]) >= DATA_BYTES
