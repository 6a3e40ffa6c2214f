import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.errors import UsageError
from subpixel.runtime.tiling import USEFUL, Span, TilePlan, plan_tiles, spread


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


def test_little_is_computed_twice() -> None:
    plan = plan_tiles(1024, 1024, tile=(512, 512), halo=7)
    areas = [(t.rows.stop - t.rows.start) * (t.columns.stop - t.columns.start) for t in plan.tiles]
    assert sum(areas) < 1.06 * 1024**2


def test_a_tile_without_room_for_the_halo_is_refused() -> None:
    with pytest.raises(UsageError, match="use at least 11"):
        plan_tiles(100, 100, tile=(10, 10), halo=5)


@given(st.integers(1, 400), st.integers(1, 80), st.integers(0, 20), st.integers(1, 16))
def test_no_tile_keeps_more_than_a_workers_share_of_the_rows(
    height: int, width: int, halo: int, workers: int
) -> None:
    whole = plan_tiles(height, width, tile=None, halo=halo)
    tile = spread(whole, workers, halo)
    plan = plan_tiles(height, width, tile=(tile, width), halo=halo)
    share = max(-(-height // workers), USEFUL * halo)
    assert max(span.keep_stop - span.keep_start for span in plan.rows) <= share + 2 * halo
