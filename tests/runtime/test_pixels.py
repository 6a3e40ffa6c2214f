import numpy as np
import pytest

from networks import BoxBlur, NearestNeighbour
from subpixel.errors import NetworkError
from subpixel.runtime.op import Codes, Pixels
from subpixel.runtime.pixels import to_pixels, to_samples
from subpixel.upscaling.samples import upscale_codes, upscale_samples

DTYPES = (np.uint8, np.uint16, np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_samples_survive_the_way_through_pixels(dtype: type, channels: int) -> None:
    full = 1 if dtype is np.float32 else np.iinfo(dtype).max
    values = np.random.default_rng(0).random((2, 5, 7, channels)) * full
    samples = values.astype(dtype)
    back = to_samples(to_pixels(samples), samples.dtype)
    assert back.dtype == samples.dtype
    assert np.array_equal(back, samples)


def test_every_16_bit_value_survives() -> None:
    samples = np.arange(65536, dtype=np.uint16).reshape(1, 256, 256, 1)
    assert np.array_equal(to_samples(to_pixels(samples), samples.dtype), samples)


def test_values_are_rounded_half_up_and_clipped() -> None:
    pixels = np.array([-0.2, 0.4 / 255, 0.5 / 255, 1.5, 254.4 / 255], np.float32)
    samples = to_samples(pixels.reshape(1, 1, 1, 5), np.dtype(np.uint8))
    assert samples.ravel().tolist() == [0, 0, 1, 255, 254]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_never_become_a_picture(bad: float) -> None:
    def broken(pixels: Pixels) -> Pixels:
        result = pixels.copy()
        result[1, 0, 1, 1] = bad
        return result

    with pytest.raises(NetworkError, match="NaN or infinity"):
        upscale_samples(broken, np.zeros((2, 4, 4, 3), np.uint8), opaque=False)


def test_grey_stays_grey_under_a_network_that_tints() -> None:
    def tinted(pixels: Pixels) -> Pixels:
        return pixels * np.array([1.0, 0.5, 0.25], np.float32)[None, :, None, None]

    result = upscale_samples(tinted, np.full((1, 3, 3, 1), 200, np.uint8), opaque=False)
    expected = round(200 * (0.299 + 0.587 * 0.5 + 0.114 * 0.25))
    assert result.shape == (1, 3, 3, 1)
    assert (result == expected).all()


def test_opaque_alpha_is_full_and_changes_nothing() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (2, 9, 8, 3), dtype=np.uint8)
    rgba = np.concatenate([rgb, np.full((2, 9, 8, 1), 255, np.uint8)], axis=3)
    op = BoxBlur(2, 2)
    result = upscale_samples(op, rgba, opaque=True)
    assert (result[..., 3] == 255).all()
    assert np.array_equal(result[..., :3], upscale_samples(op, rgb, opaque=False))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_dtype_and_channels_come_out_as_they_went_in(dtype: type, channels: int) -> None:
    samples = np.ones((2, 3, 5, channels), dtype)
    result = upscale_samples(NearestNeighbour(2), samples, opaque=False)
    assert result.dtype == dtype
    assert result.shape == (2, 6, 10, channels)


def nearest(codes: Codes) -> Codes:
    return codes.repeat(2, axis=1).repeat(2, axis=2)


@pytest.mark.parametrize("opaque", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_8_bit_samples_go_the_same_way_without_floats(channels: int, opaque: bool) -> None:
    random = np.random.default_rng(channels)
    samples = random.integers(0, 256, (2, 9, 7, channels), dtype=np.uint8)
    if opaque and channels in (2, 4):
        samples[..., -1] = 255
    found = upscale_codes(nearest, samples, opaque=opaque)
    assert found.dtype == np.uint8
    assert np.array_equal(found, upscale_samples(NearestNeighbour(2), samples, opaque=opaque))
    assert np.array_equal(found, nearest(samples))


def test_8_bit_alpha_stays_between_its_neighbours() -> None:
    def overshooting(codes: Codes) -> Codes:
        return np.where(nearest(codes) > 127, np.uint8(255), np.uint8(0))

    samples = np.full((1, 4, 4, 2), 200, np.uint8)
    assert (upscale_codes(overshooting, samples, opaque=False)[..., 1] == 200).all()
