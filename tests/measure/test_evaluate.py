from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import PictureError, UsageError
from subpixel.imaging.resample import enlarge, imresize
from subpixel.measure.benchmark_set import benchmark
from subpixel.measure.evaluate import evaluate
from subpixel.media.jpeg_degradation import through_jpeg


def test_bicubic_scores_what_the_literature_says(shared_data: Path) -> None:
    """Set5 x3: 30.39 in the literature, 30.41 with Pillow's border."""
    found = evaluate(lambda low: enlarge(low, 3, 3), benchmark(shared_data / "bench" / "Set5", 3))
    assert found.network.psnr == pytest.approx(30.40, abs=0.02)
    assert found.network == found.bicubic


@pytest.mark.slow
def test_low_resolution_is_made_where_there_is_none(shared_data: Path) -> None:
    """From ground truth alone the scores are those of MATLAB's low-resolution files."""
    pairs = shared_data / "bench" / "Set5"
    alone = evaluate(lambda low: enlarge(low, 2, 2), benchmark(pairs / "GT", 2))
    assert alone.scores == evaluate(lambda low: enlarge(low, 2, 2), benchmark(pairs, 2)).scores


def test_sizes_off_the_scale_are_cropped(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((31, 38, 3), np.uint8)).save(tmp_path / "a.png")
    found = evaluate(lambda low: enlarge(low, 3, 3), benchmark(tmp_path, 3))
    assert len(found.scores) == 1


def test_perceptual_distances_are_measured_when_asked(tmp_path: Path) -> None:
    """Of the network and of bicubic, which are the same here."""
    for name, value in (("a.png", 40), ("b.png", 80)):
        Image.fromarray(np.full((32, 38, 3), value, np.uint8)).save(tmp_path / name)
    found = evaluate(
        lambda low: enlarge(low, 2, 2),
        benchmark(tmp_path, 2),
        perceive=lambda picture, truth: (float(truth.mean()), float(picture.mean()) / 2),
    )
    assert (found.network.lpips, found.network.dists) == (60, 30)
    assert found.network == found.bicubic


def test_low_resolution_goes_through_jpeg(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 38, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    seen = []
    evaluate(lambda low: seen.append(low) or enlarge(low, 2, 2), benchmark(tmp_path, 2, jpeg=40))
    (low,) = seen
    np.testing.assert_array_equal(low, through_jpeg(imresize(noise, Fraction(1, 2)), 40))


def test_an_error_of_one_picture_names_it(tmp_path: Path) -> None:
    """Whatever was computing."""
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((32, 38, 3), np.uint8)).save(tmp_path / name)

    def fail_later(low: np.ndarray, calls: list[int] = []) -> np.ndarray:  # noqa: B006
        calls.append(1)
        if len(calls) == 2:
            raise PictureError("no network takes 19×16")
        return enlarge(low, 2, 2)

    with pytest.raises(PictureError, match=r"b\.png: no network takes 19×16"):
        evaluate(fail_later, benchmark(tmp_path, 2))


def test_sizes_are_looked_at_before_the_first_picture(tmp_path: Path) -> None:
    for name, side in (("a.png", 40), ("b.png", 14)):
        Image.fromarray(np.zeros((side, 40, 3), np.uint8)).save(tmp_path / name)
    calls: list[object] = []
    with pytest.raises(UsageError, match=r"b\.png measures 40×14.* each side must have 15 pixels"):
        evaluate(lambda low: calls.append(low) or enlarge(low, 2, 2), benchmark(tmp_path, 2))
    assert not calls
