"""Frames of a GIF as browsers show them, against a canvas of its own and ImageMagick."""

import shutil
import struct
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from subpixel.errors import PictureError
from subpixel.media.image_file import PictureFile, open_picture, read_picture, write_picture


def find_convert() -> str | None:
    """ImageMagick's; Windows and GraphicsMagick have others of the name."""
    command = shutil.which("convert")
    if command is None:
        return None
    said = subprocess.run([command, "-version"], capture_output=True, text=True, check=False).stdout
    return command if "ImageMagick" in said else None


CONVERT = find_convert()


@dataclass(frozen=True)
class Drawing:
    """One frame of a GIF that is made here."""

    left: int
    top: int
    indices: NDArray
    disposal: int
    transparent: int | None
    palette: NDArray | None
    """Its own; None: the file's."""
    interlaced: bool


def lzw(indices: NDArray, bits: int) -> bytes:
    """Pixels as codes of one width, with a clear code before their table could grow."""
    clear, width = 1 << bits, bits + 1
    stream, at = 0, 0
    codes = []
    for i, index in enumerate(indices.ravel().tolist()):
        if i % (clear - 2) == 0:
            codes.append(clear)
        codes.append(index)
    for code in [*codes, clear + 1]:
        stream |= code << at
        at += width
    data = stream.to_bytes((at + 7) // 8, "little")
    blocks = [data[i : i + 255] for i in range(0, len(data), 255)]
    return bytes((bits,)) + b"".join(bytes((len(b),)) + b for b in blocks) + b"\0"


def encode(
    size: tuple[int, int], palette: NDArray, background: int, frames: list[Drawing]
) -> bytes:
    bits = len(palette).bit_length() - 1
    parts = [b"GIF89a" + struct.pack("<HHBBB", *size, 0x80 | bits - 1, background, 0)]
    parts += [palette.tobytes(), b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"]
    for frame in frames:
        flags = frame.disposal << 2 | (frame.transparent is not None)
        parts.append(struct.pack("<4BHBB", 0x21, 0xF9, 4, flags, 7, frame.transparent or 0, 0))
        height, width = frame.indices.shape
        local = frame.palette is not None
        kind = (0x80 | bits - 1 if local else 0) | (0x40 if frame.interlaced else 0)
        parts.append(struct.pack("<B4HB", 0x2C, frame.left, frame.top, width, height, kind))
        parts.append(frame.palette.tobytes() if local else b"")
        rows = [
            *range(0, height, 8),
            *range(4, height, 8),
            *range(2, height, 4),
            *range(1, height, 2),
        ]
        parts.append(lzw(frame.indices[rows] if frame.interlaced else frame.indices, bits))
    return b"".join([*parts, b"\x3b"])


def shown(size: tuple[int, int], palette: NDArray, frames: list[Drawing]) -> NDArray:
    """What stands on a canvas that is transparent at first, frame by frame."""
    canvas = np.zeros((size[1], size[0], 4), np.uint8)
    pictures = []
    for frame in frames:
        height, width = frame.indices.shape
        before = canvas.copy()
        place = canvas[frame.top : frame.top + height, frame.left : frame.left + width]
        colours = palette if frame.palette is None else frame.palette
        drawn = frame.indices != (-1 if frame.transparent is None else frame.transparent)
        place[drawn] = np.dstack([colours[frame.indices], np.full(frame.indices.shape, 255)])[drawn]
        pictures.append(canvas.copy())
        if frame.disposal == 2:
            place[:] = 0
        elif frame.disposal == 3:
            canvas = before
    return np.stack(pictures)


@st.composite
def animations(draw) -> tuple[tuple[int, int], NDArray, int, list[Drawing]]:  # noqa: ANN001
    size = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    colours = draw(st.sampled_from([4, 16, 256]))
    palette = rng.integers(0, 256, (colours, 3), dtype=np.uint8)
    frames = []
    for _ in range(draw(st.integers(1, 5))):
        left, top = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
        width = draw(st.integers(1, size[0] - left))
        height = draw(st.integers(1, size[1] - top))
        if draw(st.booleans()):
            left, top, width, height = 0, 0, *size
        frames.append(
            Drawing(
                left,
                top,
                rng.integers(0, colours, (height, width)),
                draw(st.integers(0, 3)),
                draw(st.none() | st.integers(0, colours - 1)),
                draw(st.none() | st.just(rng.integers(0, 256, (colours, 3), dtype=np.uint8))),
                draw(st.booleans()),
            )
        )
    return size, palette, draw(st.integers(0, colours - 1)), frames


def with_alpha(frames: NDArray) -> NDArray:
    """RGBA, nothing under what can't be seen."""
    if frames.shape[-1] == 3:
        frames = np.concatenate([frames, np.full((*frames.shape[:3], 1), 255, np.uint8)], -1)
    return np.where(frames[..., 3:] == 0, 0, frames)


@given(animation=animations())
def test_any_frames_are_shown_as_on_a_canvas(
    tmp_path_factory: pytest.TempPathFactory,
    animation: tuple[tuple[int, int], NDArray, int, list[Drawing]],
) -> None:
    size, palette, background, frames = animation
    file = tmp_path_factory.mktemp("gif") / "a.gif"
    file.write_bytes(encode(size, palette, background, frames))
    picture = read_picture(file)
    np.testing.assert_array_equal(with_alpha(picture.frames), shown(size, palette, frames))
    assert picture.losses == ()
    assert picture.metadata.delays_ms == ((70,) * len(frames) if len(frames) > 1 else ())


@pytest.mark.skipif(CONVERT is None, reason="needs ImageMagick's convert")
@settings(max_examples=20)
@given(animation=animations())
def test_imagemagick_shows_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    animation: tuple[tuple[int, int], NDArray, int, list[Drawing]],
) -> None:
    assert CONVERT is not None
    size, palette, background, frames = animation
    file = tmp_path_factory.mktemp("gif") / "a.gif"
    file.write_bytes(encode(size, palette, background, frames))
    command = [CONVERT, str(file), "-alpha", "set", "-background", "none", "-coalesce", "rgba:-"]
    raw = subprocess.run(
        [*command[:-1], "-depth", "8", command[-1]], capture_output=True, check=True
    )
    theirs = np.frombuffer(raw.stdout, np.uint8).reshape(-1, size[1], size[0], 4)
    np.testing.assert_array_equal(with_alpha(read_picture(file).frames), with_alpha(theirs))


def test_what_is_upscaled_is_written_with_its_frames(tmp_path: Path) -> None:
    palette = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], np.uint8)
    frames = [
        Drawing(3 * i, 2 * i, np.full((4, 5), i), 2, None, None, interlaced=False) for i in range(3)
    ]
    (tmp_path / "a.gif").write_bytes(encode((20, 16), palette, 3, frames))
    picture = read_picture(tmp_path / "a.gif")
    write_picture(picture, tmp_path / "b.gif")
    again = read_picture(tmp_path / "b.gif")
    np.testing.assert_array_equal(with_alpha(again.frames), shown((20, 16), palette, frames))
    assert again.metadata.delays_ms == (70, 70, 70)


