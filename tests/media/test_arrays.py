"""Arrays and Pillow images become pictures and come back as what they were."""

import io
import subprocess
import sys

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image

from samples import SRGB, XMP, exif_block, smooth
from subpixel.errors import UsageError
from subpixel.media.arrays import like, to_picture
from subpixel.media.metadata import exif
from subpixel.media.picture import Picture

DTYPES = st.sampled_from([np.uint8, np.uint16])
SHAPES = st.one_of(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4)),
)


@given(array=st_numpy.arrays(DTYPES, SHAPES))
def test_integer_arrays_there_and_back(array: np.ndarray) -> None:
    picture = to_picture(array)
    assert picture.bit_depth == array.dtype.itemsize * 8
    back = like(array, picture)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert np.array_equal(back, array)


@given(array=st_numpy.arrays(np.float32, SHAPES, elements=st.floats(-0.5, 1.5, width=32)))
def test_float_arrays_there_and_back(array: np.ndarray) -> None:
    assert np.array_equal(like(array, to_picture(array)), array)


def test_an_array_is_shared_and_a_view_of_any_order_is_taken() -> None:
    array = np.ascontiguousarray(smooth(3)[0])
    assert np.shares_memory(to_picture(array).frames, array)
    turned = array[::-1, ::2].transpose(1, 0, 2)
    assert np.array_equal(to_picture(turned).frames[0], turned)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float64),
        np.zeros((4, 4), np.int16),
        np.zeros((4, 4), bool),
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        "photo.jpg",
        None,
    ],
)
def test_what_is_no_image(image: object) -> None:
    with pytest.raises(UsageError, match="give a numpy array"):
        to_picture(image)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_floats_that_are_no_numbers(value: float) -> None:
    with pytest.raises(UsageError, match="no numbers"):
        to_picture(np.full((2, 2), value, np.float32))


