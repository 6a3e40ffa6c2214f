"""Plans for pictures from 1 x N to N x 1: arithmetic alone, whatever N is."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subpixel.errors import MemoryLimitError, PictureError
from subpixel.media.picture import Header, Rows
from subpixel.spec import ModelSpec
from subpixel.upscaling.memory import Needs
from subpixel.upscaling.rows.resampler import Resampler
from subpixel.upscaling.size.target_size import TargetSize
from subpixel.upscaling.tiles.planning import Planner
from subpixel.upscaling.tiles.tiling import Spans, TilePlan, plan_tiles
from subpixel.upscaling.upscaler import Upscaler

MAX_PLANNING = 1 << 20
"""Bytes that planning may take, of any picture: a list of a million of anything takes more."""

sides = st.one_of(st.integers(1, 60), st.integers(1, 10**9))


@contextmanager
def little_memory() -> Iterator[None]:
    """What happens inside takes no more than :data:`MAX_PLANNING`."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MAX_PLANNING


def header(height: int, width: int, channels: int = 3) -> Header:
    return Header((1, height, width, channels), np.dtype(np.uint8))


def expect_cover(spans: Spans, length: int) -> None:
    """From end to end without a gap; of millions those at both ends, and some between."""
    count = len(spans)
    assert spans[0].keep_start == 0
    assert spans[-1].keep_stop == length == spans[count - 1].keep_stop
    numbers = {*range(min(count, 50)), *range(max(0, count - 50), count)}
    numbers |= {place for part in range(1, 8) for place in (part * count // 8,) if place < count}
    most = max(span.keep_stop - span.keep_start for span in map(spans.__getitem__, numbers))
    assert most == spans.max_kept
    for number in sorted(numbers):
        span = spans[number]
        assert 0 <= span.start <= span.keep_start < span.keep_stop <= span.stop <= spans.padded
        assert span.stop - span.start == spans.size
        if number + 1 < count:
            assert span.keep_stop == spans[number + 1].keep_start
        assert number == 0 or span.keep_start - span.start >= spans.halo
        assert number + 1 == count or span.stop - span.keep_stop >= min(
            spans.halo, spans.padded - span.keep_stop
        )


@given(
    height=sides,
    width=sides,
    halo=st.integers(0, 40),
    extra=st.integers(0, 2000),
    multiple=st.sampled_from([1, 2, 8]),
    batch=st.integers(1, 9),
)
@example(height=30, width=8_388_649, halo=7, extra=0, multiple=1, batch=1)
@example(height=10**9, width=1, halo=40, extra=0, multiple=8, batch=9)
@settings(max_examples=150, deadline=None)
def test_every_pixel_is_kept_once_however_many_there_are(
    height: int, width: int, halo: int, extra: int, multiple: int, batch: int
) -> None:
    side = -(-(2 * halo + multiple) // multiple) * multiple + extra
    with little_memory():
        plan = plan_tiles(height, width, tile=(side, side), halo=halo, multiple=multiple)
        plan = replace(plan, batch=batch)
        assert plan.runs >= 1
    expect_cover(plan.rows, height)
    expect_cover(plan.columns, width)
    expect_groups(plan)


def expect_groups(plan: TilePlan) -> None:
    groups, count = plan.groups, len(plan.groups)
    ends = [*range(min(count, 20)), *range(max(0, count - 20), count)]
    assert groups[0][0] == plan.columns[0]
    assert groups[-1][-1] == plan.columns[-1]
    for one, other in pairwise(ends):
        if other == one + 1:
            assert groups[one][-1].keep_stop == groups[other][0].keep_start
    sizes = {len(groups[number]) for number in ends}
    assert max(sizes) <= groups.max_tiles <= plan.batch
    assert min(sizes) >= groups.max_tiles - 1


@given(st.integers(1, 300), st.integers(0, 9), st.integers(0, 30), st.sampled_from([1, 3, 8]))
@settings(deadline=None)
def test_numbers_and_order_say_the_same(length: int, halo: int, extra: int, multiple: int) -> None:
    side = -(-(2 * halo + multiple) // multiple) * multiple + extra
    spans = plan_tiles(length, 1, tile=(side, side), halo=halo, multiple=multiple).rows
    listed = list(spans)
    assert len(listed) == len(spans)
    assert [spans[number - len(listed)] for number in range(len(listed))] == listed
    kept = list(chain.from_iterable(range(s.keep_start, s.keep_stop) for s in listed))
    assert kept == list(range(length))
    assert spans.max_kept == max(s.keep_stop - s.keep_start for s in listed)
    for outside in (len(listed), -len(listed) - 1):
        with pytest.raises(IndexError, match=f"of {len(listed)}"):
            spans[outside]


@pytest.mark.slow
@given(
    height=sides,
    width=sides,
    channels=st.sampled_from([1, 3, 4]),
    scale=st.integers(1, 4),
    halo=st.integers(0, 20),
    tile=st.sampled_from([None, 64, 4096]),
    most=st.integers(10**8, 10**10),
    attempt=st.integers(0, 3),
)
@example(
    height=30, width=8_388_649, channels=3, scale=3, halo=7, tile=None, most=5 * 10**8, attempt=0
)
@example(height=1, width=10**9, channels=3, scale=4, halo=20, tile=None, most=10**10, attempt=0)
@example(height=10**9, width=1, channels=4, scale=4, halo=20, tile=4096, most=10**9, attempt=3)
@settings(max_examples=100, deadline=None)
def test_a_plan_fits_its_memory_or_is_refused_and_takes_none_itself(
    height: int,
    width: int,
    channels: int,
    scale: int,
    halo: int,
    tile: int | None,
    most: int,
    attempt: int,
) -> None:
    picture = header(height, width, channels)
    planner = Planner(ModelSpec("test", scale, "rgb", "rgb", halo=halo), workers=2, tile=tile)
    needs = Needs(picture, scale, workers=2, per_pixel=400, resident=10**8, codecs=10**6)
    least = (planner.least, planner.least)
    smallest = plan_tiles(height, width, tile=least, halo=planner.overlap_of_any)
    with little_memory():
        try:
            plan = planner.fit(needs, most, lambda: 400.0, attempt)
        except MemoryLimitError:
            plan = None
    if plan is None:
        assert needs.total(smallest) > most or planner.overlap_of_any != planner.overlap
        return
    assert needs.total(plan) <= most
    expect_cover(plan.rows, height)
    expect_cover(plan.columns, width)


def test_tiles_of_a_whole_picture_are_found_without_trying_each_size() -> None:
    """`--tile` far larger than the picture's other side; looking at each side of a tile in turn
    would take hours."""
    planner = Planner(ModelSpec("test", 3, "rgb", "rgb", halo=7), workers=2, tile=10**9)
    picture = header(3, 10**9)
    needs = Needs(picture, 3, workers=2, per_pixel=400, resident=10**8, codecs=10**6)
    plan = planner.fit(needs, 10**12, lambda: 400.0)
    expect_cover(plan.columns, 10**9)
    assert needs.total(plan) <= 10**12


def test_tiles_come_one_at_a_time() -> None:
    plan = plan_tiles(10**6, 10**6, tile=(20, 20), halo=5)
    assert len(plan.tiles) > 10**9
    with little_memory():
        first, second = islice(plan.tiles, 2)
    assert first.columns.keep_stop == second.columns.keep_start


@dataclass(frozen=True)
class Unreadable:
    """A source that must not be decoded."""

    header: Header
    memory: int = 0

    def chunks(self) -> Iterator[Rows]:
        raise AssertionError("nothing should be decoded")


@pytest.fixture(scope="module")
def fast() -> Upscaler:
    return Upscaler("fast", scale=2)


@pytest.mark.parametrize("shape", [(30, 300_000), (300_000, 30)])
@pytest.mark.parametrize(
    ("suffix", "form", "limit"),
    [
        (".jpg", "JPEG", "65,500"),
        (".webp", "WebP", "16,383"),
        (".avif", "AVIF", "16,384"),
        (".gif", "GIF", "65,535"),
    ],
)
def test_what_a_format_has_no_room_for_is_refused_first(
    fast: Upscaler, tmp_path: Path, shape: tuple[int, int], suffix: str, form: str, limit: str
) -> None:
    source = Unreadable(header(*shape))
    says = f"too large for {form}, which holds up to {limit} along a side; use PNG, TIFF"
    with pytest.raises(PictureError, match=says):
        fast.file(source, tmp_path / f"a{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
def test_what_no_format_has_room_for_is_refused_first(
    fast: Upscaler, tmp_path: Path, suffix: str
) -> None:
    source = Unreadable(header(1, 60_000_000))
    with pytest.raises(PictureError, match="up to 100,000,000 along a side; make it smaller"):
        fast.file(source, tmp_path / f"a{suffix}")


@pytest.mark.sample(every=23)
@pytest.mark.parametrize("model", ["fast", "auto"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [None, TargetSize(scale=1.5), TargetSize(scale=5)])
@pytest.mark.parametrize("adaptive", [False, True])
def test_what_the_memory_has_no_room_for_is_refused_first(
    tmp_path: Path, model: str, channels: int, size: TargetSize | None, adaptive: bool
) -> None:
    """Before a look at its pixels, a survey of its transparency, and the file."""
    source = Unreadable(header(30, 8_388_649, channels))
    upscaler = Upscaler(model, scale=2, adaptive=adaptive)
    asked = partial(upscaler.file, source, tmp_path / "a.png", size=size)
    with pytest.raises(MemoryLimitError, match=r"at least .*G of memory"):
        asked(max_memory=5 * 10**8)
    with pytest.raises(MemoryLimitError, match=r"at least .*G of memory"):
        upscaler.rows(source, max_memory=5 * 10**8)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_any_size_are_no_list() -> None:
    """Where a picture is resized, what it takes is told without computing the weights."""
    with little_memory():
        stages = [Resampler(10**9, 10**9), Resampler(7, 10**9), Resampler(10**9, 7)]
        sizes = [stage.memory(header(2 * 10**8, 10**9)) for stage in stages]
    assert min(sizes) > 10**9
