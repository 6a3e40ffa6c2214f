import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from networks import BoxBlur
from subpixel import Upscaler
from subpixel.imaging.resample import interpolate
from subpixel.runtime.op import Samples
from subpixel.upscaling.tiles.flat import (
    FLAT_BLOCK,
    PastFlat,
    Tally,
    flat_blocks,
    measure_flatness,
    rectangles,
)

SCALE, HALO = 2, 3
sides = st.integers(1, 3 * FLAT_BLOCK)
seeds = st.integers(0, 2**32 - 1)


def blurred(tiles: Samples) -> Samples:
    """A network of halo 3 whose results are unlike interpolation, of any dtype."""
    pixels = tiles.astype(np.float32).transpose(0, 3, 1, 2)
    larger: Samples = BoxBlur(SCALE, HALO)(pixels).transpose(0, 2, 3, 1).astype(tiles.dtype)
    return larger


def some_flat(height: int, width: int, seed: int) -> Samples:
    """Noise, of which a random rectangle is even."""
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    top, left = random.integers(0, height), random.integers(0, width)
    picture[top : top + 2 * FLAT_BLOCK, left : left + 2 * FLAT_BLOCK] = random.integers(0, 256, 3)
    return picture


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_rectangles_hold_every_true_block_once(mask: np.ndarray) -> None:
    shape = mask.shape[0] * FLAT_BLOCK - 5, mask.shape[1] * FLAT_BLOCK - 9
    count = np.zeros(shape, int)
    for place in rectangles(mask, shape):
        count[place.rows, place.columns] += 1
    expected = mask.repeat(FLAT_BLOCK, 0).repeat(FLAT_BLOCK, 1)[: shape[0], : shape[1]]
    assert np.array_equal(count, expected)


@given(sides, sides, seeds, st.integers(0, 8))
def test_a_block_is_flat_with_its_halo(height: int, width: int, seed: int, span: int) -> None:
    picture = some_flat(height, width, seed)
    found = flat_blocks(picture, span, HALO)
    for row, column in np.ndindex(found.shape):
        rows = slice(max(row * FLAT_BLOCK - HALO, 0), (row + 1) * FLAT_BLOCK + HALO)
        columns = slice(max(column * FLAT_BLOCK - HALO, 0), (column + 1) * FLAT_BLOCK + HALO)
        seen = picture[rows, columns].astype(int)
        assert found[row, column] == (np.ptp(seen, axis=(0, 1)) <= span).all()


@pytest.mark.slow
@given(sides, sides, seeds)
def test_beside_flat_parts_all_is_as_without(height: int, width: int, seed: int) -> None:
    """Bit for bit; flat parts are interpolated, and an even one is itself."""
    picture = some_flat(height, width, seed)[None]
    past = PastFlat(blurred, SCALE, HALO, 0, Tally())
    (result,), (expected,) = past(picture), blurred(picture)
    flat = (
        flat_blocks(picture[0], 0, HALO)
        .repeat(FLAT_BLOCK, 0)
        .repeat(FLAT_BLOCK, 1)[:height, :width]
    )
    if past.tally.share == 0:
        flat[:] = False
    skipped = flat.repeat(SCALE, 0).repeat(SCALE, 1)
    assert np.array_equal(result[~skipped], expected[~skipped])
    assert np.array_equal(result[skipped], picture[0].repeat(SCALE, 0).repeat(SCALE, 1)[skipped])
    assert past.tally.share == pytest.approx(flat.mean())


@settings(max_examples=30)
@given(st.integers(2, 3 * FLAT_BLOCK), sides, st.lists(seeds, min_size=1, max_size=4))
def test_a_batch_comes_out_as_its_tiles_do(height: int, width: int, drawn: list[int]) -> None:
    """Those without a flat part beside those with one; the network gets the former at once."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    tiles = np.stack([noise, noise, *(some_flat(height, width, seed) for seed in drawn)])
    sizes: list[int] = []

    def counting(batch: Samples) -> Samples:
        sizes.append(len(batch))
        return blurred(batch)

    together = PastFlat(counting, SCALE, HALO, 0, Tally())
    alone = PastFlat(blurred, SCALE, HALO, 0, Tally())
    found = together(tiles)
    assert np.array_equal(found, np.concatenate([alone(tile[None]) for tile in tiles]))
    assert together.tally.share == alone.tally.share
    assert max(sizes) >= 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_depth_goes(dtype: type) -> None:
    full = 1 if dtype is np.float32 else np.iinfo(dtype).max
    picture = np.full((1, 2 * FLAT_BLOCK, 2 * FLAT_BLOCK, 3), full / 2).astype(dtype)
    past = PastFlat(blurred, SCALE, HALO, 1, Tally())
    assert (past(picture) == picture[0, 0, 0]).all()
    assert past.tally.share == 1.0


def test_the_bound_is_that_of_the_network() -> None:
    def shifted(tiles: Samples) -> Samples:
        larger = np.stack([interpolate(tile, SCALE) for tile in tiles])
        return larger + np.float32(0.6 / 255)

    assert measure_flatness(shifted, SCALE, 0, most=0.5) is None
    found = measure_flatness(shifted, SCALE, 0, most=1.0)
    assert found is not None
    assert found.bound == pytest.approx(0.6, abs=1e-3)


def test_a_bundled_network_stays_within_what_was_measured() -> None:
    """On flat parts of another picture than those that it was measured on."""
    upscaler = Upscaler("fast", scale=3, device="cpu")

    def network(tiles: Samples) -> Samples:
        return np.stack([upscaler(tile) for tile in tiles])

    flatness = measure_flatness(network, 3, 7, most=1.5)
    assert flatness is not None
    past = PastFlat(network, 3, 7, flatness.span, Tally())
    slope = np.linspace(100, 100 + flatness.span, 3 * FLAT_BLOCK).astype(np.uint8)
    picture = np.broadcast_to(slope[:, None, None], (1, 3 * FLAT_BLOCK, 3 * FLAT_BLOCK, 3))
    found, expected = past(picture).astype(int), network(picture).astype(int)
    inner = slice(21, -21)
    assert past.tally.share == 1.0
    assert np.abs(found - expected)[:, inner, inner].max() <= flatness.bound + 1
