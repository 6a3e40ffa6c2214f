"""What is cut off is not computed, and what is kept is as if it had been."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks import BoxBlur
from subpixel import TargetSize, Upscaler
from subpixel.errors import PictureError
from subpixel.imaging.resample import LANCZOS
from subpixel.media.image_file import encode_picture, open_picture, read_picture
from subpixel.media.picture import Metadata, Picture, read_source
from subpixel.network.network import Network
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec
from subpixel.upscaling.rows.resampler import Resampler, Window
from subpixel.upscaling.size.cropping import CroppedSource, find_window

BLUR = ModelSpec("blur", scale=2, colour="rgb", interface="rgb", halo=2)
BOX = TargetSize(fill=(40, 120))
"""Of 60 x 90 pixels it takes a third."""


def _upscaler() -> Upscaler:
    return Upscaler(Network(BoxBlur(2, 2), BLUR, "fake", workers=1), tile=0)


def _picture(shape: tuple[int, ...], turn: int = 1) -> Picture:
    samples = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    return Picture(samples, Metadata(orientation=turn))


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(30, 60), st.integers(30, 60)),
    st.tuples(st.integers(1, 120), st.integers(1, 120)),
    st.integers(1, 8),
)
def test_what_is_kept_is_as_of_the_whole(
    sides: tuple[int, int], box: tuple[int, int], turn: int
) -> None:
    """Through two networks, through one, through none: to the bit."""
    upscaler, picture = _upscaler(), _picture((2, *sides, 3), turn)
    size = TargetSize(fill=box)
    extent, larger = size.extent_of(*sides, turn), picture
    for _ in upscaler.enlargement(picture.header, size).scales:
        larger = upscaler.picture(larger)
    kept = Window(extent.top, extent.left, extent.kept_height, extent.kept_width)
    stage = Resampler(extent.height, extent.width, LANCZOS, kept)
    expected = np.concatenate(list(stage.run(larger.header, iter(larger.frames))))
    result = upscaler.picture(picture, size=size).frames
    assert np.array_equal(result.reshape(expected.shape), expected)


def test_the_network_sees_no_more_than_it_must(tmp_path: Path) -> None:
    seen: list[int] = []

    def op(pixels: Pixels) -> Pixels:
        seen.append(pixels.shape[3])
        return BoxBlur(2, 2)(pixels)

    upscaler = Upscaler(Network(op, BLUR, "fake", workers=1), tile=0)
    picture = _picture((1, 60, 90, 3))
    upscaler.file(picture, tmp_path / "out.png", size=BOX)
    # 20 columns in the middle, 2 for the network and 2 for the filter on each side
    assert seen == [28]
    assert np.array_equal(
        read_picture(tmp_path / "out.png").frames, upscaler.picture(picture, size=BOX).frames
    )


@pytest.mark.parametrize(
    "change",
    [
        {"halo": None},
        {"size_multiple": 8},
        {"size_minimum": 64},
        {"square": True},
    ],
)
def test_all_goes_through_a_network_that_cares(change: dict[str, int | None]) -> None:
    extent, header = BOX.extent_of(60, 90), _picture((1, 60, 90, 3)).header
    assert find_window(header, extent, [BLUR]) == Window(0, 31, 60, 28)
    assert find_window(header, extent, [replace(BLUR, **change)]) is None
    assert find_window(_picture((1, 60, 90, 4)).header, extent, [BLUR]) is None
    whole = TargetSize(width=180).extent_of(60, 90)
    assert find_window(header, whole, [BLUR]) is None


@pytest.mark.parametrize(
    "window", [Window(0, 0, 20, 30), Window(7, 3, 9, 11), Window(19, 29, 1, 1)]
)
def test_a_cropped_source_is_a_part_of_every_frame(window: Window) -> None:
    picture = _picture((3, 20, 30, 3))
    rows = slice(window.top, window.top + window.height)
    columns = slice(window.left, window.left + window.width)
    cropped = read_source(CroppedSource(picture, window)).frames
    assert np.array_equal(cropped, picture.frames[:, rows, columns])


def test_damage_below_what_is_kept_is_told(tmp_path: Path) -> None:
    data = encode_picture(_picture((1, 2000, 90, 3)), "picture.png")
    file = tmp_path / "cut.png"
    file.write_bytes(data[: len(data) * 3 // 4])
    source = CroppedSource(open_picture(file), Window(0, 0, 10, 90))
    with pytest.raises(PictureError, match="can't be read as PNG"):
        list(source.chunks())
