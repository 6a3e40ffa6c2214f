from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rounding import dot_bound
from subpixel.imaging.resample import bicubic_matrix, enlarge, imresize, interpolate, phase_weights


@pytest.mark.parametrize("scale", range(1, 9))
def test_phase_weights_sum_to_one(scale: int) -> None:
    np.testing.assert_allclose(phase_weights(scale).sum(axis=1), 1.0, atol=1e-12)


@given(st.integers(1, 40), st.integers(1, 6))
def test_the_matrix_and_the_phases_are_one_interpolation(size: int, scale: int) -> None:
    """Two roads to the same numbers: dense rows, and five weights per phase."""
    matrix = bicubic_matrix(size, scale)
    signal = np.random.default_rng(size).random(size)
    padded = np.pad(signal, 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5)
    polyphase = (windows @ phase_weights(scale).T).reshape(-1)
    np.testing.assert_allclose(matrix @ signal, polyphase, atol=1e-12)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 5))
def test_a_picture_by_phases_is_the_picture_by_matrices(
    height: int, width: int, scale: int
) -> None:
    picture = np.random.default_rng(height).random((height, width, 2), dtype=np.float32)
    down, across = bicubic_matrix(height, scale), bicubic_matrix(width, scale)
    expected = np.einsum("ih,jw,hwc->ijc", down, across, picture)
    # five weights each way, of which the sizes sum to less than 1.5, and ours are rounded, too
    within = dot_bound(2 * (5 + 1), 1.5**2)
    np.testing.assert_allclose(interpolate(picture, scale), expected, rtol=0, atol=within)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlarging_agrees_with_pillow_away_from_the_border(scale: int) -> None:
    picture = np.random.default_rng(0).integers(80, 176, (24, 17, 3), dtype=np.uint8)
    size = (17 * scale, 24 * scale)
    pillow = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC), np.int64)
    inner = slice(2 * scale, -2 * scale)
    ours = enlarge(picture, scale, scale).astype(np.int64)
    # One code value, because Pillow rounds between its two passes too.
    assert np.abs(ours - pillow)[inner, inner].max() <= 1


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("benchmark", ["Set5", "Set14"])
def test_imresize_is_matlabs_to_the_last_digit(
    shared_data: Path, benchmark: str, scale: int
) -> None:
    """Every pixel of the field's low-resolution files, which MATLAB made. No exceptions."""
    folder = shared_data / "bench" / benchmark
    for file in sorted((folder / "GT").glob("*.png")):
        truth = np.asarray(Image.open(file))
        height, width = (side // scale * scale for side in truth.shape[:2])
        expected = np.asarray(Image.open(folder / f"x{scale}" / file.name))
        assert np.array_equal(imresize(truth[:height, :width], Fraction(1, scale)), expected), file


def test_imresize_measures_what_matlab_measures() -> None:
    assert imresize(np.zeros((10, 11), np.uint8), Fraction(1, 3)).shape == (4, 4)
    assert imresize(np.zeros((10, 11, 3), np.float32), Fraction(3, 2)).shape == (15, 17, 3)
