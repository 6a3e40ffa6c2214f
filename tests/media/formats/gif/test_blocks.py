"""Blocks of a GIF: comments and XMP kept, a walk that ends. Judge: Pillow."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from insertions import GIF, gif_extension, with_blocks
from samples import smooth
from subpixel.errors import PictureError
from subpixel.media.formats.account import MAX_PARTS
from subpixel.media.formats.gif import blocks
from subpixel.media.formats.gif.blocks import (
    build_comment,
    build_xmp,
    list_gif_parts,
    read_sub_blocks,
    read_xmp,
    walk_gif,
)
from subpixel.media.image_file import (
    encode_picture,
    losses_in,
    open_picture,
    open_stream,
    read_picture,
    write_picture,
)
from subpixel.media.picture import Metadata, Picture

PLAIN = Picture(smooth(3))


@given(st.binary(max_size=1000))
def test_a_comment_comes_back(text: bytes) -> None:
    stream = io.BytesIO(with_blocks(build_comment(text)))
    (block,) = [b for b in walk_gif(stream) if b.label == blocks.COMMENT_LABEL]
    assert read_sub_blocks(stream, block) == text
    with Image.open(stream) as image:
        assert image.info.get("comment", b"") == text


@given(st.binary(max_size=1000).map(lambda data: data.replace(b"\0", b"0")))
def test_a_packet_comes_back(packet: bytes) -> None:
    """Also where its own bytes, taken for lengths, lead to the trailer's last but one."""
    stream = io.BytesIO(with_blocks(build_xmp(packet), gif_extension(0xFE, b"behind")))
    (block,) = [b for b in walk_gif(stream) if b.name == blocks.XMP_NAME]
    assert read_xmp(stream, block).rstrip(b" ") == packet.rstrip(b" ")
    with Image.open(stream) as image:
        assert image.info["comment"] == b"behind"
    assert [part.loss for part in list_gif_parts(stream)] == [None] * 3


def test_comments_are_written_and_read(tmp_path: Path) -> None:
    texts = (("Comment", "Größe"), ("Comment", "日本" * 300))
    picture = replace(PLAIN, metadata=Metadata(text=texts))
    assert write_picture(picture, tmp_path / "a.gif", strict=True) == ()
    assert read_picture(tmp_path / "a.gif").metadata.text == texts
    with Image.open(tmp_path / "a.gif") as image:
        image.load()
        assert "Größe".encode() in image.info["comment"]


@pytest.mark.parametrize("number", [1, 17, 48, 50, 255])
def test_aspect(tmp_path: Path, number: int) -> None:
    (tmp_path / "a.gif").write_bytes(with_blocks(aspect=number))
    picture = read_picture(tmp_path / "a.gif")
    assert picture.metadata.aspect == (64, number + 15)
    assert write_picture(picture, tmp_path / "a.png") == ()
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["aspect"] == (64, number + 15)


def test_too_many_comments_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(with_blocks(gif_extension(0xFE, b"x") * (MAX_PARTS + 1)))
    header = open_picture(tmp_path / "a.gif").header
    assert len(header.metadata.text) == MAX_PARTS
    assert any("more than there is room for" in loss.why for loss in header.losses)


def test_too_many_sub_blocks_end_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_SUB_BLOCKS", 50)
    stream = io.BytesIO(with_blocks(gif_extension(0xCE, *[b"x"] * 99), gif_extension(0xFE, b"y")))
    *_, last = walk_gif(stream)
    assert last.end == len(stream.getvalue())


@pytest.mark.parametrize("cut", range(6, len(GIF)))
def test_a_file_that_is_cut_off(cut: int) -> None:
    parts = list(list_gif_parts(io.BytesIO(GIF[:cut])))
    assert sum(part.size for part in parts) <= cut


def test_xmp_with_zeros_is_a_loss() -> None:
    """A zero ends a block: where the packet has one, no padding leads a reader behind it."""
    packet = "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>".encode("utf-16")
    picture = replace(PLAIN, metadata=Metadata(xmp=packet))
    (loss,) = losses_in(picture, ".gif")
    assert (loss.what, "zero" in loss.why) == ("xmp", True)
    stream = io.BytesIO(encode_picture(picture, "a.gif"))
    assert open_stream(stream).header.metadata.xmp is None


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.97])
def test_an_animation_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    """libvips takes what is there: fewer frames, the last one torn."""
    frames = np.concatenate([smooth(3), 255 - smooth(3), smooth(3)[:, ::-1]])
    whole = encode_picture(Picture(frames), "a.gif")
    (tmp_path / "a.gif").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PictureError, match=r"a\.gif"):
        read_picture(tmp_path / "a.gif")


def test_an_animation_that_lacks_its_end_alone_is_whole(tmp_path: Path) -> None:
    frames = np.concatenate([smooth(3), 255 - smooth(3)])
    (tmp_path / "a.gif").write_bytes(encode_picture(Picture(frames), "a.gif").removesuffix(b";"))
    assert read_picture(tmp_path / "a.gif").header.count == 2
