"""The value itself, and the rounding between sample types."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import smooth
from subpixel.errors import LossError, PictureError
from subpixel.media.image_file import read_picture, write_picture
from subpixel.media.picture import Header, Metadata, Picture, convert_samples

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


@pytest.mark.parametrize(("dtype", "bits"), [(U8, 8), (U16, 16), (F32, 32)])
def test_the_depth_left_out_is_the_dtype_s(dtype: np.dtype, bits: int) -> None:
    picture = Picture(np.zeros((1, 4, 4, 3), dtype))
    header = Header(picture.header.shape, dtype)
    assert picture.bit_depth == picture.header.bit_depth == header.bit_depth == bits
    assert replace(picture, metadata=Metadata(orientation=6)).bit_depth == bits


@pytest.mark.parametrize("bits", [*range(18), 32, -8, True, 16.0, "x"])
@pytest.mark.parametrize("dtype", [U8, U16, F32])
def test_depths_that_samples_can_t_have_are_refused(dtype: np.dtype, bits: Any) -> None:  # noqa: ANN401
    allowed = {U8: [8], U16: [9, 10, 11, 12, 13, 14, 15, 16], F32: [32]}[dtype]
    frames = np.zeros((1, 4, 4, 3), dtype)
    if type(bits) is int and bits in allowed:
        assert Picture(frames, bit_depth=bits).header.bit_depth == bits
        return
    with pytest.raises(PictureError, match=rf"bit_depth is {bits!r}; samples of {dtype} have "):
        Picture(frames, bit_depth=bits)
    with pytest.raises(PictureError, match="bit_depth is"):
        Header((1, 4, 4, 3), dtype, bit_depth=bits)


def test_frames_of_another_dtype_need_another_depth() -> None:
    picture = Picture(smooth(3))
    deep = convert_samples(picture.frames, U16)
    with pytest.raises(PictureError, match="bit_depth is 8; samples of uint16 have 9 to 16"):
        replace(picture, frames=deep)
    assert replace(picture, frames=deep, bit_depth=12).header.bit_depth == 12


@pytest.mark.parametrize("frames", [[[[[0]]]], "a.png", None])
def test_what_is_no_array_is_refused(frames: Any) -> None:  # noqa: ANN401
    with pytest.raises(PictureError, match="give a numpy array of the shape"):
        Picture(frames)


@pytest.mark.parametrize(("dtype", "name"), [(U16, "a.png"), (F32, "a.tif"), (U16, "a.tif")])
def test_deep_samples_are_written_deep(dtype: np.dtype, name: str, tmp_path: Path) -> None:
    frames = convert_samples(smooth(3, np.uint16), dtype)
    losses = write_picture(Picture(frames), tmp_path / name)
    back = read_picture(tmp_path / name)
    assert back.bit_depth == 16
    assert np.array_equal(back.frames, convert_samples(frames, U16))
    assert [loss.what for loss in losses] == (["bit depth"] if dtype == F32 else [])


def test_what_a_file_of_8_bits_loses_is_named(tmp_path: Path) -> None:
    picture = Picture(smooth(3, np.uint16))
    with pytest.raises(LossError, match="16 bits per sample are rounded to the 8 of WebP"):
        write_picture(picture, tmp_path / "a.webp", strict=True)
