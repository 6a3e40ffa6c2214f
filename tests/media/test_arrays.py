"""Arrays and Pillow images become pictures and come back as what they were."""

import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image, ImageOps

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


@given(array=st_numpy.arrays(np.float32, SHAPES, elements=st.floats(0, 1, width=32)))
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
    ("low", "high", "hint"),
    [
        (0, 255, "divide by 255 where that is white: image / 255"),
        (0, 254.5, "divide by 255 where that is white: image / 255"),
        (0, 65535, "divide by 65535 where that is white: image / 65535"),
        (-1, 1, "(image + 1) / 2 where black is -1, or np.clip(image, 0, 1) cuts off what is"),
        (-0.1, 1.2, "np.clip(image, 0, 1) cuts off what is beyond"),
        (0, 1.01, "np.clip(image, 0, 1) cuts off what is beyond"),
    ],
)
def test_floats_outside_the_unit_range(low: float, high: float, hint: str) -> None:
    array = np.linspace(low, high, 48, dtype=np.float32).reshape(4, 4, 3)
    with pytest.raises(UsageError, match=re.escape(f": {hint}")) as error:
        to_picture(array)
    assert f"got float32 samples from {low:g} to {high:g}; give a numpy array" in str(error.value)


def test_rounding_is_no_other_range() -> None:
    array = np.array([[-1e-7, 1 + 1e-6]], np.float32)
    assert np.array_equal(to_picture(array).frames[0, ..., 0], array)


EIGHT = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
UNIT = EIGHT / np.float32(255)
ODD = [
    (EIGHT.astype(np.int64), EIGHT),
    (EIGHT.astype(np.int32) * 300, EIGHT.astype(np.uint16) * 300),
    (EIGHT.astype(">u2"), EIGHT.astype(np.uint16)),
    (EIGHT > 50, (EIGHT > 50) * np.uint8(255)),
    (UNIT.astype(np.float64), UNIT),
    (EIGHT.astype(np.float64), UNIT),
    (UNIT.astype(np.float16), UNIT.astype(np.float16).astype(np.float32)),
    (EIGHT.transpose(2, 0, 1), EIGHT),
    (EIGHT.transpose(2, 0, 1)[None], EIGHT),
    (EIGHT[None], EIGHT),
    (EIGHT.transpose(2, 0, 1).astype(np.int64), EIGHT),
    (EIGHT[..., :1].transpose(2, 0, 1), EIGHT[..., :1]),
]


@pytest.mark.parametrize("index", range(len(ODD)))
def test_the_hint_at_an_array_is_right(index: int) -> None:
    """What the message says is run, and makes the image that was meant."""
    image, expected = ODD[index]
    with pytest.raises(UsageError, match="give a numpy array") as error:
        to_picture(image)
    hint = str(error.value).rpartition("a Pillow image: ")[2]
    made = eval(hint, {"image": image, "np": np})
    assert made.dtype == expected.dtype
    assert np.array_equal(to_picture(made).frames[0], expected)


def test_what_no_line_helps_gets_none() -> None:
    for image in (np.full((4, 4), -1), np.zeros((6, 6, 5), np.uint8), np.array([["a"]]), None):
        with pytest.raises(UsageError, match=r"or a Pillow image$"):
            to_picture(image)
    with pytest.raises(UsageError, match=r"mask would be lost.*: image.filled\(\) makes one"):
        to_picture(np.ma.masked_less(EIGHT, 5))


def _encoded() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(EIGHT).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("image", "name", "hint"),
    [
        (lambda: _encoded(), "data", "of a file's bytes: PIL.Image.open(io.BytesIO(data))"),
        (lambda: io.BytesIO(_encoded()), "file", "of an open file: PIL.Image.open(file)"),
        (lambda: EIGHT.tolist(), "image", "of what is like an array: np.asarray(image)"),
    ],
)
def test_the_hint_at_what_holds_an_image_is_right(
    image: Callable[[], object], name: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(f"; {hint}")):
        to_picture(image())
    scope = {"np": np, "io": io, "PIL": PIL, name: image()}
    made = np.asarray(eval(hint.partition(": ")[2], scope))
    assert np.array_equal(made, EIGHT)


@pytest.mark.parametrize("path", ["photo.jpg", Path("photo.jpg")])
def test_the_hint_at_a_path(path: object) -> None:
    with pytest.raises(UsageError, match=r"Upscaler\(\)\.file\('photo.jpg', 'larger.png'\)"):
        to_picture(path)
    with pytest.raises(UsageError, match=r"Upscaler\(\)\.picture\(picture\)"):
        to_picture(Picture(EIGHT[None]))


def test_the_hint_at_a_tensor_is_right() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(UNIT.transpose(2, 0, 1).copy()).requires_grad_()
    for odd in (tensor, tensor[None]):
        with pytest.raises(UsageError, match="got Tensor; give a numpy array") as error:
            to_picture(odd)
        hint = str(error.value).rpartition("of a tensor: ")[2]
        assert np.array_equal(eval(hint, {"tensor": odd}), UNIT)


@pytest.mark.parametrize("form", ["TIFF", "JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_pillow_image_stands_as_pillow_turns_it(form: str, orientation: int) -> None:
    """Pillow's own `exif_transpose` is the oracle, before and after, and after a file."""
    exif_data = Image.Exif()
    exif_data[exif.ORIENTATION], exif_data[0x010F] = orientation, "Maker"
    stream = io.BytesIO()
    options = {"lossless": True} if form == "WEBP" else {"quality": 100} if form == "JPEG" else {}
    Image.fromarray(EIGHT).save(stream, form, exif=exif_data, **options)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(stream)))

    image = Image.open(stream)
    back = like(image, to_picture(image))
    saved = io.BytesIO()
    back.save(saved, "PNG", exif=back.info.get("exif", b""))
    for seen in (back, Image.open(saved)):
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(seen)), upright)
        assert seen.getexif()[0x010F] == "Maker"


def test_a_tiff_s_strips_are_no_exif_of_its_picture() -> None:
    stream = io.BytesIO()
    Image.fromarray(EIGHT).save(stream, "TIFF", description="a day", resolution=300)
    image = Image.open(stream)
    back = like(image, to_picture(image))
    loaded = Image.Exif()
    loaded.load(back.info["exif"])
    assert dict(loaded) == {0x010E: "a day"}


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
