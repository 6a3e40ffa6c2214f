"""Numbers of callers, and the arguments of the Python interface that are checked by them."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from subpixel import EncodeOptions, TargetSize, Upscaler, upscale, write_picture
from subpixel.arguments import expect_integer, expect_number
from subpixel.errors import UsageError
from subpixel.media.arrays import to_picture
from subpixel.media.image_file import encode_picture

IMAGE = np.zeros((8, 9, 3), np.uint8)


@pytest.mark.parametrize("value", [1, 5, np.int64(3), np.uint8(2)])
def test_whole_numbers_are_python_s_and_numpy_s(value: object) -> None:
    expect_integer("quality", value, 1, 5)


@pytest.mark.parametrize(
    "value", [0, 6, True, 2.0, "2", None, math.nan, [2], np.float32(2), 10**400]
)
def test_what_is_no_whole_number_within_limits(value: object) -> None:
    with pytest.raises(UsageError, match=r"quality is .*; it is a whole number of 1 to 5: so"):
        expect_integer("quality", value, 1, 5, hint=": so")


@pytest.mark.parametrize("value", [0, 0.5, 1, Fraction(1, 3), np.float32(0.25)])
def test_numbers_are_real(value: object) -> None:
    expect_number("denoise", value, 0, 1)


@pytest.mark.parametrize("value", [-1, 1.5, True, "0.5", None, math.nan, math.inf, 1j, 10**400])
def test_what_is_no_number_within_limits(value: object) -> None:
    with pytest.raises(UsageError, match=r"denoise is .*; it is a number of 0 to 1"):
        expect_number("denoise", value, 0, 1)


@pytest.mark.parametrize("value", [0, -2.5, math.inf, math.nan, True])
def test_numbers_without_an_end_are_above_the_first_and_finite(value: object) -> None:
    expect_number("scale", 10**400, 0)
    with pytest.raises(UsageError, match=r"scale is .*; it is a number above 0"):
        expect_number("scale", value, 0)


REFUSED: list[tuple[str, object, str]] = [
    ("scale", "2", "scale is '2'; it is a whole number of 1 or more"),
    ("scale", 1.5, r"pictures get any other size by size=TargetSize\(scale=1.5\)"),
    ("scale", [2], r"scale is \[2\]; it is a whole number"),
    ("model", 3, "model is 3; it is 'auto', the name of a network"),
    ("denoise", "x", "the strength is 'x'; it is a number of 0 to 1"),
    ("tile", "x", "tile is 'x'; it is a whole number of 0 or more"),
    ("tile", -1, "tile is -1; it is a whole number of 0 or more"),
    ("tile", math.nan, "tile is nan; it is a whole number of 0 or more"),
    ("threads", 0, "threads is 0; it is a whole number of 1 or more"),
    ("threads", 1.5, "threads is 1.5; it is a whole number of 1 or more"),
]


@pytest.mark.parametrize(("name", "value", "said"), REFUSED)
def test_arguments_are_checked_before_a_network_is_opened(
    name: str,
    value: Any,  # noqa: ANN401
    said: str,
) -> None:
    with pytest.raises(UsageError, match=said):
        Upscaler(**{name: value})
    with pytest.raises(UsageError, match=said):
        upscale(IMAGE, **{name: value})


@pytest.mark.parametrize("value", [-1, 256, math.nan, math.inf, "x"])
def test_adaptive_is_a_number_of_code_values(value: Any) -> None:  # noqa: ANN401
    with pytest.raises(UsageError, match=r"adaptive is .*; it is a number of 0 to 255 code values"):
        Upscaler("fast", scale=2, adaptive=value)


def test_adaptive_0_is_not_taken_for_1() -> None:
    def described(adaptive: float) -> str:
        return Upscaler("fast", scale=2, adaptive=adaptive, tuning=False).fingerprint()["computed"]

    assert described(0) != described(1)


@pytest.mark.parametrize("value", [1.5, True, "x", 0])
def test_a_batch_is_a_whole_number(value: Any) -> None:  # noqa: ANN401
    with pytest.raises(UsageError, match=f"batch is {value!r}; it is a whole number of 1 or more"):
        Upscaler("fast", scale=2, batch=value)


@pytest.mark.parametrize("size", [(3, 4), 40, 1.5, "2x"])
def test_a_size_is_a_target_size(size: Any) -> None:  # noqa: ANN401
    with pytest.raises(UsageError, match=r"size is .*; give a TargetSize, such as size="):
        upscale(IMAGE, model="fast", size=size)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"quality": 50.5}, "quality is 50.5; it is a whole number of 1 to 100"),
        ({"quality": "high"}, "quality is 'high'; it is a whole number"),
        ({"png_compression": True}, "png_compression is True; it is a whole number"),
        ({"effort": 2.5}, "effort is 2.5; it is a whole number of 0 to 9"),
        ({"lossless": "x"}, "lossless is 'x'; it is True or False"),
        ({"lossless": 1}, "lossless is 1; it is True or False"),
    ],
)
def test_options_of_encoding(option: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        EncodeOptions(**option)


@pytest.mark.parametrize("image", [IMAGE, Image.fromarray(IMAGE), None])
def test_what_takes_a_picture_says_so(image: Any, tmp_path: Path) -> None:  # noqa: ANN401
    upscaler, file = Upscaler("fast", scale=2), tmp_path / "large.png"
    for call in (
        lambda: upscaler.picture(image),
        lambda: upscaler.file(image, file),
        lambda: write_picture(image, file),
        lambda: encode_picture(image, file),
    ):
        with pytest.raises(UsageError, match=r"picture is of .*; give Picture: read_picture"):
            call()
    assert not file.exists()


def test_encoding_takes_its_own_options(tmp_path: Path) -> None:
    options: Any = {"quality": 90}
    with pytest.raises(UsageError, match=r"options is of builtins\.dict; give EncodeOptions: "):
        write_picture(to_picture(IMAGE), tmp_path / "small.jpg", options)


def test_numpy_s_numbers_do_as_python_s() -> None:
    assert TargetSize(width=np.int64(40)).extent_of(10, 20).height == 20
    assert EncodeOptions(quality=np.int64(50)) == EncodeOptions(quality=50)
    assert Upscaler("fast", scale=np.int64(2), threads=np.int64(1))(IMAGE).shape == (16, 18, 3)
