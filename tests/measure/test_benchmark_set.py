from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.errors import UsageError
from subpixel.measure.benchmark_set import benchmark, describe_rest, expect_sizes, read_pair
from subpixel.measure.task_psnr import expect_bench


def save(file: Path, height: int, width: int, grey: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), grey, np.uint8)).save(file)


def make_set(
    folder: Path, small: Sequence[str], truths: Sequence[str] = ("a.png", "b.png")
) -> Path:
    """Black ground truth, grey small pictures."""
    for name in truths:
        save(folder / "GT" / name, 40, 50)
    for name in small:
        save(folder / "x2" / name, 20, 25, grey=80)
    return folder


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no pictures"):
        benchmark(tmp_path, 2)


@pytest.mark.parametrize(
    "names", [("a.png", "b.png"), ("ax2.png", "bx2.png"), ("a.png", "bx2.png")]
)
def test_small_pictures_are_found_by_name(tmp_path: Path, names: Sequence[str]) -> None:
    """By the truth's own, or as DIV2K has them."""
    pictures = benchmark(make_set(tmp_path, names), 2)
    assert pictures.lows is not None
    assert [file.name for file in pictures.lows] == list(names)
    assert pictures.low_resolution == "x2/"
    assert [int(read_pair(pictures, place)[0].max()) for place in (0, 1)] == [80, 80]


@pytest.mark.parametrize("layout", ["a set", "ground truth alone"])
def test_without_their_folder_all_are_made(tmp_path: Path, layout: str) -> None:
    data = make_set(tmp_path, ("a.png", "b.png"))
    data, scale = (data, 4) if layout == "a set" else (data / "GT", 2)
    pictures = benchmark(data, scale)
    assert pictures.lows is None
    assert pictures.low_resolution == "bicubic reduction"
    assert int(read_pair(pictures, 0)[0].max()) == 0


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.png"], r"x2 doesn't hold the small pictures of .*GT: none for b\.png; complete"),
        (["a.png", "b.png", "c.png"], r": no ground truth for c\.png; complete"),
        (["a.png", "b.jpg"], r": none for b\.png, no ground truth for b\.jpg;"),
        (["a.png", "ax2.png", "b.png"], r": no ground truth for ax2\.png;"),
        (["a.png", "b.png", "1.png", "2.png", "3.png", "4.png", "5.png"], "3.png and 2 more;"),
    ],
)
def test_a_set_is_never_of_two_protocols(
    tmp_path: Path, names: Sequence[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        benchmark(make_set(tmp_path, names), 2)


def test_a_pair_that_does_not_fit_is_named(tmp_path: Path) -> None:
    data = make_set(tmp_path, ("a.png", "b.png"))
    save(data / "x2" / "b.png", 20, 24)
    with pytest.raises(
        UsageError, match=r"x2/b\.png measures 24×20, where .*GT/b\.png at ×2 needs 25×20"
    ):
        expect_bench(data, 2)


def test_what_is_cropped_of_the_truth_needs_no_partner(tmp_path: Path) -> None:
    data = make_set(tmp_path, ("a.png", "b.png"))
    save(data / "GT" / "b.png", 41, 51)
    pictures = benchmark(data, 2)
    expect_sizes(pictures)
    low, truth = read_pair(pictures, 1)
    assert (low.shape, truth.shape) == ((20, 25, 3), (40, 50, 3))


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    data = make_set(tmp_path / "set", ("a.png", "b.png"))
    assert describe_rest(data) == ""
    for folder in (data / "GT", data):
        (folder / "more").mkdir()
        (folder / "readme.txt").touch()
        (folder / ".hidden").touch()
    told = "1 subfolder (more), 1 file that is no picture (readme.txt)"
    assert describe_rest(data) == told
    save(data / "GT" / "c.png", 20, 20)
    assert describe_rest(data) == told
