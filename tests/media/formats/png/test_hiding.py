"""Chunks that libpng isn't shown: those alone, and with checksums as right as they were."""

import io
import zlib

import pytest
from PIL import Image

from subpixel.media.formats.png.chunks import build_chunk, walk_chunks
from subpixel.media.formats.png.hiding import hide_chunks
from subpixel.media.libvips import patch_bytes

INTERNATIONAL = b"Title\0\1\0\0\0" + zlib.compress(bytes(1 << 20))
PLAIN = b"Title\0" + b"x" * 100_000


def png_with(*chunks: bytes) -> bytes:
    """A picture with these chunks behind its header."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), (9, 99, 199)).save(stream, "PNG")
    data = stream.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


def hidden_from(data: bytes) -> bytes:
    return patch_bytes(data, hide_chunks(io.BytesIO(data)))


def names_in(data: bytes) -> list[bytes]:
    return [chunk.name for chunk in walk_chunks(io.BytesIO(data))]


@pytest.mark.parametrize("chunks", [(), (b"",), (build_chunk(b"tEXt", PLAIN),)])
def test_a_plain_file_stays(chunks: tuple[bytes, ...]) -> None:
    data = png_with(*chunks, build_chunk(b"zTXt", b"Title\0\0" + zlib.compress(b"short")))
    assert hidden_from(data) == data


def test_much_compressed_text_is_passed_over() -> None:
    data = png_with(*[build_chunk(b"iTXt", INTERNATIONAL)] * 40, build_chunk(b"tEXt", PLAIN))
    shown = hidden_from(data)
    assert names_in(shown) == [b"IHDR", *[b"teXt"] * 40, b"tEXt", b"IDAT", b"IEND"]
    with Image.open(io.BytesIO(shown)) as image:
        image.load()
        assert image.getpixel((0, 0)) == (9, 99, 199)
        assert image.info == {"Title": "x" * 100_000}
    with Image.open(io.BytesIO(shown)) as image:
        image.verify()  # every checksum


def test_a_wrong_checksum_stays_wrong() -> None:
    damaged = build_chunk(b"iTXt", INTERNATIONAL)[:-4] + b"\1\2\3\4"
    data = png_with(*[build_chunk(b"iTXt", INTERNATIONAL)] * 40, damaged)
    shown = hidden_from(data)
    last = [chunk for chunk in walk_chunks(io.BytesIO(shown)) if chunk.name == b"teXt"][-1]
    body = shown[last.at - 4 : last.at + last.size]
    assert shown[last.at + last.size :][:4] != zlib.crc32(body).to_bytes(4)


def test_a_file_that_is_cut_off_stays_so() -> None:
    data = png_with(*[build_chunk(b"iTXt", INTERNATIONAL)] * 40)
    for stop in range(33, len(data), 997):
        assert len(hidden_from(data[:stop])) == stop
