"""What PNG chunks say of colours: which comes first, and what becomes of it in every format."""

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ImageCms

from samples import SRGB, grey_profile, smooth
from subpixel.media.formats.registry import format_of
from subpixel.media.image_file import EncodeOptions, read_picture, write_picture
from subpixel.media.metadata.colour_tags import CodingPoints, coding_points_in
from subpixel.media.picture import Picture

CASES = Path(__file__).parents[5] / "shared" / "cases" / "pictures"
P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
SRGB_NUMBERS = (0.3127, 0.3290, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
OTHER = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()[:-1] + b"\1"
"""Another profile than any that is built here."""

Chunk = tuple[bytes, bytes]


def gama(exponent: float) -> Chunk:
    return b"gAMA", struct.pack(">I", round(1e5 / exponent))


def chrm(numbers: Sequence[float] = P3) -> Chunk:
    return b"cHRM", struct.pack(">8I", *(round(n * 1e5) for n in numbers))


def cicp(primaries: int, transfer: int, matrix: int = 0, full: int = 1) -> Chunk:
    return b"cICP", bytes((primaries, transfer, matrix, full))


def iccp(profile: bytes = OTHER) -> Chunk:
    return b"iCCP", b"name\0\0" + zlib.compress(profile)


SRGB_CHUNK = (b"sRGB", b"\0")


def png(samples: NDArray, *chunks: Chunk) -> bytes:
    """``(H, W, C)`` as a PNG with these chunks before its pixels."""
    height, width, channels = samples.shape
    depth = samples.dtype.itemsize * 8
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    big = samples.astype(samples.dtype.newbyteorder(">")).reshape(height, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in big)
    whole = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in whole
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def read(folder: Path, data: bytes) -> Picture:
    (folder / "a.png").write_bytes(data)
    return read_picture(folder / "a.png")


PLAIN = smooth(3)[0]


@pytest.mark.parametrize(
    ("chunks", "wins"),
    [
        ([cicp(12, 13), iccp(), SRGB_CHUNK, gama(1.8), chrm()], "cICP"),
        ([iccp(), SRGB_CHUNK, gama(1.8), chrm()], "iCCP"),
        ([SRGB_CHUNK, gama(1.8), chrm()], None),
        ([gama(1.8), chrm()], "gAMA"),
        ([gama(1.8)], "gAMA"),
        ([chrm()], "gAMA"),
        ([cicp(1, 13), iccp()], None),
        ([gama(2.2)], None),
        ([gama(2.2), chrm(SRGB_NUMBERS)], None),
        ([chrm(SRGB_NUMBERS)], None),
        ([], None),
    ],
)
def test_precedence(tmp_path: Path, chunks: list[Chunk], wins: str | None) -> None:
    picture = read(tmp_path, png(PLAIN, *chunks))
    profile = picture.metadata.icc
    assert picture.losses == ()
    np.testing.assert_array_equal(picture.frames[0], PLAIN)
    assert (profile is None) == (wins is None)
    assert (profile == OTHER) == (wins == "iCCP")
    assert (coding_points_in(profile) == CodingPoints(12, 13)) == (wins == "cICP")


@pytest.mark.parametrize("channels", [1, 2])
def test_grey_gets_a_profile_of_grey(tmp_path: Path, channels: int) -> None:
    linear = read(tmp_path, png(smooth(channels)[0], gama(1.0), chrm()))
    assert linear.metadata.icc is not None
    assert linear.metadata.icc[16:20] == b"GRAY"
    assert read(tmp_path, png(smooth(channels)[0], chrm())).metadata.icc is None


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif", ".gif"])
@pytest.mark.parametrize(
    "chunks",
    [[gama(2.2), chrm()], [chrm()], [cicp(12, 13)], [gama(1.0)], [gama(1.8)]],
    ids=["gAMA, cHRM", "cHRM", "cICP", "linear", "gamma 1.8"],
)
def test_the_true_colours_are_shown_in_every_format(
    tmp_path: Path, suffix: str, chunks: list[Chunk]
) -> None:
    """By Little CMS, from the numbers to what the output's own profile makes of it."""
    levels = np.array([40, 110, 180, 255], np.uint8)
    blues = np.array([64, 200], np.uint8)
    patches = np.stack(np.meshgrid(levels, levels, blues, indexing="ij"), -1).reshape(4, 8, 3)
    flat = patches.repeat(8, 0).repeat(8, 1)
    picture = read(tmp_path, png(flat, *chunks))
    file = tmp_path / f"b{suffix}"
    best = EncodeOptions(quality=100, lossless=True).restrict(format_of(file))
    write_picture(picture, file, best)
    again = read_picture(file)
    shown = lab(again.frames[0, 4::8, 4::8, :3], again.metadata.icc or SRGB)
    numbers = dict(chunks)
    expected = lab_by_hand(
        patches, P3 if b"gAMA" not in numbers or b"cHRM" in numbers else SRGB_NUMBERS,
        1e5 / int.from_bytes(numbers[b"gAMA"]) if b"gAMA" in numbers else None,
    )  # fmt: skip
    error = np.sqrt(((shown - expected) ** 2).sum(-1))
    if suffix == ".gif":  # colours outside sRGB are clipped
        inside = (to_srgb(patches, numbers) > 0.002).all(-1) & (
            to_srgb(patches, numbers) < 0.998
        ).all(-1)
        assert inside.sum() > 8
        error = error[inside]
    # JPEG rounds Y, Cb and Cr; lossless formats only what Little CMS rounds
    limit = {".jpg": 2.0, ".gif": 1.0}.get(suffix, 0.5)
    assert error.max() < limit


def matrix_of(numbers: Sequence[float]) -> NDArray:
    """Linear RGB to XYZ, its white the numbers' own."""
    white, red, green, blue = np.array(numbers).reshape(4, 2)
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (red, green, blue)]).T
    light = np.array([white[0] / white[1], 1, (1 - white.sum()) / white[1]])
    return columns * np.linalg.solve(columns, light)


