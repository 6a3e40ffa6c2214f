"""The value itself, and the rounding between sample types."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import smooth
from subpixel.errors import PictureError
from subpixel.media.picture import Picture, convert_samples

U8, U16, F32 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [U8, U16, F32])
def test_rgb8(channels: int, dtype: np.dtype) -> None:
    eight = smooth(channels)
    rgb = Picture(convert_samples(eight, dtype)).rgb8()
    assert (rgb.dtype, rgb.shape) == (U8, (12, 16, 3))
    colours = eight[0, ..., :1] if channels < 3 else eight[0, ..., :3]
    assert np.array_equal(rgb, np.broadcast_to(colours, rgb.shape))


def test_every_16_bit_value_goes_to_the_nearest_8_bit_one() -> None:
    every = np.arange(65536, dtype=np.uint16)
    exact = [int(Fraction(int(v) * 255, 65535) + Fraction(1, 2)) for v in every]
    assert convert_samples(every, U8).tolist() == exact


@given(value=st.floats(-1, 2, width=32), deep=st.booleans())
def test_floats_are_clipped_and_rounded(value: float, deep: bool) -> None:
    dtype = U16 if deep else U8
    most = np.iinfo(dtype).max
    [seen] = convert_samples(np.array([value], np.float32), dtype).tolist()
    assert abs(seen - min(max(value, 0), 1) * most) <= 0.5 + most * 2**-23


@pytest.mark.parametrize(("source", "target"), [(U8, U16), (U8, F32), (U16, F32)])
def test_there_and_back_again(source: np.dtype, target: np.dtype) -> None:
    every = np.arange(np.iinfo(source).max + 1).astype(source)
    assert np.array_equal(convert_samples(convert_samples(every, target), source), every)


def test_the_same_type_is_not_copied() -> None:
    samples = smooth(3)
    assert convert_samples(samples, U8) is samples


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((4, 4, 3), U8), ((1, 4, 4, 5), U8), ((1, 0, 4, 3), U8), ((1, 4, 4, 3), np.dtype(np.int16))],
)
def test_what_is_no_picture(shape: tuple[int, ...], dtype: np.dtype) -> None:
    with pytest.raises(PictureError, match="a picture"):
        Picture(np.zeros(shape, dtype))
