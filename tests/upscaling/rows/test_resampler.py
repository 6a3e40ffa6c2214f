"""The streaming resampler against `imresize`, which has whole pictures and computes in float64."""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks import BoxBlur
from subpixel.errors import UsageError
from subpixel.imaging.resample import BICUBIC, LANCZOS, Kernel, imresize, resize_taps
from subpixel.media.image_file import read_picture
from subpixel.media.picture import GainMap, Header, Metadata, Picture
from subpixel.network.network import Network
from subpixel.spec import ModelSpec
from subpixel.upscaling.rows import resampler
from subpixel.upscaling.rows.resampler import Part, Resampler, Window
from subpixel.upscaling.upscaler import Upscaler

sides = st.integers(1, 70)


def _resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """``(H, W, C)`` float64 by `imresize`, which knows one scale for both axes: along one at a
    time, the other axis lying among the channels."""
    for axis, target in ((0, height), (1, width)):
        lines = np.moveaxis(picture, axis, 0)
        size = len(lines)
        lone = imresize(lines.reshape(size, 1, -1), Fraction(target, size))[:, 0]
        picture = np.moveaxis(lone.reshape(target, *lines.shape[1:]), 0, axis)
    return picture


def _bar(shape: tuple[int, ...], height: int, width: int) -> float:
    """How far float32 may be from float64, for values of at most 1.

    Along an axis a value is a sum of ``taps`` products: the weight, the product and each addition
    are rounded, by one part in 2**24 of what has come together, which is at most ``total``, the
    sum of the weights without their signs. The second axis multiplies what the first has done,
    and scaling to 0 ... 1 is one more rounding.
    """
    error, most = 2.0**-24, 1.0
    for size, target in ((shape[1], width), (shape[0], height)):
        taps, weights = resize_taps(size, Fraction(target, size))
        total = float(np.abs(weights).sum(axis=1).max())
        error = error * total + most * total * (taps.shape[1] + 2) * 2.0**-24
        most *= total
    return error * (1 + 1e-3)  # products of these errors


def _stream(
    stage: Resampler, frames: np.ndarray, cuts: list[int] | None = None
) -> tuple[np.ndarray, Header]:
    header = Header(frames.shape, frames.dtype)
    rows = list(stage.run(header, _cut(frames, cuts or [frames.shape[1]])))
    larger = stage.header(header)
    return np.concatenate(rows).reshape(larger.shape), larger


def _cut(frames: np.ndarray, cuts: list[int]) -> Iterator[np.ndarray]:
    """Each frame in chunks of these heights, over and over."""
    for frame in frames:
        top, number = 0, 0
        while top < len(frame):
            yield frame[top : top + cuts[number % len(cuts)]]
            top, number = top + cuts[number % len(cuts)], number + 1


