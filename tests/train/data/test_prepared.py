"""What is kept is what would be made; what isn't whole is made anew."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.imaging.colour import Rgb8
from subpixel.imaging.resample import imresize
from subpixel.train.data import prepared
from subpixel.train.data.prepared import SHRINKS, prepare_sizes, sizes_folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (41, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that can't be decoded any more."""

    def refuse(file: Path) -> Rgb8:
        raise AssertionError(f"{file} is read again")

    monkeypatch.setattr(prepared, "read_picture", refuse)


def expect_sizes(pictures: tuple[Rgb8, ...], file: Path) -> None:
    rgb = np.asarray(Image.open(file))
    for made, shrink in zip(pictures, SHRINKS, strict=True):
        np.testing.assert_array_equal(made, imresize(rgb, shrink))


def test_a_picture_is_made_once(picture: Path, request: pytest.FixtureRequest) -> None:
    expect_sizes(prepare_sizes(picture), picture)
    request.getfixturevalue("unreadable")
    expect_sizes(prepare_sizes(picture), picture)
    renamed = picture.rename(picture.with_name("b.png"))
    expect_sizes(prepare_sizes(renamed), renamed)
    with pytest.raises(AssertionError, match="is read again"):
        prepare_sizes(renamed, [Fraction(1)])


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda data: data[:-1],
    "empty": lambda data: b"",
    "another version": lambda data: data.replace(b"sizes 1", b"sizes 0"),
    "a bit of a pixel": lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
    "longer": lambda data: data + b"0",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_made_anew(picture: Path, damage: str) -> None:
    prepare_sizes(picture)
    (kept,) = sizes_folder().iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(DAMAGES[damage](whole))
    expect_sizes(prepare_sizes(picture), picture)
    assert kept.read_bytes() == whole


def test_what_somebody_else_put_there_is_not_believed(picture: Path) -> None:
    """Whole, but of another picture's sizes."""
    sizes = prepare_sizes(picture)
    (kept,) = sizes_folder().iterdir()
    for wrong in ((sizes[0], sizes[1], sizes[1]), tuple(s.astype(np.int8) for s in sizes)):
        prepared._keep(kept, wrong)
        expect_sizes(prepare_sizes(picture), picture)


def test_a_cache_that_can_t_be_written_is_no_hindrance(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(prepared, "cache_folder", lambda: tmp_path / "file")
    expect_sizes(prepare_sizes(picture), picture)
