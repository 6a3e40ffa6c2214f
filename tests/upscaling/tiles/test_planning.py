"""Plans for one network: what a tile may be, and what becomes of plans where memory is short."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subpixel.errors import MemoryLimitError, UsageError
from subpixel.media.picture import Header
from subpixel.spec import ModelSpec
from subpixel.upscaling.memory import UNKNOWN_FOOTPRINT, Needs
from subpixel.upscaling.tiles.planning import DEFAULT_TILE, NON_LOCAL_OVERLAP, Planner

SPEC = ModelSpec("test", 2, "rgb", "rgb", halo=5)


def header(width: int, height: int, channels: int = 3) -> Header:
    return Header((1, height, width, channels), np.dtype(np.uint8))


def needs(picture: Header) -> Needs:
    return Needs(picture, 2, workers=2, per_pixel=UNKNOWN_FOOTPRINT, resident=10**8, codecs=10**6)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 4), st.integers(1, 8))
@settings(max_examples=40)
def test_every_pixel_is_kept_once(width: int, height: int, workers: int, batch: int) -> None:
    plan = Planner(SPEC, workers, batch=batch).plan(header(width, height))
    for spans, side in ((plan.rows, height), (plan.columns, width)):
        ends = [0, *(span.keep_stop for span in spans)]
        assert [span.keep_start for span in spans] == ends[:-1]
        assert ends[-1] == side
    assert max(map(len, plan.groups)) <= batch


def test_by_default_tiles_stay_near_their_usual_size() -> None:
    high, wide = Planner(SPEC, 2).plan(header(5000, 4000)).tile
    assert high * wide <= 2 * DEFAULT_TILE**2
    whole = Planner(replace(SPEC, halo=None), 2).plan(header(5000, 4000))
    assert whole.tile == (4000, 5000), "which sees all of the picture, can't be cut"
    assert Planner(replace(SPEC, halo=None), 2, tile=100).overlap == NON_LOCAL_OVERLAP


@pytest.mark.parametrize("tile", [1, 10])
def test_a_tile_that_is_all_halo_is_refused(tile: int) -> None:
    with pytest.raises(UsageError, match=f"tile is {tile}; .* at least"):
        Planner(SPEC, 2, tile=tile)


@pytest.mark.parametrize(
    ("fixed", "batch", "allowed"), [(None, 0, "at least 1"), (3, 2, "1: its file takes 3")]
)
def test_a_batch_that_the_file_does_not_take_is_refused(
    fixed: int | None, batch: int, allowed: str
) -> None:
    with pytest.raises(UsageError, match=f"batch is {batch}; .* {allowed}"):
        Planner(replace(SPEC, fixed_batch=fixed), 2, batch=batch)


def test_the_network_is_counted_only_where_it_matters() -> None:
    def counted() -> float:
        raise AssertionError("nobody should ask")

    planner, asked = Planner(SPEC, 2), needs(header(300, 200))
    assert planner.fit(asked, 10**11, counted) == planner.plan(asked.header)


def test_less_memory_first_means_no_batches_then_smaller_tiles() -> None:
    planner, asked = Planner(SPEC, 2, tile=256, batch=4), needs(header(4000, 2000))
    plans = [planner.fit(asked, most, lambda: 400.0) for most in (2 * 10**9, 3 * 10**8)]
    assert [plan.batch for plan in plans] == [4, 1]
    areas = [np.prod(plan.tile) for plan in plans]
    assert areas[1] <= areas[0]
    with pytest.raises(MemoryLimitError):
        planner.fit(asked, 10**8, lambda: 400.0)


def test_every_attempt_halves_the_tiles() -> None:
    planner, asked = Planner(SPEC, 2, tile=256), needs(header(4000, 2000))
    plans = [planner.fit(asked, 10**11, lambda: 400.0, attempt) for attempt in range(3)]
    areas = [np.prod(plan.tile) for plan in plans]
    assert areas[0] > areas[1] > areas[2]
