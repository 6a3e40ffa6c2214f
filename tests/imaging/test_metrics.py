import math

import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from subpixel.errors import UsageError
from subpixel.imaging.metrics import Quality, mean_quality, psnr, quality, ssim

PAPERS = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
"""Wang et al.'s window and variances; scikit-image's defaults are others."""


def _pictures() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.integers(0, 256, (40, 30, 3), dtype=np.uint8)
    noise = random.integers(-9, 10, truth.shape)
    return truth, np.clip(truth + noise, 0, 255).astype(np.uint8)


def test_psnr_is_scikit_images() -> None:
    truth, result = _pictures()
    expected = peak_signal_noise_ratio(truth, result, data_range=255)
    assert psnr(result, truth) == pytest.approx(expected, abs=1e-9)


def test_ssim_is_scikit_images_with_the_papers_window() -> None:
    truth, result = _pictures()
    expected = structural_similarity(truth[..., 0], result[..., 0], data_range=255, **PAPERS)
    assert ssim(truth[..., 0], result[..., 0]) == pytest.approx(expected, abs=1e-9)


def test_quality_is_scikit_images_without_the_border() -> None:
    truth, result = _pictures()
    inner = slice(3, -3)
    shaved = [picture[inner, inner] for picture in (truth, result)]
    lumas = [rgb2ycbcr(picture)[..., 0] for picture in shaved]
    found = quality(result, truth, shave=3)
    assert found.psnr == pytest.approx(peak_signal_noise_ratio(*lumas, data_range=255), abs=1e-3)
    expected = structural_similarity(*lumas, data_range=255, **PAPERS)
    assert found.ssim == pytest.approx(expected, abs=1e-6)
    assert found.psnr_rgb == pytest.approx(peak_signal_noise_ratio(*shaved, data_range=255))
    expected = structural_similarity(*shaved, data_range=255, channel_axis=2, **PAPERS)
    assert found.ssim_rgb == pytest.approx(expected, abs=1e-9)


def test_means_are_of_each_figure() -> None:
    assert mean_quality([Quality(1, 2, 3, 4), Quality(3, 4, 5, 6)]) == Quality(2, 3, 4, 5)
    perceptual = [Quality(1, 2, 3, 4, 5, 6), Quality(3, 4, 5, 6, 7, 8)]
    assert mean_quality(perceptual) == Quality(2, 3, 4, 5, 6, 7)


def test_perceptual_distances_are_of_the_same_pixels_as_the_rest() -> None:
    truth, result = _pictures()
    seen = []
    found = quality(result, truth, 3, lambda *pictures: seen.append(pictures) or (0.25, 0.125))
    assert (found.lpips, found.dists) == (0.25, 0.125)
    ((picture, reference),) = seen
    np.testing.assert_array_equal(picture, result[3:-3, 3:-3])
    np.testing.assert_array_equal(reference, truth[3:-3, 3:-3])


def test_equal_pictures_are_infinitely_close() -> None:
    truth, _ = _pictures()
    assert psnr(truth, truth) == math.inf
    assert ssim(truth[..., 0], truth[..., 0]) == 1


def test_sizes_must_agree() -> None:
    with pytest.raises(UsageError, match="must be equal"):
        psnr(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(UsageError, match="must be equal"):
        ssim(np.zeros((2, 2)), np.zeros((2, 3)))


@pytest.mark.parametrize("size", [(20, 12), (12, 20), (6, 6), (16, 40)])
def test_a_picture_too_small_for_the_protocol_is_refused(size: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    with pytest.raises(UsageError, match="each side must have 17 pixels"):
        quality(picture, picture, shave=3)


def test_the_smallest_picture_is_measured() -> None:
    picture = np.zeros((17, 17, 3), np.uint8)
    assert quality(picture, picture, shave=3).ssim == pytest.approx(1.0)
    assert math.isnan(ssim(picture[:10, :, 0], picture[:10, :, 0]))
