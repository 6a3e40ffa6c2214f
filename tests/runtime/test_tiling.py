import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks import BoxBlur, NearestNeighbour
from subpixel.errors import NetworkError, UsageError
from subpixel.runtime.op import NetOp
from subpixel.runtime.tiling import Samples, Span, TilePlan, plan_tiles, run_tiles


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


def _run(op: NetOp, samples: Samples, plan: TilePlan, scale: int) -> Samples:
    def upscale(tile: Samples) -> Samples:
        return op(np.ascontiguousarray(tile.transpose(2, 0, 1)[None]))[0].transpose(1, 2, 0)

    height, width, channels = samples.shape
    result = np.empty((height * scale, width * scale, channels), samples.dtype)
    run_tiles(upscale, samples, result, plan)
    return result


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 4),
    st.integers(1, 3),
    st.integers(0, 30),
    st.integers(0, 2**32 - 1),
)
def test_tiled_equals_whole(
    height: int, width: int, halo: int, scale: int, extra: int, seed: int
) -> None:
    samples = np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)
    tile = 2 * halo + 1 + extra
    cut = plan_tiles(height, width, tile=(tile, tile), halo=halo)
    whole = plan_tiles(height, width, tile=None, halo=halo)
    op = BoxBlur(scale, halo)
    assert np.array_equal(_run(op, samples, cut, scale), _run(op, samples, whole, scale))


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


def test_a_tile_without_room_for_the_halo_is_refused() -> None:
    with pytest.raises(UsageError, match="use at least 11"):
        plan_tiles(100, 100, tile=(10, 10), halo=5)


def test_a_network_of_another_scale_is_caught() -> None:
    plan = plan_tiles(4, 4, tile=None, halo=0)
    with pytest.raises(NetworkError, match=r"should be \(12, 12, 1\)"):
        _run(NearestNeighbour(2), np.zeros((4, 4, 1), np.float32), plan, 3)


def test_progress_counts_every_tile() -> None:
    seen: list[tuple[int, int]] = []
    plan = plan_tiles(10, 4, tile=(4, 4), halo=0)
    samples = np.zeros((10, 4, 1))
    run_tiles(lambda tile: tile, samples, samples.copy(), plan, lambda *now: seen.append(now))
    assert seen == [(1, 3), (2, 3), (3, 3)]
