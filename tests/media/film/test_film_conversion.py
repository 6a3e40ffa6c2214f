"""Luma and chroma to RGB and back, against the standards' formulas in float64 and their bars."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from subpixel.media.film.conversion import decode_planes, encode_planes
from subpixel.media.film.facts import SITINGS, FilmColour, SampleLayout

WEIGHTS = {6: (0.299, 0.114), 1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}
"""Of red and blue, from the recommendations BT.601, BT.709 and BT.2020."""

BARS_601 = {
    (255, 255, 255): (235, 128, 128),
    (255, 255, 0): (210, 16, 146),
    (0, 255, 255): (170, 166, 16),
    (0, 255, 0): (145, 54, 34),
    (255, 0, 255): (106, 202, 222),
    (255, 0, 0): (81, 90, 240),
    (0, 0, 255): (41, 240, 110),
    (0, 0, 0): (16, 128, 128),
}
BARS_709 = {
    (255, 255, 255): (235, 128, 128),
    (255, 255, 0): (219, 16, 138),
    (0, 255, 255): (188, 154, 16),
    (0, 255, 0): (173, 42, 26),
    (255, 0, 255): (78, 214, 230),
    (255, 0, 0): (63, 102, 240),
    (0, 0, 255): (32, 240, 118),
    (0, 0, 0): (16, 128, 128),
}
"""Full bars as the tables in print have them: 8 bits, limited range."""

CASES = [(m, f, b) for m in WEIGHTS for f in (False, True) for b in (8, 10, 12)]


def _colour(matrix: int, full: bool, siting: str = "left") -> FilmColour:
    return FilmColour(matrix, 1, 1, full, siting)


def _formula_rgb(
    planes: list[NDArray[np.float64]], matrix: int, full: bool, bits: int
) -> NDArray[np.float64]:
    """R, G and B in 0 … 1 by E'Y = KR E'R + KG E'G + KB E'B and its chroma."""
    kr, kb = WEIGHTS[matrix]
    unit = 2.0 ** (bits - 8)
    if full:
        luma = planes[0] / (2**bits - 1)
        blue, red = ((plane - 2 ** (bits - 1)) / (2**bits - 1) for plane in planes[1:])
    else:
        luma = (planes[0] / unit - 16) / 219
        blue, red = ((plane / unit - 128) / 224 for plane in planes[1:])
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    return np.stack([r, g, b], axis=-1).clip(0, 1)


def _formula_planes(
    rgb: NDArray[np.float64], matrix: int, full: bool, bits: int
) -> list[NDArray[np.float64]]:
    kr, kb = WEIGHTS[matrix]
    r, g, b = np.moveaxis(rgb, -1, 0)
    luma = kr * r + (1 - kr - kb) * g + kb * b
    blue, red = (b - luma) / (2 - 2 * kb), (r - luma) / (2 - 2 * kr)
    unit, peak, middle = 2.0 ** (bits - 8), 2**bits - 1, 2 ** (bits - 1)
    if full:
        return [
            luma * peak,
            (blue * peak + middle).clip(0, peak),
            (red * peak + middle).clip(0, peak),
        ]
    return [(luma * 219 + 16) * unit, (blue * 224 + 128) * unit, (red * 224 + 128) * unit]


@pytest.mark.parametrize(("matrix", "full", "bits"), CASES)
def test_rgb_is_as_the_formulas_say(matrix: int, full: bool, bits: int) -> None:
    random = np.random.default_rng(matrix * 100 + full * 10 + bits)
    dtype = np.uint8 if bits == 8 else np.uint16
    planes = [random.integers(0, 2**bits, (40, 70)).astype(dtype) for _ in range(3)]
    frame = decode_planes(planes, SampleLayout("yuv", bits), _colour(matrix, full))
    expected = _formula_rgb([plane.astype(np.float64) for plane in planes], matrix, full, bits)
    white = np.iinfo(frame.dtype).max
    assert np.abs(frame - expected * white).max() < 0.6, "rounded to the nearest value, no bias"


@pytest.mark.parametrize(("matrix", "full", "bits"), CASES)
def test_planes_are_as_the_formulas_say(matrix: int, full: bool, bits: int) -> None:
    random = np.random.default_rng(matrix * 100 + full * 10 + bits)
    dtype, white = (np.uint8, 255) if bits == 8 else (np.uint16, 65535)
    frame = random.integers(0, white + 1, (40, 70, 3)).astype(dtype)
    planes = encode_planes(frame, SampleLayout("yuv", bits), _colour(matrix, full))
    for plane, expected in zip(
        planes, _formula_planes(frame / white, matrix, full, bits), strict=True
    ):
        assert np.abs(plane - expected).max() < 0.51


@pytest.mark.parametrize(("matrix", "bars"), [(6, BARS_601), (1, BARS_709)])
def test_the_bars_of_the_tables(matrix: int, bars: dict[tuple[int, ...], tuple[int, ...]]) -> None:
    rgb = np.array(list(bars), np.uint8)[np.newaxis].repeat(2, axis=0).repeat(4, axis=1)
    coded = np.array(list(bars.values()), np.uint8)[np.newaxis].repeat(2, axis=0).repeat(4, axis=1)
    layout, colour = SampleLayout("yuv", 8), _colour(matrix, False)
    planes = np.stack(encode_planes(rgb, layout, colour), axis=-1)
    assert np.abs(planes.astype(int) - coded).max() <= 1
    frame = decode_planes(list(np.moveaxis(coded, -1, 0)), layout, colour)
    assert np.abs(frame.astype(int) - rgb).max() <= 1


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_what_is_in_range_comes_back(full: bool, bits: int) -> None:
    """Each luma and chroma whose colour can be shown survives RGB: exactly through 16 bits."""
    random = np.random.default_rng(5)
    dtype = np.uint8 if bits == 8 else np.uint16
    layout, colour = SampleLayout("yuv", bits), _colour(1, full)
    rgb = random.integers(0, 65536, (30, 50, 3)).astype(np.uint16)
    wide = SampleLayout("yuv", 10)
    planes = encode_planes(rgb, layout if bits == 10 else wide, colour)
    if bits == 8:
        planes = encode_planes((rgb >> 8).astype(np.uint8), layout, colour)
    again = encode_planes(decode_planes(planes, layout, colour), layout, colour)
    for before, after in zip(planes, again, strict=True):
        assert before.dtype == dtype
        assert np.abs(before.astype(int) - after).max() <= (0 if bits == 10 else 1)


@pytest.mark.parametrize("siting", SITINGS)
@pytest.mark.parametrize(("across", "down"), [(2, 2), (2, 1), (1, 2), (4, 1)])
def test_a_slope_of_chroma_stays_where_it_is(siting: str, across: int, down: int) -> None:
    """A slope shows a shift of any size, whatever the filter: each is right for straight lines."""
    if (across, down) == (4, 1) and siting.startswith(("top", "bottom")):
        siting = "left"
    height, width = 24, 48
    rows, columns = np.mgrid[:height, :width]
    layout = SampleLayout("yuv", 10, across, down)
    x, y = SITINGS[siting]
    at_x = np.arange(width // across) * across + x * (across - 1)
    at_y = np.arange(height // down)[:, np.newaxis] * down + y * (down - 1)
    blue = np.round(400 + 3 * at_x + 2 * at_y).astype(np.uint16)
    planes = [np.full((height, width), 500, np.uint16), blue, np.full_like(blue, 512)]
    frame = decode_planes(planes, layout, _colour(1, True, siting))
    shown = frame[..., 2] / 65535 * 1023
    slope = 500 + (400 + 3 * columns + 2 * rows - 512) * 2 * (1 - 0.0722)
    inner = (slice(4, -4), slice(6, -6))
    assert np.abs(shown - slope)[inner].max() <= 1.5, "half a code value of chroma, rounded"
    again = encode_planes(frame, layout, _colour(1, True, siting))
    assert np.abs(again[1].astype(int) - blue)[2:-2, 2:-2].max() <= 1


@given(st.integers(1, 9), st.integers(1, 11), st.sampled_from(sorted(SITINGS)))
def test_any_size_of_an_even_colour(height: int, width: int, siting: str) -> None:
    layout, colour = SampleLayout("yuv", 8, 2, 2, alpha=True), _colour(6, False, siting)
    frame = np.broadcast_to(np.array([200, 30, 90, 77], np.uint8), (height, width, 4))
    planes = encode_planes(frame, layout, colour)
    assert planes[1].shape == ((height + 1) // 2, (width + 1) // 2)
    assert np.abs(decode_planes(planes, layout, colour).astype(int) - frame).max() <= 2
    assert (planes[3] == 77).all()


@pytest.mark.parametrize("full", [False, True])
def test_grey_and_rgb_planes(full: bool) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(1, 256)
    frame = decode_planes([grey], SampleLayout("grey", 8), _colour(6, full))
    expected = grey if full else ((grey.astype(np.float64) - 16) * 255 / 219).clip(0, 255)
    assert np.abs(frame[..., 0] - expected).max() <= 0.51
    planes = [np.arange(1024, dtype=np.uint16).reshape(1, -1)] * 3
    rgb = decode_planes(planes, SampleLayout("rgb", 10), _colour(0, True))
    assert (encode_planes(rgb, SampleLayout("rgb", 10), _colour(0, True))[0] == planes[0]).all()


def test_blocks_of_rows_leave_no_seam() -> None:
    """A wide frame is converted in blocks of few rows: as a narrow part of it by itself."""
    random = np.random.default_rng(2)
    frame = random.integers(0, 256, (96, 4000, 3)).astype(np.uint8)
    layout, colour = SampleLayout("yuv", 8, 2, 2), _colour(1, False, "topleft")
    planes = encode_planes(frame, layout, colour)
    part = encode_planes(np.ascontiguousarray(frame[:, :64]), layout, colour)
    for whole, narrow in zip(planes, part, strict=True):
        assert (whole[:, : narrow.shape[1] - 1] == narrow[:, :-1]).all()
    decoded = decode_planes(planes, layout, colour)
    narrow = decode_planes(part, layout, colour)
    assert (decoded[:, :60] == narrow[:, :60]).all()
