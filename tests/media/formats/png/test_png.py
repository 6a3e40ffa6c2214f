"""Chunks of a PNG: texts within a budget, pixels' shape, many chunks."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from insertions import PNG, TOKEN, chunk, with_chunks
from subpixel.media.formats.account import MAX_LOSSES, MAX_PARTS
from subpixel.media.formats.png.chunks import list_png_parts, walk_chunks
from subpixel.media.formats.png.text import MAX_TEXT
from subpixel.media.image_file import open_picture, read_picture, write_picture
from subpixel.media.metadata.budget import MAX_METADATA
from subpixel.media.picture import Header, Metadata


def open_bytes(folder: Path, data: bytes) -> Header:
    (folder / "a.png").write_bytes(data)
    return open_picture(folder / "a.png").header


class TestTexts:
    def test_many_bombs_do_not_add_up(self, tmp_path: Path) -> None:
        bomb = zlib.compress(bytes(MAX_TEXT))
        bombs = [chunk(b"zTXt", b"key%d\0\0" % i + bomb) for i in range(40)]
        header = open_bytes(tmp_path, with_chunks(*bombs))
        texts = header.metadata.text
        assert 0 < sum(len(text) for _, text in texts) <= MAX_METADATA
        assert [loss.what for loss in header.losses] == ["text"]
        assert f"{40 - len(texts) - 1} more like it" in header.losses[0].why

    @pytest.mark.parametrize("kind", [b"tEXt", b"iTXt"])
    def test_plain_texts_have_the_same_budget(self, tmp_path: Path, kind: bytes) -> None:
        body = b"x" * (MAX_METADATA // 3)
        head = b"key\0" if kind == b"tEXt" else b"key\0\0\0\0\0"
        header = open_bytes(tmp_path, with_chunks(*[chunk(kind, head + body)] * 4))
        assert len(header.metadata.text) == 2
        assert [loss.what for loss in header.losses] == ["text"]

    def test_a_text_that_fills_its_limit_is_kept(self, tmp_path: Path) -> None:
        text = b"x" * MAX_TEXT
        header = open_bytes(tmp_path, with_chunks(chunk(b"zTXt", b"key\0\0" + zlib.compress(text))))
        assert header.metadata.text == (("key", text.decode()),)
        more = chunk(b"zTXt", b"key\0\0" + zlib.compress(text + b"x"))
        header = open_bytes(tmp_path, with_chunks(more))
        assert header.metadata.text == ()
        assert f"over {MAX_TEXT:,} bytes" in header.losses[0].why

    def test_many_damaged_texts_are_one_loss(self, tmp_path: Path) -> None:
        junk = [chunk(b"zTXt", b"key\0\0" + b"junk%d" % i) for i in range(300)]
        header = open_bytes(tmp_path, with_chunks(*junk))
        assert len(header.losses) <= MAX_LOSSES + 1
        assert all(loss.what == "text" for loss in header.losses)


class TestWalk:
    def test_pixels_in_many_chunks_are_one_part(self) -> None:
        pixels = zlib.compress(bytes(49 * 32))
        pieces = [chunk(b"IDAT", pixels[at : at + 1]) for at in range(len(pixels))]
        data = PNG[:33] + b"".join(pieces) + chunk(b"IEND", b"")
        chunks = list(walk_chunks(io.BytesIO(data)))
        assert [(c.name, c.size) for c in chunks[1:]] == [(b"IDAT", len(pixels)), (b"IEND", 0)]

    def test_too_many_chunks_are_named_as_one(self, tmp_path: Path) -> None:
        chunks = [chunk(b"teSt", b""), chunk(b"tEXt", b"a\0b")] * MAX_PARTS
        header = open_bytes(tmp_path, with_chunks(*chunks))
        assert len(header.metadata.text) <= MAX_PARTS
        texts = list(map(str, header.losses))
        assert len(texts) == 2
        assert "what follows" in texts[1]

    @pytest.mark.parametrize("cut", range(8, len(PNG), 3))
    def test_a_file_that_is_cut_off(self, cut: int) -> None:
        parts = list(list_png_parts(io.BytesIO(PNG[:cut])))
        assert sum(part.size for part in parts) <= cut


class TestDensity:
    @pytest.mark.parametrize("numbers", [(2, 1), (3, 4), ((1 << 31) - 1, 1)])
    def test_aspect(self, tmp_path: Path, numbers: tuple[int, int]) -> None:
        data = with_chunks(chunk(b"pHYs", struct.pack(">IIB", *numbers, 0)))
        assert open_bytes(tmp_path, data).metadata == Metadata(aspect=numbers)
        picture = read_picture(tmp_path / "a.png")
        assert write_picture(picture, tmp_path / "b.png", strict=True) == ()
        with Image.open(tmp_path / "b.png") as image:
            assert image.info["aspect"] == numbers

    @pytest.mark.parametrize("data", [b"", bytes(9), struct.pack(">IIB", 5, 5, 0), bytes(8)])
    def test_what_says_nothing(self, tmp_path: Path, data: bytes) -> None:
        assert open_bytes(tmp_path, with_chunks(chunk(b"pHYs", data))).metadata == Metadata()


@pytest.mark.parametrize(
    ("depth", "colour", "bits", "says_something"),
    [
        (8, 2, b"\x08\x08\x08", False),
        (8, 2, b"\5\6\5", True),
        (8, 2, b"\x08\x08\7", True),
        (8, 0, b"\x08", False),
        (8, 0, b"\1", True),
    ],
)
def test_significant_bits(
    tmp_path: Path, depth: int, colour: int, bits: bytes, says_something: bool
) -> None:
    mode = {0: "L", 2: "RGB"}[colour]
    stream = io.BytesIO()
    Image.new(mode, (4, 4)).save(stream, "PNG")
    data = stream.getvalue()
    assert (data[24], data[25]) == (depth, colour)
    header = open_bytes(tmp_path, data[:33] + chunk(b"sBIT", bits) + data[33:])
    assert [loss.what for loss in header.losses] == ["significant bits"] * says_something


def test_what_is_understood_is_explained(tmp_path: Path) -> None:
    header = open_bytes(tmp_path, with_chunks(chunk(b"caBX", TOKEN), chunk(b"vpAg", bytes(9))))
    signed, page = map(str, header.losses)
    assert signed.startswith("content credentials: a chunk caBX of 12 bytes (C2PA")
    assert page == "unknown data: a chunk vpAg of 9 bytes (ImageMagick's page) is left out"
