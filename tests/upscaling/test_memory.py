"""The plan for a given memory, and where the memory there is can be read off."""

import math
import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subpixel.errors import MemoryLimitError
from subpixel.media.picture import Header
from subpixel.upscaling import memory
from subpixel.upscaling.memory import Needs, fit_tiles, format_bytes
from subpixel.upscaling.tiles.tiling import TilePlan, plan_tiles

HALO, LEAST = 7, 15


def needs(width: int, height: int, channels: int = 3, scale: int = 3, workers: int = 2) -> Needs:
    header = Header((1, height, width, channels), np.dtype(np.uint8))
    return Needs(header, scale, workers, per_pixel=400, resident=10**8, codecs=10**7)


def cutting(header: Header) -> memory.CutTiles:
    cut = partial(plan_tiles, header.height, header.width, halo=HALO)
    return lambda tile: cut(tile=tile)


def plan(asked: Needs, most: int) -> TilePlan:
    return fit_tiles(asked, cutting(asked.header), (512, 512), LEAST, HALO, most)


@settings(max_examples=40)
@given(
    st.integers(1, 9_000),
    st.integers(1, 3000),
    st.sampled_from([1, 2, 3, 4]),
    st.integers(1, 4),
    st.integers(2 * 10**8, 10**9),
)
def test_what_is_planned_fits_or_is_refused(
    width: int, height: int, channels: int, scale: int, most: int
) -> None:
    asked = needs(width, height, channels, scale)
    smallest = asked.total(cutting(asked.header)((LEAST, LEAST)))
    if smallest > most:
        with pytest.raises(MemoryLimitError, match="need at least"):
            plan(asked, most)
    else:
        assert asked.total(plan(asked, most)) <= most


@pytest.mark.parametrize("width", [3000, 30_000])
def test_height_costs_nothing(width: int) -> None:
    heights = [
        needs(width, height).total(cutting(needs(width, height).header)((100, 512)))
        for height in (2000, 20_000, 200_000)
    ]
    assert max(heights) <= min(heights) * 1.05


@pytest.mark.parametrize(("batch", "at_once"), [(2, 2), (3, 2), (8, 4)])
def test_a_batch_costs_as_many_tiles_as_go_through_at_once(batch: int, at_once: int) -> None:
    asked = needs(2000, 400, workers=1)
    single = cutting(asked.header)((512, 512))
    assert len(single.tiles) == 4
    tile = math.prod(single.tile) * (memory.ARENA * asked.per_pixel + 3 * (4 + 1) * (1 + 3**2))
    more = asked.total(replace(single, batch=batch)) - asked.total(single)
    assert more == pytest.approx((at_once - 1) * tile, rel=1e-6)


def test_more_memory_means_no_smaller_tiles() -> None:
    asked = needs(20_000, 1000)
    rows = [len(plan(asked, most).rows) for most in (5 * 10**8, 10**9, 2 * 10**9, 8 * 10**9)]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] > rows[-1] == len(cutting(asked.header)((512, 512)).rows)


def test_what_would_do_is_said_and_does() -> None:
    asked = needs(20_000, 1000)
    with pytest.raises(MemoryLimitError, match="--max-memory") as error:
        plan(asked, 10**8)
    number = str(error.value).partition("at least ")[2].partition(" of")[0]
    assert plan(asked, int(float(number[:-1]) * {"M": 10**6, "G": 10**9}[number[-1]]))


@pytest.mark.parametrize("width", [20_000, 300_000])
def test_the_figure_that_is_called_quick_is(width: int) -> None:
    """At it no more than half as many pixels again are computed as with all memory there is; at the
    least that does, of a wide picture many times as many."""
    asked = needs(width, 300)
    with pytest.raises(MemoryLimitError, match=r"to be quick") as error:
        plan(asked, 10**8)
    figures = re.findall(r"([\d.]+)([MG]) (?:of memory|to be quick)", str(error.value))
    least, quick = (int(float(size) * {"M": 10**6, "G": 10**9}[unit]) for size, unit in figures)
    work = [
        len(cut.tiles) * math.prod(cut.tile)
        for cut in (plan(asked, most) for most in (least, quick, 10**12))
    ]
    assert work[1] <= memory.QUICK * work[2]
    assert work[0] > 3 * work[2]
    assert least < quick


def test_where_the_smallest_tiles_are_quick_that_is_not_said_twice() -> None:
    with pytest.raises(MemoryLimitError) as error:
        plan(needs(15, 15), 10**8)
    assert "quick" not in str(error.value)


@pytest.mark.parametrize(
    ("size", "words"),
    [(999, "999 bytes"), (10**6, "1M"), (1_000_001, "1.1M"), (1_234_567_890, "1.3G")],
)
def test_sizes_for_people_are_rounded_up(size: int, words: str) -> None:
    assert format_bytes(size) == words


def test_what_is_asked_for_or_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    monkeypatch.setattr(memory, "address_space", lambda: 10**9)
    assert memory.memory_limit(None, held=70) == 70 + 500
    assert memory.memory_limit(5000, held=70) == 5000
    monkeypatch.setattr(memory, "address_space", lambda: 400)
    assert memory.memory_limit(5000, held=70) == 470
    monkeypatch.setattr(memory, "address_space", lambda: -1)
    assert memory.memory_limit(None, held=70) == 70


def test_the_remedy_is_what_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "address_limit_for", lambda size: None)
    assert memory.name_remedy(10**9, "raise --max-memory") == "raise --max-memory"
    monkeypatch.setattr(memory, "address_limit_for", lambda size: size + 5)
    line = memory.name_remedy(100 << 20, "raise --max-memory")
    assert line == f"raise the limit of the address space (ulimit -v {300 << 10})"
