"""Tiles through fakes: what comes out, in which order, and what happens when one fails."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks import BoxBlur, NearestNeighbour
from subpixel.errors import NetworkError
from subpixel.runtime.op import NetOp, Samples
from subpixel.spec import Padding
from subpixel.upscaling.tiles.bands import Workers, run_bands, run_tiles
from subpixel.upscaling.tiles.tiling import TilePlan, plan_tiles


def _run(op: NetOp, samples: Samples, plan: TilePlan, scale: int, workers: int = 1) -> Samples:
    def upscale(tiles: Samples) -> Samples:
        return op(np.ascontiguousarray(tiles.transpose(0, 3, 1, 2))).transpose(0, 2, 3, 1)

    height, width, channels = samples.shape
    result = np.empty((height * scale, width * scale, channels), samples.dtype)
    run_tiles(upscale, samples, result, plan, workers=Workers(workers))
    return result


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 4),
    st.integers(1, 3),
    st.integers(0, 30),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)
def test_tiled_equals_whole(
    height: int,
    width: int,
    halo: int,
    scale: int,
    extra: int,
    workers: int,
    batch: int,
    seed: int,
) -> None:
    samples = np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)
    tile = 2 * halo + 1 + extra
    cut = replace(plan_tiles(height, width, tile=(tile, tile), halo=halo), batch=batch)
    whole = plan_tiles(height, width, tile=None, halo=halo)
    op = BoxBlur(scale, halo)
    assert np.array_equal(_run(op, samples, cut, scale, workers), _run(op, samples, whole, scale))


def test_a_halo_too_small_shows() -> None:
    """The property above can fail: with less halo than the op needs, it does."""
    samples = np.random.default_rng(0).random((40, 40, 1), dtype=np.float32)
    op = BoxBlur(2, 3)
    cut = plan_tiles(40, 40, tile=(16, 16), halo=2)
    whole = plan_tiles(40, 40, tile=None, halo=0)
    assert not np.array_equal(_run(op, samples, cut, 2), _run(op, samples, whole, 2))


def test_a_picture_smaller_than_a_fixed_tile_is_padded_and_cropped() -> None:
    samples = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    plan = plan_tiles(2, 3, tile=(8, 8), halo=1, fixed=True)
    assert (plan.padded_height, plan.padded_width) == (8, 8)
    assert np.array_equal(
        _run(NearestNeighbour(2), samples, plan, 2),
        samples.repeat(2, axis=0).repeat(2, axis=1),
    )


def test_a_network_of_another_scale_is_caught() -> None:
    plan = plan_tiles(4, 4, tile=None, halo=0)
    with pytest.raises(NetworkError, match=r"should be \(1, 12, 12, 1\)"):
        _run(NearestNeighbour(2), np.zeros((4, 4, 1), np.float32), plan, 3)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_progress_counts_every_run(batch: int) -> None:
    seen: list[tuple[int, int]] = []
    sizes: list[int] = []
    plan = replace(plan_tiles(10, 12, tile=(4, 4), halo=0), batch=batch)
    samples = np.zeros((10, 12, 1))

    def upscale(tiles: Samples) -> Samples:
        sizes.append(len(tiles))
        return tiles

    workers, report = Workers(1), lambda *now: seen.append(now)
    run_tiles(upscale, samples, samples.copy(), plan, workers=workers, report=report)
    assert seen == [(done, len(sizes)) for done in range(1, len(sizes) + 1)]
    assert sizes == {1: [1] * 9, 2: [1, 2] * 3, 3: [3] * 3}[batch]


class OnceFromTheTop:
    """Rows of a picture that is read but once: none comes back from above the last call's first."""

    def __init__(self, samples: Samples) -> None:
        self._samples, self._first = samples, 0

    def __call__(self, start: int, stop: int) -> Samples:
        assert self._first <= start < stop <= len(self._samples)
        self._first = start
        return self._samples[start:stop]


@st.composite
def cuts(draw: st.DrawFn) -> TilePlan:
    """Plans for networks of any size multiple and padding, the picture smaller or larger."""
    halo, multiple = draw(st.integers(0, 3)), draw(st.sampled_from([1, 3, 8]))
    tile = -(-(2 * halo + multiple + draw(st.integers(0, 20))) // multiple) * multiple
    sides = st.integers(1, 50)
    padding = draw(st.sampled_from(get_args(Padding)))
    cut = partial(plan_tiles, halo=halo, multiple=multiple, padding=padding)
    plan = cut(draw(sides), draw(sides), tile=(tile, tile))
    return replace(plan, batch=draw(st.integers(1, 4)))


def _bands(plan: TilePlan, samples: Samples, workers: int) -> Iterator[Samples]:
    def room(start: int, stop: int) -> Samples:
        return np.empty((stop - start, plan.width, 1), samples.dtype)

    rows = OnceFromTheTop(samples)
    return run_bands(lambda tile: tile, rows, room, plan, 1, workers=Workers(workers))


@given(cuts(), st.integers(1, 3))
def test_bands_read_from_the_top_once_and_come_out_in_order(plan: TilePlan, workers: int) -> None:
    samples = np.arange(plan.height * plan.width).reshape(plan.height, plan.width, 1)
    assert np.array_equal(np.concatenate(list(_bands(plan, samples, workers))), samples)


def test_a_picture_is_never_read_far_ahead_of_what_is_written() -> None:
    plan, workers = plan_tiles(1000, 10, tile=(10, 10), halo=0), 2
    read = 0

    def rows(start: int, stop: int) -> Samples:
        nonlocal read
        read = stop
        return np.zeros((stop - start, 10, 1))

    room = np.empty_like(np.zeros((1000, 10, 1)))
    written = 0
    bands = run_bands(lambda t: t, rows, lambda a, b: room[a:b], plan, 1, workers=Workers(workers))
    for band in bands:
        written += len(band)
        assert read - written <= 10 * 2 * workers


@pytest.mark.parametrize(("workers", "batch"), [(1, 1), (3, 1), (2, 2)])
def test_a_tile_that_fails_ends_it_before_anything_below_comes_out(
    workers: int, batch: int
) -> None:
    """Each tile in turn: what came out until then is right, and nothing stale follows."""
    samples = np.arange(12 * 10).reshape(12, 10, 1)
    plan = replace(plan_tiles(12, 10, tile=(4, 5), halo=1), batch=batch)
    for failing in plan.tiles:
        rows, columns = failing.rows, failing.columns
        first = samples[rows.start, columns.start]

        def refuse(tiles: Samples, first: Samples = first) -> Samples:
            if (tiles[:, 0, 0] == first).any():
                raise NetworkError("no")
            return tiles

        room = np.full_like(samples, -1)
        came: list[Samples] = []
        with pytest.raises(NetworkError, match="no"):
            came.extend(
                run_bands(
                    refuse,
                    lambda a, b: samples[a:b],
                    lambda a, b, room=room: room[a:b],
                    plan,
                    1,
                    workers=Workers(workers),
                )
            )
        done = np.concatenate([samples[:0], *came])
        assert len(done) <= rows.keep_start
        assert np.array_equal(done, samples[: len(done)])
