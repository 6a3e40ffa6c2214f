"""What comes apart is what is read directly: every format, depth and kind of metadata."""

import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image, ImageCms

from insertions import INSERTIONS
from samples import SRGB, XMP, exif_block, grey_profile, smooth
from subpixel.errors import PictureTooLargeError, SubpixelError
from subpixel.media.apart.pool import DecoderPool
from subpixel.media.display.render import render_srgb
from subpixel.media.formats.registry import FORMATS, format_of
from subpixel.media.image_file import EncodeOptions, open_picture, read_picture, write_picture
from subpixel.media.picture import Metadata, Picture, read_source
from subpixel.media.reading import PictureFile, open_stream
from ultra_hdr_file import iso_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="decoders are forked on Linux")

SUFFIXES = [form.suffixes[0] for form in FORMATS if form.package is None or find_spec(form.package)]
TABLE = list(product(SUFFIXES, (np.uint8, np.uint16), (1, 2, 3, 4)))
FULL = list(product(SUFFIXES, (np.uint8, np.uint16), (1, 2, 3, 4), range(1, 9)))


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as decoders:
        yield decoders


def facts(file: PictureFile) -> tuple[object, ...]:
    """All that a file says, and a hash of its pixels; or the error that it is."""
    picture = read_source(file)
    digest = hashlib.sha256(picture.frames.tobytes()).hexdigest()
    return file.header, file.memory, file.form.name, file.compression(), picture.extras, digest


def expect_same(pool: DecoderPool, file: Path) -> None:
    direct, error = None, None
    try:
        direct = facts(open_picture(file))
    except SubpixelError as caught:
        error = caught
    if error is None:
        assert facts(pool.open(file)) == direct
        return
    with pytest.raises(type(error)) as caught_apart:
        facts(pool.open(file))
    assert str(caught_apart.value) == str(error)


def write_rich(file: Path, dtype: type, channels: int, orientation: int) -> None:
    profile = SRGB if channels > 2 else grey_profile()
    meta = Metadata(icc=profile, exif=exif_block(orientation=orientation), xmp=XMP)
    meta = replace(meta, orientation=orientation, text=(("Comment", "grüße"),))
    picture = Picture(smooth(channels, dtype), meta, bit_depth=np.dtype(dtype).itemsize * 8)
    write_picture(picture, file, EncodeOptions(lossless=True).restrict(format_of(file)))


@pytest.mark.parametrize(("suffix", "dtype", "channels"), TABLE[::3])
def test_every_format_and_depth(
    pool: DecoderPool, tmp_path: Path, suffix: str, dtype: type, channels: int
) -> None:
    write_rich(tmp_path / f"a{suffix}", dtype, channels, 6)
    expect_same(pool, tmp_path / f"a{suffix}")


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "dtype", "channels", "orientation"), FULL)
def test_every_orientation(
    pool: DecoderPool, tmp_path: Path, suffix: str, dtype: type, channels: int, orientation: int
) -> None:
    write_rich(tmp_path / f"a{suffix}", dtype, channels, orientation)
    expect_same(pool, tmp_path / f"a{suffix}")


