"""Pictures read by rows; Pillow and tifffile are the oracles."""

import os
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import pyvips
from PIL import Image

from samples import smooth
from subpixel.errors import MemoryLimitError, PictureError
from subpixel.media.image_file import open_picture, open_stream, read_picture
from subpixel.media.reading import CHUNK_BYTES, CHUNK_ROWS
from subpixel.system.machine_memory import resident

NOISE = np.random.default_rng(0).integers(0, 256, (150, 70, 3), dtype=np.uint8)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    Image.fromarray(NOISE).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def test_rows_from_top_to_bottom_as_often_as_asked(noise: Path) -> None:
    opened = open_picture(noise)
    assert opened.header.shape == (1, *NOISE.shape)
    for _ in range(2):
        chunks = list(opened.chunks())
        assert max(map(len, chunks)) == CHUNK_ROWS
        assert np.array_equal(np.concatenate(chunks), NOISE)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "TIFF"])
def test_no_chunk_has_rows_of_two_frames(tmp_path: Path, form: str) -> None:
    frames = [Image.new("RGB", (8, 45), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if form == "WEBP" else {}
    file = tmp_path / "frames"
    frames[0].save(file, form, save_all=True, append_images=frames[1:], **options)
    chunks = list(open_picture(file).chunks())
    assert [len(chunk) for chunk in chunks] == [32, 13] * 3
    assert np.array_equal(np.concatenate(chunks), np.concatenate(list(map(np.asarray, frames))))


def test_a_warning_half_way_that_means_nothing(tmp_path: Path) -> None:
    """Reading goes on at the row where libjpeg warned, and not one row comes twice."""
    data = pyvips.Image.new_from_array(NOISE).jpegsave_buffer(Q=90, restart_interval=5)
    at = data.index(b"\xff\xd4", len(data) // 2)
    file = tmp_path / "a.jpg"
    file.write_bytes(data[:at] + b"\0\0" + data[at:])
    expected = np.asarray(Image.open(file))
    rows = np.concatenate(list(open_picture(file).chunks()))
    assert np.abs(rows.astype(int) - expected).max() <= 2


def test_damage_further_down_shows_when_it_is_reached(tmp_path: Path, noise: Path) -> None:
    file = tmp_path / "cut.png"
    file.write_bytes(noise.read_bytes()[:-9000])
    opened = open_picture(file)
    came = []
    with pytest.raises(PictureError, match=r"cut\.png can't be read as PNG"):
        came.extend(opened.chunks())
    assert 0 < len(came) < len(NOISE) / CHUNK_ROWS


def test_a_file_that_changed_meanwhile_is_not_read_on(noise: Path) -> None:
    opened = open_picture(noise)
    Image.fromarray(NOISE[::-1]).save(noise, compress_level=0)
    with pytest.raises(PictureError, match="has changed"):
        list(opened.chunks())
    noise.unlink()
    with pytest.raises(PictureError, match="No such file"):
        list(opened.chunks())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_once_and_held_as_a_stream(tmp_path: Path, noise: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = Thread(target=lambda: pipe.write_bytes(noise.read_bytes()))
    feeder.start()
    with pipe.open("rb") as stream:
        opened = open_stream(stream)
    feeder.join()
    for _ in range(2):
        assert np.array_equal(np.concatenate(list(opened.chunks())), NOISE)


@pytest.mark.parametrize("used", [True, False])
def test_transparency_of_a_gif_that_is_not_used_is_left_out(tmp_path: Path, used: bool) -> None:
    rgba = smooth(4)[0]
    rgba[..., 3] = 255
    rgba[-1, -1, 3] = 0 if used else 255
    Image.fromarray(rgba).save(tmp_path / "a.gif")
    opened = open_picture(tmp_path / "a.gif")
    assert opened.header.channels == (4 if used else 3)
    assert read_picture(tmp_path / "a.gif").frames.shape == opened.header.shape


@pytest.mark.parametrize(("suffix", "rows"), [(".png", [4, 4, 1]), (".ppm", [1] * 9)])
def test_chunks_of_a_very_wide_picture_have_fewer_rows(
    tmp_path: Path, suffix: str, rows: list[int]
) -> None:
    """libvips decodes one, subpixel itself the other."""
    width = CHUNK_BYTES // 3 // 4
    wide = np.tile(NOISE[:9], (1, width // 70 + 1, 1))[:, :width]
    file = tmp_path / f"wide{suffix}"
    Image.fromarray(wide).save(file)
    chunks = list(open_picture(file).chunks())
    assert [len(chunk) for chunk in chunks] == rows
    assert np.array_equal(np.concatenate(chunks), wide)


def test_a_gif_is_not_decoded_for_its_alpha_where_memory_is_short(tmp_path: Path) -> None:
    """It may be transparent, and only its pixels tell."""
    file = tmp_path / "a.gif"
    grey = np.random.default_rng(0).integers(0, 200, (1000, 1500), dtype=np.uint8)
    Image.fromarray(grey).convert("P").save(file, transparency=255)
    with pytest.raises(MemoryLimitError, match=r"1500 x 1000 pixels need at least .*M of memory"):
        open_picture(file, max_memory=resident() + 10**6)
    assert open_picture(file, max_memory=resident() + 10**9).header.channels == 3