def light_of(samples: NDArray, exponent: float | None) -> NDArray:
    x = samples / 255
    if exponent is not None:
        return x**exponent
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
D50 = np.array([0.9642, 1.0, 0.8249])


def lab_by_hand(samples: NDArray, numbers: Sequence[float], exponent: float | None) -> NDArray:
    matrix = matrix_of(numbers)
    cones = BRADFORD @ matrix
    adapted = np.linalg.inv(BRADFORD) @ ((BRADFORD @ D50 / cones.sum(1))[:, None] * cones)
    ratio = light_of(samples, exponent) @ adapted.T / D50
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def to_srgb(samples: NDArray, numbers: dict[bytes, bytes]) -> NDArray:
    """Linear sRGB, also outside 0 … 1."""
    wide = b"cHRM" in numbers or b"cICP" in numbers
    exponent = 1e5 / int.from_bytes(numbers[b"gAMA"]) if b"gAMA" in numbers else None
    light = light_of(samples, exponent)
    source = matrix_of(P3 if wide else SRGB_NUMBERS)
    return light @ (np.linalg.inv(matrix_of(SRGB_NUMBERS)) @ source).T


def lab(samples: NDArray, profile: bytes) -> NDArray:
    wide = samples.astype(np.uint16) * 257 if samples.dtype == np.uint8 else samples
    image = pyvips.Image.new_from_array(np.ascontiguousarray(wide)).copy(interpretation="rgb16")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image.icc_import(embedded=True, pcs="lab", intent="relative").numpy().astype(float)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_narrow_range_is_stretched_and_said(tmp_path: Path, dtype: type, channels: int) -> None:
    scale = 1 if dtype is np.uint8 else 256
    levels = np.linspace(16 * scale, 235 * scale, 40).round().astype(dtype)
    samples = np.repeat(levels.reshape(4, 10, 1), channels, 2)
    picture = read(tmp_path, png(samples, cicp(1, 13, full=0)))
    assert [loss.what for loss in picture.losses] == ["colour"]
    colours = 3 if channels > 2 else 1
    frame = picture.frames[0].astype(np.float64)
    white = np.iinfo(dtype).max
    expected = (samples[..., :colours].astype(np.float64) / scale - 16) / 219 * white
    assert np.abs(frame[..., :colours] - expected).max() <= 0.5
    np.testing.assert_array_equal(frame[..., colours:], samples[..., colours:])
    beyond = read(tmp_path, png(np.array([[[0], [255]]], np.uint8), cicp(1, 13, full=0)))
    assert beyond.frames.ravel().tolist() == [0, 255]


