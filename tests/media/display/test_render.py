"""A picture is shown upright and in sRGB; Pillow turns and converts beside it."""

import io

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms, ImageOps

from samples import SRGB, grey_profile, smooth
from subpixel.media.display.render import render_srgb, turn_rows_upright
from subpixel.media.metadata import exif
from subpixel.media.picture import Metadata, Picture

P3 = bytes(pyvips.Operation.call("profile_load", "p3"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_as_pillow_turns_it(orientation: int) -> None:
    pixels = smooth(3)[0]
    image = Image.fromarray(pixels)
    image.getexif()[exif.ORIENTATION] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(turn_rows_upright(pixels, orientation), expected)
    picture = Picture(pixels[None], Metadata(orientation=orientation))
    assert np.array_equal(render_srgb(picture), expected)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_wide_gamut_becomes_srgb_as_pillow_makes_it(channels: int, dtype: type) -> None:
    samples = smooth(channels).astype(dtype) * (257 if dtype is np.uint16 else 1)
    picture = Picture(samples, Metadata(icc=P3), bit_depth=dtype(0).itemsize * 8)
    shown = render_srgb(picture)
    profiles = [ImageCms.ImageCmsProfile(io.BytesIO(data)) for data in (P3, SRGB)]
    turn = ImageCms.buildTransform(*profiles, "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    expected = np.asarray(turn.apply(Image.fromarray(picture.rgb8())), int)
    assert np.abs(shown - expected).max() <= 2
    assert np.abs(picture.rgb8() - expected).max() > 10, "there was something to convert"


def test_grey_has_a_profile_of_its_own() -> None:
    grey = Picture(smooth(1), Metadata(icc=grey_profile()))
    shown = render_srgb(grey)
    assert shown.shape == (12, 16, 3)
    assert np.abs(shown - grey.rgb8().astype(int)).max() <= 12, "gamma 2.2 is near sRGB's curve"
    assert np.ptp(shown, axis=2).max() <= 1


@pytest.mark.parametrize("profile", [None, b"no profile", grey_profile()])
def test_without_a_profile_for_its_channels_it_is_srgb(profile: bytes | None) -> None:
    picture = Picture(smooth(3), Metadata(icc=profile))
    assert np.array_equal(render_srgb(picture), picture.rgb8())
