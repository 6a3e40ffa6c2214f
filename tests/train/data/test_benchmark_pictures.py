from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import UsageError
from subpixel.imaging.resample import imresize
from subpixel.media.photograph import photograph
from subpixel.train.data.benchmark_pictures import (
    _read_signatures,
    expect_no_benchmark,
    picture_signature,
)
from subpixel.train.data.prepared import prepare_sizes


def test_all_of_three_sets_are_listed() -> None:
    names, bits = _read_signatures()
    assert (len(names), bits.shape) == (119, (119, 256))
    assert sorted({name.split("/")[0] for name in names}) == ["BSD100", "Set14", "Set5"]


def test_other_pictures_pass() -> None:
    expect_no_benchmark(photograph(), Path("photo.jpg"))
    expect_no_benchmark(np.zeros((40, 40, 3), np.uint8), Path("black.png"))
    expect_no_benchmark(np.zeros((4, 4, 3), np.uint8), Path("tiny.png"))


def test_signatures_survive_sizes() -> None:
    rgb = photograph()
    whole, half = picture_signature(rgb), picture_signature(imresize(rgb, Fraction(1, 2)))
    assert (whole != half).sum() <= 10
    assert (whole != picture_signature(rgb[::-1])).sum() > 60


@pytest.mark.parametrize("name", ["Set5/GT/butterfly.png", "Set14/x2/baboon.png"])
def test_a_benchmark_picture_is_recognised_under_another_name(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    original = Image.open(shared_data / "bench" / name).convert("RGB")
    renamed = tmp_path / "holiday.jpg"
    original.resize((original.width * 4 // 5, original.height * 4 // 5)).save(renamed, quality=70)
    with pytest.raises(UsageError, match=r"holiday\.jpg is Set\d+/\w+, a picture of a benchmark"):
        prepare_sizes(renamed)
