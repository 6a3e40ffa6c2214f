from pathlib import Path

import pytest

from subpixel.errors import UsageError
from subpixel.train.data.photographs import group_tiles, split_pictures


def names(groups: dict[str, list[Path]]) -> list[list[str]]:
    return [[file.name for file in files] for files in groups.values()]


def test_tiles_are_grouped_and_dates_are_not() -> None:
    files = ["a_0_480.webp", "a_b_16_32.png", "a_480_0.png", "IMG_20260101_101637.jpg", "c.png"]
    files += ["IMG_20260101_101638.jpg", "b_0_0.png"]
    groups = dict(group_tiles([Path("x", name) for name in files]))
    assert names(groups) == [
        ["a_0_480.webp", "a_480_0.png"],
        ["a_b_16_32.png"],
        ["IMG_20260101_101637.jpg"],
        ["c.png"],
        ["IMG_20260101_101638.jpg"],
        ["b_0_0.png"],
    ]
    assert len(group_tiles([Path("x/a_0_0.png"), Path("y/a_0_0.png")])) == 2, "of two folders"


@pytest.mark.parametrize("count", [2, 5, 40])
def test_whole_photographs_are_held_out(tmp_path: Path, count: int) -> None:
    """By as many tiles as there may be: never one on either side."""
    for photograph in range(count):
        for tile in range(photograph % 5 + 1):
            (tmp_path / f"p{photograph:02}_{tile * 16}_0.png").touch()
    training, held_out = split_pictures(tmp_path)
    assert len(training) + len(held_out) == len(list(tmp_path.iterdir()))
    sides = [{file.name[:3] for file in files} for files in (training, held_out)]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == max(1, count // 16)


def test_tiles_of_one_photograph_are_not_enough(tmp_path: Path) -> None:
    for tile in range(4):
        (tmp_path / f"p_{tile * 16}_0.png").touch()
    with pytest.raises(UsageError, match="1 pictures of different photographs"):
        split_pictures(tmp_path)


@pytest.mark.parametrize("folder", ["Set14", "BSD100/GT", "data/urban100", "Manga109"])
def test_a_benchmark_s_folder_is_refused(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (place / name).touch()
    with pytest.raises(UsageError, match=r"lies in a folder \w+: benchmark pictures"):
        split_pictures(tmp_path)
