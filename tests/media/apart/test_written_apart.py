"""What writing needs of a stranger's bytes is done apart, too: the same files come out."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

import subpixel.media.formats.jpeg.jpeg
import subpixel.media.writing
from samples import SRGB, grey_profile, smooth
from subpixel.errors import MemoryLimitError, PictureError
from subpixel.media.apart.pool import DecoderLimits, DecoderPool
from subpixel.media.formats.registry import FORMATS, format_of
from subpixel.media.image_file import EncodeOptions, PictureWriter, open_picture, read_picture
from subpixel.media.losses import profile_fate
from subpixel.media.picture import Metadata, Picture
from ultra_hdr_file import iso_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="decoders are forked on Linux")

SUFFIXES = [form.suffixes[0] for form in FORMATS if form.package is None or find_spec(form.package)]
TABLE = list(product(SUFFIXES, (np.uint8, np.uint16), (1, 2, 3, 4)))


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as decoders:
        yield decoders


def write(picture: Picture, file: Path, decoders: DecoderPool | None) -> bytes:
    options = EncodeOptions(lossless=True).restrict(format_of(file))
    with PictureWriter(picture.header, file, options, overwrite=True, decoders=decoders) as writer:
        for rows in np.array_split(picture.frames[0], 3):
            writer.write(rows)
    return file.read_bytes()


def refuse(*_arguments: object) -> NoReturn:
    raise AssertionError("it was done here")


def strange_profile() -> bytes:
    """sRGB with its red and blue primaries exchanged: what applying it does is seen."""
    return (
        SRGB.replace(b"rXYZ", b"tXYZ", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tXYZ", b"bXYZ", 1)
    )


@pytest.mark.parametrize(("suffix", "dtype", "channels"), TABLE[::5])
def test_profiles_are_applied_apart(
    pool: DecoderPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    dtype: type,
    channels: int,
) -> None:
    profile = strange_profile() if channels > 2 else grey_profile()
    depth = 8 * np.dtype(dtype).itemsize
    picture = Picture(smooth(channels, dtype), Metadata(icc=profile), bit_depth=depth)
    direct = write(picture, tmp_path / f"a{suffix}", None)
    monkeypatch.setattr(subpixel.media.writing, "through_own_profile", refuse)
    assert write(picture, tmp_path / f"a{suffix}", pool) == direct


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "dtype", "channels"), TABLE)
def test_all_profiles(
    pool: DecoderPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    dtype: type,
    channels: int,
) -> None:
    test_profiles_are_applied_apart(pool, tmp_path, monkeypatch, suffix, dtype, channels)


def test_profiles_change_pixels(tmp_path: Path) -> None:
    """So that the test above sees something."""
    for channels, profile in ((3, strange_profile()), (1, grey_profile())):
        picture = Picture(smooth(channels), Metadata(icc=profile))
        assert profile_fate(picture.header, format_of(Path("a.bmp"))) == "applied"
        write(picture, tmp_path / "a.bmp", None)
        back = read_picture(tmp_path / "a.bmp").frames
        assert not np.array_equal(back, np.broadcast_to(picture.frames, back.shape))


def test_gain_maps_are_enlarged_apart(
    pool: DecoderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(iso_file())
    picture = read_picture(tmp_path / "a.jpg")
    larger = replace(picture, frames=picture.frames.repeat(2, axis=1).repeat(2, axis=2))
    direct = write(larger, tmp_path / "b.jpg", None)
    assert open_picture(tmp_path / "b.jpg").header.metadata.gain_map is not None
    monkeypatch.setattr(subpixel.media.formats.jpeg.jpeg, "enlarge_map", refuse)
    assert write(larger, tmp_path / "b.jpg", pool) == direct
    other = replace(larger, frames=larger.frames[:, :, :40])
    assert write(other, tmp_path / "b.jpg", pool)  # which the map doesn't fit


def test_a_damaged_profile_does_what_it_does_here(pool: DecoderPool, tmp_path: Path) -> None:
    damaged = SRGB[:200] + bytes(len(SRGB) - 200)
    picture = Picture(smooth(3), Metadata(icc=damaged))
    assert write(picture, tmp_path / "a.bmp", pool) == write(picture, tmp_path / "a.bmp", None)


def test_damage_is_an_error_and_leaves_nothing(pool: DecoderPool, tmp_path: Path) -> None:
    header = read_picture_of(iso_file(), tmp_path)
    assert header.metadata.gain_map is not None
    broken = replace(header.metadata.gain_map, data=header.metadata.gain_map.data[:99])
    picture = replace(header, metadata=replace(header.metadata, gain_map=broken))
    with pytest.raises(PictureError):
        write(picture, tmp_path / "b.jpg", pool)
    assert [file.name for file in tmp_path.iterdir()] == ["source.jpg"]


def read_picture_of(data: bytes, folder: Path) -> Picture:
    (folder / "source.jpg").write_bytes(data)
    return read_picture(folder / "source.jpg")


@pytest.mark.slow
def test_a_service_that_dies_is_an_error(tmp_path: Path) -> None:
    picture = Picture(smooth(3, size=(200, 300)), Metadata(icc=strange_profile()))
    with (
        DecoderPool(DecoderLimits(memory=1)) as pool,
        pytest.raises((PictureError, MemoryLimitError)),
    ):
        write(picture, tmp_path / "a.bmp", pool)
    assert not list(tmp_path.iterdir())
