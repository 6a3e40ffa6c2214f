from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.errors import UsageError
from subpixel.upscaling.tiles.tiling import Span, TilePlan, plan_tiles, share_out

sides = st.integers(1, 80)


@st.composite
def plans(draw: st.DrawFn) -> tuple[TilePlan, int, int]:
    """A plan, with the halo and the multiple that it was asked for."""
    halo, multiple = draw(st.integers(0, 6)), draw(st.sampled_from([1, 2, 3, 8]))
    least = -(-(2 * halo + multiple) // multiple) * multiple
    tile = (draw(st.integers(least, least + 40)), draw(st.integers(least, least + 40)))
    height, width = draw(st.integers(1, 80)), draw(st.integers(1, 80))
    return plan_tiles(height, width, tile=tile, halo=halo, multiple=multiple), halo, multiple


@given(plans())
def test_tiles_keep_every_pixel_exactly_once(drawn: tuple[TilePlan, int, int]) -> None:
    plan, _, _ = drawn
    kept = np.zeros((plan.height, plan.width), int)
    for tile in plan.tiles:
        rows, columns = tile.rows, tile.columns
        kept[rows.keep_start : rows.keep_stop, columns.keep_start : columns.keep_stop] += 1
    assert (kept == 1).all()


@pytest.mark.slow
@given(plans())
def test_what_a_tile_keeps_has_its_halo_or_ends_where_the_picture_ends(
    drawn: tuple[TilePlan, int, int],
) -> None:
    plan, halo, multiple = drawn

    def whole(span: Span, padded: int) -> bool:
        left = span.start == 0 or span.keep_start - span.start >= halo
        right = span.stop == padded or span.stop - span.keep_stop >= halo
        aligned = span.start % multiple == 0 and (span.stop - span.start) % multiple == 0
        return left and right and aligned and span.start >= 0 and span.stop <= padded

    assert all(whole(tile.rows, plan.padded_height) for tile in plan.tiles)
    assert all(whole(tile.columns, plan.padded_width) for tile in plan.tiles)


@given(plans())
def test_all_tiles_have_one_size(drawn: tuple[TilePlan, int, int]) -> None:
    sizes = {(t.rows.stop - t.rows.start, t.columns.stop - t.columns.start) for t in drawn[0].tiles}
    assert len(sizes) == 1


@given(st.integers(1, 80), st.integers(0, 6), st.integers(0, 40))
def test_a_smaller_tile_would_need_more_tiles(length: int, halo: int, extra: int) -> None:
    tile = 2 * halo + 1 + extra
    (span, *others) = (t.rows for t in plan_tiles(length, 1, tile=(tile, tile), halo=halo).tiles)
    size = span.stop - span.start
    assert size <= tile
    if others and size > 2 * halo + 1:
        smaller = plan_tiles(length, 1, tile=(size - 1, size - 1), halo=halo)
        assert len(smaller.tiles) > 1 + len(others)


@given(plans(), st.integers(1, 9))
def test_a_band_goes_through_in_few_and_even_groups(
    drawn: tuple[TilePlan, int, int], batch: int
) -> None:
    plan = replace(drawn[0], batch=batch)
    assert sum(plan.groups, ()) == tuple(plan.columns)
    sizes = [len(group) for group in plan.groups]
    assert 1 <= min(sizes) <= max(sizes) <= min(sizes) + 1
    assert max(sizes) <= batch
    assert len(sizes) == -(-len(plan.columns) // batch)


def test_little_is_computed_twice() -> None:
    plan = plan_tiles(1024, 1024, tile=(512, 512), halo=7)
    areas = [(t.rows.stop - t.rows.start) * (t.columns.stop - t.columns.start) for t in plan.tiles]
    assert sum(areas) < 1.06 * 1024**2


def test_a_tile_without_room_for_the_halo_is_refused() -> None:
    with pytest.raises(UsageError, match="use at least 11"):
        plan_tiles(100, 100, tile=(10, 10), halo=5)
    with pytest.raises(UsageError, match="use at least 32"):
        plan_tiles(100, 100, tile=(31, 31), halo=5, multiple=8, minimum=30)


@given(sides, sides, st.integers(0, 9), st.integers(1, 5), st.integers(0, 60))
def test_sharing_out_never_takes_longer(
    height: int, width: int, halo: int, workers: int, extra: int
) -> None:
    cut = partial(_cut, height, width, halo)
    tile = (2 * halo + 1 + extra,) * 2
    plain = cut(tile)
    for stretch in (1, 2):
        shared = share_out(cut, tile, halo, workers, stretch)
        assert _rounds(shared, workers) * _area(shared) <= _rounds(plain, workers) * _area(plain)
        assert _area(shared) <= stretch * tile[0] ** 2
        assert max(_sides(shared)) <= stretch**2 * tile[0]


def _cut(height: int, width: int, halo: int, tile: tuple[int, int]) -> TilePlan:
    return plan_tiles(height, width, tile=tile, halo=halo)


def _sides(plan: TilePlan) -> tuple[int, int]:
    rows, columns = plan.rows[0], plan.columns[0]
    return rows.stop - rows.start, columns.stop - columns.start


def _area(plan: TilePlan) -> int:
    height, width = _sides(plan)
    return height * width


def _rounds(plan: TilePlan, workers: int) -> int:
    return -(-len(plan.tiles) // workers)


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("side", [512, 1024, 1500])
def test_workers_share_a_picture_nearly_evenly(side: int, workers: int) -> None:
    """Of what each would compute if nothing were computed twice, at most a quarter more."""
    plan = share_out(partial(_cut, side, side, 7), (512, 512), 7, workers, stretch=2)
    assert _rounds(plan, workers) * _area(plan) < 1.25 * side**2 / workers
