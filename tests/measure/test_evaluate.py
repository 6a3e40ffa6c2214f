from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import UsageError
from subpixel.measure.evaluate import evaluate
from subpixel.resample import enlarge


def test_bicubic_scores_what_the_literature_says(shared_data: Path) -> None:
    """Set5 x3: 30.39 in the literature, 30.41 with Pillow's border."""
    found = evaluate(lambda low: enlarge(low, 3, 3), shared_data / "bench" / "Set5", 3)
    assert found.network.psnr == pytest.approx(30.40, abs=0.02)
    assert found.network == found.bicubic


def test_low_resolution_is_made_where_there_is_none(shared_data: Path) -> None:
    """From ground truth alone the scores are those of MATLAB's low-resolution files."""
    pairs = shared_data / "bench" / "Set5"
    alone = evaluate(lambda low: enlarge(low, 2, 2), pairs / "GT", 2)
    assert alone.scores == evaluate(lambda low: enlarge(low, 2, 2), pairs, 2).scores


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no pictures"):
        evaluate(lambda low: low, tmp_path, 2)


def test_sizes_off_the_scale_are_cropped(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((31, 38, 3), np.uint8)).save(tmp_path / "a.png")
    found = evaluate(lambda low: enlarge(low, 3, 3), tmp_path, 3)
    assert len(found.scores) == 1