@settings(max_examples=60)
@given(sides, sides, sides, sides, st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_as_imresize(
    height: int, width: int, high: int, wide: int, channels: int, seed: int
) -> None:
    frames = np.random.default_rng(seed).random((2, height, width, channels), np.float32)
    result, header = _stream(Resampler(high, wide), frames)
    assert header.shape == (2, high, wide, channels)
    for frame, resized in zip(frames, result, strict=True):
        expected = _resize(frame.astype(np.float64), high, wide).clip(0, 1)
        assert np.abs(resized - expected).max() <= _bar(frame.shape, high, wide)


@settings(max_examples=40)
@given(
    sides,
    sides,
    sides,
    sides,
    st.integers(1, 4),
    st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_how_the_rows_are_grouped_changes_nothing(
    height: int,
    width: int,
    high: int,
    wide: int,
    channels: int,
    dtype: type,
    cuts: list[int],
) -> None:
    """To the bit."""
    frames = _noise((2, height, width, channels), dtype)
    whole, _ = _stream(Resampler(high, wide), frames)
    assert np.array_equal(_stream(Resampler(high, wide), frames, cuts)[0], whole)
    assert whole.dtype == dtype


def _noise(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    random = np.random.default_rng(math.prod(shape))
    if dtype == np.float32:
        return random.random(shape, np.float32)
    return random.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


@given(sides, sides, st.integers(1, 4), st.sampled_from([np.uint8, np.uint16]))
def test_the_same_size_is_the_same_picture(
    height: int, width: int, channels: int, dtype: type
) -> None:
    frames = _noise((1, height, width, channels), dtype)
    if channels in (2, 4):
        frames[..., -1] |= 1 << (8 * frames.itemsize - 1)  # half visible: no colour is hidden
    result, _ = _stream(Resampler(height, width), frames)
    if channels in (1, 3):
        assert np.array_equal(result, frames)
    else:
        assert np.abs(result.astype(int) - frames).max() <= 1, "times alpha, and divided by it"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_are_rounded_once(dtype: type) -> None:
    frames = _noise((1, 40, 50, 3), dtype)
    white = np.iinfo(dtype).max
    result, _ = _stream(Resampler(23, 71), frames)
    exact = _resize(frames[0] / white, 23, 71).clip(0, 1) * white
    # to 0 ... 1 and back are three roundings more: of 1 / white, and of two products
    bar = _bar((40, 50), 23, 71) + 3 * 2.0**-24
    assert np.abs(result[0] - exact).max() <= 0.5 + white * bar


def test_hidden_colour_does_not_show() -> None:
    """A red disc on transparent green stays red all over, at its rim as well."""
    frames = np.zeros((1, 40, 40, 4), np.uint8)
    frames[..., 1] = 255
    down, across = np.mgrid[:40, :40]
    disc = (down - 20) ** 2 + (across - 20) ** 2 < 150
    frames[0, disc] = (255, 0, 0, 255)
    for size in (17, 93):
        result, _ = _stream(Resampler(size, size), frames)
        visible = result[0][result[0, ..., 3] > 8]
        assert (visible[:, 0] >= 250).all()
        assert (visible[:, 1] <= 5).all()


@pytest.mark.parametrize(("height", "width"), [(0, 5), (5, 0), (-1, 5)])
def test_sizes_that_are_none_are_refused(height: int, width: int) -> None:
    with pytest.raises(UsageError, match="at least 1 pixel"):
        Resampler(height, width)


def test_between_a_network_and_a_file(tmp_path: Path) -> None:
    """In tiles and bands, frame after frame: as the network's picture, resampled."""
    spec = ModelSpec("blur", scale=2, colour="rgb", interface="rgb", halo=2)
    upscaler = Upscaler(Network(BoxBlur(2, 2), spec, "fake", workers=2), tile=24)
    picture = Picture(_noise((2, 60, 45, 3), np.uint8))
    upscaler.file(picture, tmp_path / "out.tif", stages=[Resampler(77, 140)])
    expected, _ = _stream(Resampler(77, 140), upscaler.picture(picture).frames)
    assert np.array_equal(read_picture(tmp_path / "out.tif").frames, expected)


@pytest.mark.parametrize("part", [None, Part(40, 60, 4, 6)])
def test_a_gain_map_is_cut_with_its_picture(part: Part | None) -> None:
    """It is the whole picture's, also where but a part of that comes in."""
    whole = GainMap(b"", 60, 40)
    header = Header((1, 40, 60, 3), np.dtype(np.uint8), Metadata(gain_map=whole))
    plain = Resampler(80, 120).header(header)
    assert plain.metadata.gain_map is whole
    stage = Resampler(80, 120, window=Window(10, 20, 60, 80), part=part)
    cut = stage.header(header).metadata.gain_map
    assert cut is not None
    assert cut.region == (20 / 120, 10 / 80, 100 / 120, 70 / 80)
    assert cut.fits(80, 60)


@pytest.mark.parametrize("target", [(40, 61), (20, 29), (55, 200), (31, 47), (3, 2)])
@pytest.mark.parametrize("kernel", [BICUBIC, LANCZOS])
def test_columns_in_blocks_and_rows_one_by_one_come_out_the_same(
    monkeypatch: pytest.MonkeyPatch, target: tuple[int, int], kernel: Kernel
) -> None:
    """As of a very wide picture, whose weights are computed block by block."""
    frames = np.random.default_rng(1).random((1, 31, 47, 4), np.float32)
    for window in (None, Window(1, 1, target[0] - 1, target[1] - 1)):
        stage = Resampler(*target, kernel, window)
        whole, _ = _stream(stage, frames)
        with monkeypatch.context() as wide:
            wide.setattr(resampler, "BLOCK_COLUMNS", 7)
            wide.setattr(resampler, "KEPT_BLOCKS", 0)
            wide.setattr(resampler, "GROUP_BYTES", 1)
            assert np.array_equal(_stream(stage, frames)[0], whole)
