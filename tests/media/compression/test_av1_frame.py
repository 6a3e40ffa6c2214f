"""How coarsely AVIFs are quantised: encoders are told by libaom's level, 0 … 63, whose table of
indices is the oracle."""

import io
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from subpixel.media.compression.av1_frame import read_base_quantizer
from subpixel.media.image_file import open_picture

SMOOTH = np.add.outer(np.arange(120), np.arange(160)).astype(np.uint8)
RGB = np.stack([SMOOTH, 255 - SMOOTH, SMOOTH // 2], axis=2)
LIBAOM_INDICES = (*range(0, 248, 4), 249, 255)
"""By level."""


def read_index(file: Path) -> int | None:
    return open_picture(file).compression().av1_quantizer


def write_avif(file: Path, pixels: np.ndarray, level: int, **options: object) -> Path:
    advanced = {"end-usage": "q", "cq-level": str(level)}
    Image.fromarray(pixels).save(file, quality=50, advanced=advanced, **options)
    return file


@pytest.mark.parametrize("level", [1, 7, 20, 33, 48, 61, 62])
def test_it_is_the_index_that_libaom_was_told(level: int, tmp_path: Path) -> None:
    assert read_index(write_avif(tmp_path / "a.avif", RGB, level)) == LIBAOM_INDICES[level]


@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": "4:4:4"},
        {"subsampling": "4:0:0"},
        {"tile_rows": 1, "tile_cols": 1},
        {"speed": 10},
        {"speed": 0},
        {"range": "limited"},
    ],
    ids=str,
)
def test_whatever_else_the_headers_hold(options: dict[str, object], tmp_path: Path) -> None:
    file = write_avif(tmp_path / "a.avif", RGB, 25, **options)
    assert read_index(file) == LIBAOM_INDICES[25]


def test_large_ones_have_tiles(tmp_path: Path) -> None:
    wide = np.tile(RGB, (5, 30, 1))  # 4800 pixels: more than one tile may be wide
    file = write_avif(tmp_path / "a.avif", wide, 30, speed=10, tile_cols=2, tile_rows=1)
    assert read_index(file) == LIBAOM_INDICES[30]


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_libvips_s_files_of_any_depth(bits: int, tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(RGB)
    deep = image if bits == 8 else (image.cast("ushort") * 257).copy(interpretation="rgb16")
    indices = []
    for quality in (90, 50, 20):
        deep.heifsave(str(tmp_path / "a.avif"), compression="av1", Q=quality, bitdepth=bits)
        indices.append(read_index(tmp_path / "a.avif"))
    assert indices == [32, 148, 216], "libheif's level: 63 * (100 - quality) / 100"
    deep.heifsave(str(tmp_path / "a.avif"), compression="av1", lossless=True, bitdepth=bits)
    assert read_index(tmp_path / "a.avif") is None


def test_transparency_does_not_count(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, SMOOTH])
    assert read_index(write_avif(tmp_path / "a.avif", rgba, 40)) == LIBAOM_INDICES[40]


def test_what_is_cut_off_or_random_says_nothing_and_ends() -> None:
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, "AVIF", quality=50)
    data = stream.getvalue()
    whole = data[data.index(b"mdat") + 4 :]
    index = read_base_quantizer(whole)
    assert index in range(1, 256)  # by Pillow's version
    assert {read_base_quantizer(whole[:end]) for end in range(40)} <= {None, index}
    random = np.random.default_rng(0)
    for _ in range(300):
        noise = random.integers(0, 256, random.integers(0, 60), dtype=np.uint8).tobytes()
        assert (read_base_quantizer(whole[:12] + noise) or 0) in range(256)
