import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.color import rgb2ycbcr

from subpixel.imaging.colour import CHROMA_TO_RGB, RGB_TO_CHROMA, luma, studio_luma

colours = st.tuples(*[st.integers(0, 255)] * 3)


@given(colours)
def test_studio_luma_is_scikit_images(colour: tuple[int, int, int]) -> None:
    rgb = np.array([[colour]], np.uint8)
    # scikit-image carries the standard's three-decimal coefficients, MATLAB's own.
    np.testing.assert_allclose(studio_luma(rgb), rgb2ycbcr(rgb)[..., 0], atol=2e-3)


@given(colours)
def test_luma_and_chroma_are_pillows(colour: tuple[int, int, int]) -> None:
    rgb = np.array([[colour]], np.uint8)
    pillow = np.asarray(Image.fromarray(rgb).convert("YCbCr"), np.float64)[0, 0]
    ours = np.array([luma(rgb)[0, 0], *(RGB_TO_CHROMA @ rgb[0, 0] + 128)])
    # Pillow cuts off, and its three terms are rounded to 1/64 each.
    assert np.abs(ours - pillow).max() < 1 + 3 / 128


@given(colours)
def test_there_and_back_is_the_same_colour(colour: tuple[int, int, int]) -> None:
    rgb = np.array(colour) / 255
    back = luma(rgb) + CHROMA_TO_RGB @ (RGB_TO_CHROMA @ rgb)
    np.testing.assert_allclose(back, rgb, atol=1e-12)