@pytest.mark.parametrize("disposals", [(2, 1), (3, 1), (3, 3, 1), (1, 3, 2, 1), (2, 3, 0)])
@pytest.mark.parametrize("transparent", [None, 0])
@pytest.mark.parametrize("whole", [False, True])
def test_each_disposal(
    tmp_path: Path, disposals: tuple[int, ...], transparent: int | None, whole: bool
) -> None:
    palette = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], np.uint8)
    frames = [
        Drawing(i, i, (np.arange(12).reshape(3, 4) + i) % 4, disposal, transparent, None, False)
        for i, disposal in enumerate(disposals)
    ]
    if whole:
        frames[0] = replace(frames[0], left=0, top=0, indices=np.arange(80).reshape(8, 10) % 3 + 1)
    (tmp_path / "a.gif").write_bytes(encode((10, 8), palette, 2, frames))
    seen = with_alpha(read_picture(tmp_path / "a.gif").frames)
    np.testing.assert_array_equal(seen, shown((10, 8), palette, frames))


def test_an_attack_is_refused_at_once(tmp_path: Path) -> None:
    """A thousand frames that each clear all of 65,535 x 65,535 pixels."""
    frame = struct.pack("<4BHBB", 0x21, 0xF9, 4, 2 << 2, 7, 0, 0)
    frame += struct.pack("<B4HB", 0x2C, 0, 0, 65_535, 65_535, 0) + b"\2\2\x4c\1\0"
    head = b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0x80, 0, 0) + bytes(6)
    (tmp_path / "a.gif").write_bytes(head + frame * 1000 + b"\x3b")
    with pytest.raises(PictureError, match="clear"):
        read_picture(tmp_path / "a.gif")


@pytest.mark.parametrize("flags", [0, 1])
@pytest.mark.parametrize(
    ("place", "decodes"), [((0, 0, 1, 1), False), ((3, 2, 5, 4), False), ((0, 0, 8, 6), True)]
)
def test_a_first_frame_that_is_small_says_without_decoding_that_the_rest_is_bare(
    place: tuple[int, int, int, int],
    decodes: bool,
    flags: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A screen of 500 megapixels with a frame of one took gigabytes to be opened."""
    indices = np.zeros((place[3], place[2]), int)
    head = b"GIF89a" + struct.pack("<HHBBB", 8, 6, 0x80, 0, 0) + bytes(6)
    control = struct.pack("<BBBBHBB", 0x21, 0xF9, 4, flags, 0, 1, 0)
    frame = control + struct.pack("<B4HB", 0x2C, *place, 0) + lzw(indices, 2) + b";"
    file = tmp_path / "a.gif"
    file.write_bytes(head + frame)
    with Image.open(file) as image:
        assert image.size == (8, 6)
    decoded: list[object] = []
    chunks = PictureFile.chunks
    monkeypatch.setattr(PictureFile, "chunks", lambda self: (decoded.append(self), chunks(self))[1])
    source = open_picture(file)
    assert source.header.has_alpha is not decodes
    assert decodes or not decoded
    if not decodes:
        alpha = np.concatenate(list(source.chunks()))[..., -1]
        left, top, width, height = place
        outside = np.ones((6, 8), bool)
        outside[top : top + height, left : left + width] = False
        assert not alpha[outside].any()
        assert (alpha[~outside] == 255).all()
