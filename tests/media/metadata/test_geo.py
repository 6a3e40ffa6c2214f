"""A GeoTIFF's pixels lie where they lay, though there are more of them."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from samples import smooth
from subpixel import Upscaler
from subpixel.media.image_file import read_picture, write_picture
from subpixel.media.metadata import geo
from subpixel.media.picture import Metadata as PictureMetadata
from subpixel.media.picture import Picture

SCALE, TIES, MATRIX, KEYS = 33550, 33922, 34264, 34735
AREA = (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, 1)
POINTS = (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, 2)
CASES = Path(__file__).resolve().parents[4] / "shared" / "cases" / "pictures"

numbers = st.floats(-1e6, 1e6).filter(lambda n: n == 0 or abs(n) > 1e-6)


def write_geo(file: Path, keys: tuple[int, ...], matrix: bool, byteorder: str = "<") -> Path:
    places = [(MATRIX, 12, 16, (0.5, 0.1, 0, 440000, 0.2, -0.5, 0, 3751000, *[0.0] * 7, 1), True)]
    if not matrix:
        places = [
            (SCALE, 12, 3, (0.5, 0.25, 0.0), True),
            (
                TIES,
                12,
                12,
                (3.0, 2.0, 0, 440720, 3751320, 0, 20, 9, 0, 440728.5, 3751318.25, 0),
                True,
            ),
        ]
    tags = [*places, (KEYS, 3, len(keys), keys, True)]
    samples = smooth(3, size=(24, 16))[0]
    tifffile.imwrite(
        file, samples, photometric="rgb", metadata=None, extratags=tags, byteorder=byteorder
    )
    return file


def locate(file: Path, x: float, y: float) -> tuple[float, float]:
    """Where the point ``(x, y)`` of a picture lies, in pixels from its upper left corner."""
    with tifffile.TiffFile(file) as tiff:
        tags = tiff.pages.first.tags
        shift = 0.5 if tags[KEYS].value[11] == 2 else 0.0
        x, y = x - shift, y - shift
        if MATRIX in tags:
            m = np.array(tags[MATRIX].value).reshape(4, 4)
            return tuple((m @ [x, y, 0, 1])[:2])
        across, down, _ = tags[SCALE].value
        i, j, _, east, north, _ = tags[TIES].value[:6]
        return east + (x - i) * across, north - (y - j) * down


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("keys", [AREA, POINTS])
@pytest.mark.parametrize("matrix", [False, True])
def test_points_stay_where_they_are(
    tmp_path: Path, matrix: bool, keys: tuple[int, ...], byteorder: str
) -> None:
    before = write_geo(tmp_path / "a.tif", keys, matrix, byteorder)
    after = tmp_path / "b.tif"
    upscaler = Upscaler("fast", scale=3, device="cpu", tuning=False)
    assert upscaler.file(before, after, strict=True) == ()
    for x, y in ((0, 0), (24, 16), (7.5, 3.25)):
        assert locate(after, 3 * x, 3 * y) == pytest.approx(locate(before, x, y), abs=1e-6)
    with tifffile.TiffFile(after) as file:
        assert file.pages.first.tags[KEYS].value == keys


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_through_another_format_and_back(tmp_path: Path, suffix: str) -> None:
    before = write_geo(tmp_path / "a.tif", AREA, matrix=False)
    upscaler = Upscaler("fast", scale=2, device="cpu", tuning=False)
    assert upscaler.file(before, tmp_path / f"b{suffix}", strict=True) == ()
    assert upscaler.file(tmp_path / f"b{suffix}", tmp_path / "c.tif", strict=True) == ()
    assert locate(tmp_path / "c.tif", 4 * 7, 4 * 5) == pytest.approx(locate(before, 7, 5))


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_cropped_picture_loses_its_place(tmp_path: Path, suffix: str) -> None:
    picture = read_picture(write_geo(tmp_path / "a.tif", AREA, matrix=False))
    cropped = Picture(np.ascontiguousarray(picture.frames[:, :8]), picture.metadata)
    losses = write_picture(cropped, tmp_path / f"b{suffix}")
    assert [loss.what for loss in losses] == ["georeference"]
    if suffix == ".tif":
        with tifffile.TiffFile(tmp_path / "b.tif") as file:
            assert not {SCALE, TIES, KEYS} & {tag.code for tag in file.pages.first.tags}
    else:
        with Image.open(tmp_path / "b.png") as image:
            assert not {SCALE, TIES, KEYS} & image.getexif().keys()


def test_the_map_of_a_user(tmp_path: Path) -> None:
    if not (CASES / "geo.tif").exists():
        pytest.skip("needs ../shared/cases beside the repository")
    upscaler = Upscaler("fast", scale=2, device="cpu", tuning=False)
    assert upscaler.file(CASES / "geo.tif", tmp_path / "a.tif", strict=True) == ()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tags = file.pages.first.tags
        assert tags[SCALE].value == (0.5, 0.5, 0.0)
        assert (tags[269].value, tags[285].value) == ("Document name", "Page name")


@pytest.mark.slow
@given(
    values=st.lists(numbers, min_size=16, max_size=16),
    factors=st.tuples(st.sampled_from([1.5, 2.0, 3.0]), st.sampled_from([1.5, 2.0, 4.0])),
    point=st.tuples(st.integers(0, 99), st.integers(0, 99)),
    of_points=st.booleans(),
)
def test_the_matrix_maps_the_same_points(
    values: list[float], factors: tuple[float, float], point: tuple[int, int], of_points: bool
) -> None:
    shift = 0.5 if of_points else 0.0
    new = geo.enlarge_geo({MATRIX: values}, factors, of_points=of_points)[MATRIX]
    old_at = [p - shift for p in point]
    new_at = [p * f - shift for p, f in zip(point, factors, strict=True)]
    for row in range(0, 16, 4):
        old = values[row] * old_at[0] + values[row + 1] * old_at[1] + values[row + 3]
        seen = new[row] * new_at[0] + new[row + 1] * new_at[1] + new[row + 3]
        assert seen == pytest.approx(old, rel=1e-9, abs=1e-6)


def test_numbers_of_a_wrong_length_are_left_alone() -> None:
    assert geo.enlarge_geo({MATRIX: [1.0] * 15}, (2, 2), of_points=False) == {}


def test_no_size_no_factors() -> None:
    assert geo.find_factors(None, (4, 4)) is None
    assert geo.find_factors((100, 50), (251, 125)) == (2.51, 2.5)  # rounded to a whole pixel
    assert geo.find_factors((100, 50), (200, 80)) is None
    assert PictureMetadata().pages == ()
    assert struct.calcsize("=d") == 8
