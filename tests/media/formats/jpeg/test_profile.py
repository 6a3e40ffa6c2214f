"""Profiles in several segments, numbered well or not."""

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from samples import SRGB, smooth
from subpixel.media.image_file import read_picture

HALF = len(SRGB) // 2
FIRST, SECOND = SRGB[:HALF], SRGB[HALF:]


def with_segments(*segments: tuple[int, int, bytes]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(smooth(3)[0]).save(stream, "JPEG")
    plain = stream.getvalue()
    contents = [b"ICC_PROFILE\0" + bytes((i, n)) + data for i, n, data in segments]
    blocks = [b"\xff\xe2" + struct.pack(">H", len(c) + 2) + c for c in contents]
    return plain[:2] + b"".join(blocks) + plain[2:]


@pytest.mark.parametrize(
    "segments",
    [
        [(1, 2, FIRST), (2, 2, SECOND)],
        [(2, 2, SECOND), (1, 2, FIRST)],
        [(0, 2, FIRST), (1, 2, SECOND)],
        [(1, 1, FIRST), (1, 1, SECOND)],
        [(0, 0, SRGB)],
        [(1, 3, FIRST), (2, 3, SECOND)],
        [(1, 1, SRGB + bytes(4))],
        [(1, 1, struct.pack(">I", len(SRGB) - 2) + SRGB[4:])],
        [(1, 1, struct.pack(">I", len(SRGB) + 4) + SRGB[4:])],
    ],
)
def test_a_whole_profile_is_kept(tmp_path: Path, segments: list[tuple[int, int, bytes]]) -> None:
    (tmp_path / "a.jpg").write_bytes(with_segments(*segments))
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.metadata.icc == SRGB
    assert picture.losses == ()


@pytest.mark.parametrize(
    "segments", [[(1, 2, FIRST)], [(2, 2, SECOND)], [(1, 1, b"junk")], [(1, 1, b"")]]
)
def test_one_with_a_part_missing_is_a_loss(
    tmp_path: Path, segments: list[tuple[int, int, bytes]]
) -> None:
    (tmp_path / "a.jpg").write_bytes(with_segments(*segments))
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.metadata.icc is None
    assert [loss.what for loss in picture.losses] == ["icc"]