@pytest.mark.parametrize("insertion", INSERTIONS[:: max(1, len(INSERTIONS) // 24)], ids=str)
def test_every_kind_of_metadata(pool: DecoderPool, tmp_path: Path, insertion: object) -> None:
    file = tmp_path / f"a{insertion.suffix}"
    file.write_bytes(insertion.data)
    expect_same(pool, file)


@pytest.mark.slow
@pytest.mark.parametrize("insertion", INSERTIONS, ids=str)
def test_all_metadata(pool: DecoderPool, tmp_path: Path, insertion: object) -> None:
    test_every_kind_of_metadata(pool, tmp_path, insertion)


@pytest.mark.parametrize("suffix", [".png", ".gif", ".webp", ".tif"])
def test_animations(pool: DecoderPool, tmp_path: Path, suffix: str) -> None:
    frames = np.concatenate([smooth(3), 255 - smooth(3), smooth(3)[:, ::-1]])
    meta = Metadata(delays_ms=(100, Fraction(1000, 30), 70), loop=3)
    write_picture(Picture(frames, meta), tmp_path / f"a{suffix}")
    expect_same(pool, tmp_path / f"a{suffix}")


def test_gain_maps_and_quality(pool: DecoderPool, tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(iso_file())
    assert open_picture(file).header.metadata.gain_map is not None
    expect_same(pool, file)
    Image.fromarray(smooth(3, size=(64, 48))[0]).save(file, quality=40)
    assert pool.open(file).compression().jpeg_quality == 40
    expect_same(pool, file)


def test_cmyk_and_many_channels(pool: DecoderPool, tmp_path: Path) -> None:
    Image.new("CMYK", (9, 7), (90, 80, 7, 30)).save(tmp_path / "a.jpg")
    expect_same(pool, tmp_path / "a.jpg")
    samples = np.arange(5 * 6 * 6, dtype=np.uint16).reshape(1, 5, 6, 6)
    extras = ("data", "independent alpha", "data")
    write_picture(Picture(samples, bit_depth=16, extras=extras), tmp_path / "a.tif")
    expect_same(pool, tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_files_give_the_same_errors(pool: DecoderPool, tmp_path: Path, suffix: str) -> None:
    write_rich(tmp_path / f"a{suffix}", np.uint8, 3, 6)
    data = (tmp_path / f"a{suffix}").read_bytes()
    for size in (len(data) - 40, len(data) // 2, 40):
        (tmp_path / f"b{suffix}").write_bytes(data[:size])
        expect_same(pool, tmp_path / f"b{suffix}")


def test_a_header_that_claims_too_much_is_refused(pool: DecoderPool, tmp_path: Path) -> None:
    write_rich(tmp_path / "a.png", np.uint8, 3, 6)
    with pytest.raises(PictureTooLargeError, match=r"a\.png has 12 x 16|a\.png has 16 x 12"):
        pool.open(tmp_path / "a.png", max_pixels=16 * 12 - 1)


def test_bytes_and_streams(pool: DecoderPool, tmp_path: Path) -> None:
    write_rich(tmp_path / "a.png", np.uint16, 4, 6)
    data = (tmp_path / "a.png").read_bytes()
    direct = facts(open_stream(io.BytesIO(data), name="it"))
    assert facts(pool.open(data, name="it")) == direct
    assert facts(open_stream(io.BytesIO(data), name="it", decoders=pool)) == direct


def test_rows_come_as_often_as_they_are_asked_for(pool: DecoderPool, tmp_path: Path) -> None:
    Image.fromarray(smooth(3, size=(900, 700))[0]).save(tmp_path / "a.png")
    file = pool.open(tmp_path / "a.png")
    first = next(iter(file.chunks()))
    assert np.array_equal(first, smooth(3, size=(900, 700))[0, :32])
    for _ in range(3):
        assert np.array_equal(read_source(file).frames, smooth(3, size=(900, 700)))


def test_more_files_open_than_decoders_wait(pool: DecoderPool, tmp_path: Path) -> None:
    files = []
    for number in range(9):
        write_rich(tmp_path / f"{number}.png", np.uint8, 3, 1)
        files.append(pool.open(tmp_path / f"{number}.png"))
    direct = read_picture(tmp_path / "0.png").frames
    assert all(np.array_equal(read_source(file).frames, direct) for file in files)


def test_as_a_screen_shows_it(pool: DecoderPool, tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    meta = Metadata(icc=lab, orientation=6, exif=exif_block(orientation=6))
    write_picture(Picture(smooth(3, np.uint16), meta, bit_depth=16), tmp_path / "a.png")
    shown = read_source(pool.open_shown(tmp_path / "a.png"))
    assert np.array_equal(shown.frames[0], render_srgb(read_picture(tmp_path / "a.png")))
    assert shown.metadata == Metadata()


IMPORTS = """
import importlib, sys
from pathlib import Path
from subpixel.errors import SubpixelError
from subpixel.media.apart.child.nursery import import_ahead
from subpixel.media.formats.registry import FORMATS
from subpixel.media.image_file import read_picture
import_ahead()
for package in sys.argv[2:]:
    importlib.import_module(package)
before = set(sys.modules)
for file in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read_picture(file)
    except SubpixelError:
        pass
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.slow
def test_a_decoder_has_nothing_left_to_import(tmp_path: Path) -> None:
    """It couldn't: it has no files."""
    for suffix in SUFFIXES:
        write_rich(tmp_path / f"a{suffix}", np.uint8, 3, 6)
        data = (tmp_path / f"a{suffix}").read_bytes()
        (tmp_path / f"b{suffix}").write_bytes(data[: len(data) // 2])
    for number, insertion in enumerate(INSERTIONS):
        (tmp_path / f"{number}{insertion.suffix}").write_bytes(insertion.data)
    (tmp_path / "c.jpg").write_bytes(iso_file())
    Image.new("CMYK", (9, 7), (90, 80, 7, 30)).save(tmp_path / "d.jpg")
    packages = [form.package for form in FORMATS if form.package and find_spec(form.package)]
    command = [sys.executable, "-c", IMPORTS, str(tmp_path), *packages]
    end = subprocess.run(command, capture_output=True, text=True, check=True)
    assert end.stdout.split() == []


def test_packages_start_no_thread(pool: DecoderPool, tmp_path: Path) -> None:
    """A fork is sound in a process of one thread."""
    for suffix in SUFFIXES:
        write_rich(tmp_path / f"a{suffix}", np.uint8, 3, 1)
        read_source(pool.open(tmp_path / f"a{suffix}"))
    zygotes = [each for each in psutil.Process().children() if "zygote" in " ".join(each.cmdline())]
    assert {zygote.num_threads() for zygote in zygotes} == {1}


@pytest.mark.slow
def test_untrusted_in_one_call(tmp_path: Path) -> None:
    write_rich(tmp_path / "a.png", np.uint16, 4, 6)
    direct = read_picture(tmp_path / "a.png")
    apart = read_picture(tmp_path / "a.png", untrusted=True)
    assert apart.header == direct.header
    assert np.array_equal(apart.frames, direct.frames)