@pytest.mark.parametrize(
    ("mode", "channels", "back"),
    [
        ("1", 1, "L"),
        ("L", 1, "L"),
        ("LA", 2, "LA"),
        ("RGB", 3, "RGB"),
        ("RGBA", 4, "RGBA"),
        ("P", 3, "RGB"),
        ("PA", 4, "RGBA"),
        ("La", 2, "LA"),
        ("RGBa", 4, "RGBA"),
        ("YCbCr", 3, "RGB"),
    ],
)
def test_pillow_modes(mode: str, channels: int, back: str) -> None:
    image = Image.fromarray(smooth(4)[0]).convert("LA" if mode == "La" else "RGBA")
    image = (image.convert("RGB") if mode in ("P", "YCbCr") else image).convert(mode)
    picture = to_picture(image)
    assert (picture.frames.shape[-1], picture.bit_depth) == (channels, 8)
    seen = like(image, picture)
    assert (type(seen), seen.mode, seen.size) == (Image.Image, back, image.size)
    assert np.array_equal(np.asarray(seen), np.asarray(image.convert(back)))


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_transparent_colours_become_alpha(mode: str) -> None:
    image = Image.new(mode, (2, 1), 7 if mode != "RGB" else (7, 8, 9))
    image.putpixel((1, 0), 9 if mode != "RGB" else (1, 2, 3))
    image.info["transparency"] = 7 if mode != "RGB" else (7, 8, 9)
    picture = to_picture(image)
    assert picture.frames[0, 0, :, -1].tolist() == [0, 255]
    assert picture.frames.shape[-1] == (2 if mode == "L" else 4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pillow_16_bit_grey(order: str) -> None:
    samples = smooth(1, np.uint16)[0, ..., 0]
    size = samples.shape[::-1]
    mode = "I;16" if order == "<" else "I;16B"
    image = Image.frombytes(mode, size, samples.astype(f"{order}u2").tobytes())
    picture = to_picture(image)
    assert (picture.bit_depth, picture.frames.dtype) == (16, np.uint16)
    assert np.array_equal(picture.frames[0, ..., 0], samples)
    back = like(image, picture)
    assert back.mode == "I;16"
    assert np.array_equal(np.asarray(back), samples)


@pytest.mark.parametrize("mode", ["F", "I", "LAB", "HSV"])
def test_pillow_modes_that_are_refused(mode: str) -> None:
    with pytest.raises(UsageError, match=f"mode {mode}; convert it"):
        to_picture(Image.new(mode, (4, 4)))


@pytest.mark.parametrize("with_profile", [True, False])
def test_pillow_cmyk_becomes_rgb_and_says_so(with_profile: bool) -> None:
    image = Image.frombytes("CMYK", (16, 12), smooth(4)[0].tobytes())
    if with_profile:
        image.info["icc_profile"] = bytes(pyvips.Operation.call("profile_load", "cmyk"))
    picture = to_picture(image)
    assert [loss.what for loss in picture.losses] == ["colour"]
    assert picture.frames.shape == (1, 12, 16, 3)
    assert (picture.metadata.icc is not None) == with_profile
    assert like(image, picture).mode == "RGB"


@pytest.mark.parametrize("kind", ["RGB", "junk", "padded"])
def test_pillow_cmyk_with_a_profile_that_is_none_for_it(kind: str) -> None:
    cmyk = bytes(pyvips.Operation.call("profile_load", "cmyk"))
    profiles = {"RGB": SRGB, "junk": cmyk[:400] + bytes(len(cmyk) - 400), "padded": cmyk + b"\0\0"}
    image = Image.frombytes("CMYK", (16, 12), smooth(4)[0].tobytes())
    image.info["icc_profile"] = profiles[kind]
    picture = to_picture(image)
    assert [loss.what for loss in picture.losses] == ["colour"]
    assert ("its own profile" in picture.losses[0].why) == (kind == "padded")
    assert (picture.metadata.icc is not None) == (kind == "padded")


P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


@pytest.mark.parametrize(
    ("info", "described"),
    [
        ({"gamma": 0.45455, "chromaticity": P3}, True),
        ({"chromaticity": P3}, True),
        ({"gamma": 1.0}, True),
        ({"gamma": 0.45455}, False),
        ({"gamma": 1.0, "srgb": 0}, False),
        ({"chromaticity": (0.3, 0.3, 0.4, 0.4, 0.45, 0.45, 0.5, 0.5)}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_colours_that_pillow_has_as_numbers(
    mode: str, info: dict[str, object], described: bool
) -> None:
    image = Image.fromarray(smooth(3)[0]).convert(mode)
    image.info |= info
    profile = to_picture(image).metadata.icc
    if mode == "L":  # which chromaticities say nothing of
        described = info == {"gamma": 1.0}
    assert (profile is not None) == described
    if profile is not None:
        assert profile[16:20] == (b"GRAY" if mode == "L" else b"RGB ")
        assert like(image, to_picture(image)).info["icc_profile"] == profile
    means_nothing = mode != "L" and not described and info.get("chromaticity", P3) != P3
    assert [loss.what for loss in to_picture(image).losses] == ["colour"] * means_nothing


def test_pillow_metadata_goes_in_and_comes_back() -> None:
    stream = io.BytesIO()
    source = Image.fromarray(smooth(3)[0])
    source.save(
        stream,
        "JPEG",
        exif=b"Exif\0\0" + exif_block(),
        icc_profile=SRGB,
        dpi=(300, 300),
        xmp=XMP,
    )
    image = Image.open(stream)
    meta = to_picture(image).metadata
    assert (meta.icc, meta.xmp, meta.orientation) == (SRGB, XMP, 6)
    assert meta.resolution == pytest.approx((300 / 25.4, 300 / 25.4))

    larger = like(image, Picture(smooth(3, size=(32, 24)), meta))
    again = io.BytesIO()
    larger.save(again, "JPEG", exif=larger.info["exif"], icc_profile=larger.info["icc_profile"])
    seen = Image.open(again)
    assert (seen.info["icc_profile"], seen.size) == (SRGB, (32, 24))
    photo = seen.getexif().get_ifd(exif.EXIF_DIRECTORY)
    assert (photo[exif.PIXEL_X], photo[exif.PIXEL_Y]) == (32, 24)
    assert (larger.info["dpi"], larger.info["xmp"]) == ((300, 300), XMP)


def test_pillow_is_never_imported() -> None:
    script = (
        "import sys, numpy; from subpixel.media.arrays import like, to_picture\n"
        "array = numpy.zeros((2, 2, 3), 'uint8'); like(array, to_picture(array))\n"
        "try: to_picture('nothing')\n"
        "except ValueError: assert 'PIL' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
