import math

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio

from subpixel.errors import UsageError
from subpixel.measure.metrics import psnr, psnr_luma


def _pictures() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.integers(0, 256, (40, 30, 3), dtype=np.uint8)
    noise = random.integers(-9, 10, truth.shape)
    return truth, np.clip(truth + noise, 0, 255).astype(np.uint8)


def test_psnr_is_scikit_images() -> None:
    truth, result = _pictures()
    expected = peak_signal_noise_ratio(truth, result, data_range=255)
    assert psnr(result, truth) == pytest.approx(expected, abs=1e-9)


def test_luma_psnr_is_scikit_images_on_its_own_luma() -> None:
    truth, result = _pictures()
    inner = slice(3, -3)
    lumas = (rgb2ycbcr(picture)[inner, inner, 0] for picture in (truth, result))
    expected = peak_signal_noise_ratio(*lumas, data_range=255)
    assert psnr_luma(result, truth, shave=3) == pytest.approx(expected, abs=0.001)


def test_equal_pictures_are_infinitely_close() -> None:
    truth, _ = _pictures()
    assert psnr(truth, truth) == math.inf


def test_sizes_must_agree() -> None:
    with pytest.raises(UsageError, match="must be of one size"):
        psnr(np.zeros((2, 2)), np.zeros((2, 3)))