@pytest.mark.parametrize("off", [-4, -2, 2, 4])
@pytest.mark.parametrize("padding", [0, 2, 4])
def test_a_profile_with_a_length_that_is_off(tmp_path: Path, off: int, padding: int) -> None:
    stated = struct.pack(">I", len(SRGB) + off) + SRGB[4:] + bytes(padding)
    picture = read(tmp_path, png(PLAIN, iccp(stated)))
    assert picture.losses == ()
    assert picture.metadata.icc is not None
    assert picture.metadata.icc[4 : len(SRGB)] == SRGB[4:]
    assert int.from_bytes(picture.metadata.icc[:4]) == len(picture.metadata.icc)
    for suffix in (".png", ".jpg", ".webp", ".tif", ".avif"):
        assert write_picture(picture, tmp_path / f"b{suffix}", strict=True) == ()
        assert read_picture(tmp_path / f"b{suffix}").metadata.icc == picture.metadata.icc


@pytest.mark.parametrize(
    "profile",
    [b"", b"junk", SRGB[:300], grey_profile()],
    ids=["empty", "junk", "cut", "grey"],  # SRGB holds the time of its making
)
def test_a_profile_that_is_none(tmp_path: Path, profile: bytes) -> None:
    picture = read(tmp_path, png(PLAIN, iccp(profile)))
    assert picture.metadata.icc is None
    assert [loss.what for loss in picture.losses] == ["icc"]


@pytest.mark.parametrize(
    "chunk",
    [
        cicp(3, 13),
        cicp(1, 77),
        cicp(1, 13, matrix=6),
        chrm((0.3, 0.3, 0.4, 0.4, 0.45, 0.45, 0.5, 0.5)),
        chrm((0.3, 0.0, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)),
    ],
)
def test_numbers_that_describe_nothing_are_named(tmp_path: Path, chunk: Chunk) -> None:
    picture = read(tmp_path, png(PLAIN, chunk))
    assert picture.metadata.icc is None
    assert [loss.what for loss in picture.losses] == ["colour"]


NAMES = st.sampled_from([b"gAMA", b"cHRM", b"cICP", b"iCCP", b"sRGB"])
CHUNKS = (
    st.tuples(NAMES, st.binary(max_size=40))
    | st.tuples(st.just(b"cHRM"), st.binary(min_size=32, max_size=32))
    | st.tuples(st.just(b"gAMA"), st.binary(min_size=4, max_size=4))
)


@settings(max_examples=60)
@given(chunks=st.lists(CHUNKS))
def test_any_bytes_in_the_chunks(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[Chunk]
) -> None:
    picture = read(tmp_path_factory.mktemp("png"), png(PLAIN, *chunks))
    if not any(name == b"cICP" and len(d) == 4 and not d[3] for name, d in chunks):
        np.testing.assert_array_equal(picture.frames[0], PLAIN)
    if picture.metadata.icc is not None:
        ImageCms.ImageCmsProfile(io.BytesIO(picture.metadata.icc))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_samples_are_untouched_by_significant_bits_and_gamma(tmp_path: Path, dtype: type) -> None:
    samples = smooth(3, dtype)[0]
    bits = 5 if dtype is np.uint8 else 12
    picture = read(tmp_path, png(samples, (b"sBIT", bytes((bits,) * 3)), gama(1.5)))
    np.testing.assert_array_equal(picture.frames[0], samples)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_white_is_white_from_any_depth(tmp_path: Path, bits: int) -> None:
    """A PNG of 16 bits has no fewer, so its white is 65535."""
    white = Picture(np.full((1, 4, 4, 3), 65535, np.uint16), bit_depth=bits)
    write_picture(white, tmp_path / "a.png")
    assert (read_picture(tmp_path / "a.png").frames == 65535).all()


@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("chrm_p3.png", True),
        ("chrm_only_p3.png", True),
        ("chrm_swapped.png", True),
        ("cicp_p3.png", True),
        ("gama1.png", True),
        ("a98_padded.png", True),
        ("bkgd_sbit_time.png", False),
        ("rgb16_trns.png", False),
    ],
)
def test_samples(name: str, described: bool) -> None:
    if not (CASES / name).is_file():
        pytest.skip("needs the pictures of ../shared/cases beside the repository")
    picture = read_picture(CASES / name)
    assert (picture.metadata.icc is not None) == described
    assert not any(loss.what in ("colour", "icc") for loss in picture.losses)
