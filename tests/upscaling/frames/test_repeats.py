"""Tiles that are as they were in the frame before: not computed again, and the same to the bit."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier, Lock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks import BoxBlur
from subpixel import TargetSize
from subpixel.media.image_file import open_picture, read_picture, write_picture
from subpixel.media.picture import Header, Metadata, Picture
from subpixel.network.network import Network
from subpixel.runtime.op import Codes, Pixels, Samples
from subpixel.spec import ModelSpec
from subpixel.system.machine_memory import resident
from subpixel.upscaling import memory
from subpixel.upscaling.frames.repeats import RunCache, equal_bits
from subpixel.upscaling.pipeline import Pipeline
from subpixel.upscaling.size.chain import NetworkChain
from subpixel.upscaling.tiles.tiling import TilePlan
from subpixel.upscaling.upscaler import Upscaler

HALO, SCALE = 2, 2
SPEC = ModelSpec("blur", scale=SCALE, colour="rgb", interface="rgb", halo=HALO)
CODES_SPEC = replace(SPEC, samples="uint8")


@dataclass
class Counter:
    """An op that counts its calls, and as a CodeOp too."""

    calls: int = 0
    lock: Lock = field(default_factory=Lock)

    def __call__(self, pixels: Pixels, /) -> Pixels:
        with self.lock:
            self.calls += 1
        return BoxBlur(SCALE, HALO)(pixels)

    def codes(self, codes: Codes, /) -> Codes:
        larger = self(codes.transpose(0, 3, 1, 2).astype(np.float32))
        return np.rint(larger).astype(np.uint8).transpose(0, 2, 3, 1)


def _upscaler(op: Counter, *, codes: bool = False, batch: int = 1, **more: str) -> Upscaler:
    network = Network(op, SPEC, "fake", workers=2)
    if codes:
        network = replace(network, spec=CODES_SPEC, codes=op.codes)
    return Upscaler(network, tile=16, batch=batch, **more)


@st.composite
def films(draw: st.DrawFn, channels: Sequence[int] = (1, 2, 3, 4)) -> np.ndarray:
    """Frames of noise of which some rectangles change, or none, or all."""
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.float32]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (height, width, draw(st.sampled_from(channels)))

    def noise(shape: tuple[int, ...]) -> np.ndarray:
        if dtype == np.float32:
            return random.random(shape, np.float32)
        return random.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)

    frames = [noise(shape)]
    for _ in range(draw(st.integers(1, 4))):
        frame = frames[-1].copy()
        for _ in range(draw(st.integers(0, 2))):
            top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            bottom, right = top + draw(st.integers(1, 20)), left + draw(st.integers(1, 20))
            part = frame[top:bottom, left:right]
            part[:] = noise(part.shape)
        frames.append(frame)
    return np.stack(frames)


def _alone(frames: np.ndarray, **options: object) -> np.ndarray:
    """Each frame as a picture of its own: nothing is known of the one before."""
    upscaler = _upscaler(Counter(), **options)  # type: ignore[arg-type]
    return np.concatenate([upscaler.picture(Picture(frame[None])).frames for frame in frames])


def _runs(plan: TilePlan) -> Iterator[tuple[slice, slice]]:
    """What the network sees in each run."""
    for row, group in itertools.product(plan.rows, plan.groups):
        yield slice(row.start, row.stop), slice(group[0].start, group[-1].stop)


def _changed_runs(frames: np.ndarray, plan: TilePlan) -> int:
    """All of the first frame, and of each other those that see a pixel that changed."""
    return plan.runs + sum(
        before[run].tobytes() != after[run].tobytes()
        for before, after in itertools.pairwise(frames)
        for run in _runs(plan)
    )


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(films(channels=(1, 3)), st.booleans(), st.integers(1, 3))
def test_as_many_runs_as_see_a_change(frames: np.ndarray, codes: bool, batch: int) -> None:
    codes = codes and frames.dtype == np.uint8
    op = Counter()
    upscaler = _upscaler(op, codes=codes, batch=batch)
    result = upscaler.picture(Picture(frames)).frames
    assert op.calls == _changed_runs(frames, upscaler.plan(Picture(frames).header))
    assert np.array_equal(result, _alone(frames, codes=codes, batch=batch))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(films(channels=(4,)))
def test_data_beside_colours_counts_as_they_do(frames: np.ndarray) -> None:
    """Alpha that hides nothing goes through the network in the same run, which is two calls."""
    op = Counter()
    upscaler = _upscaler(op, alpha="straight")
    result = upscaler.picture(Picture(frames)).frames
    assert op.calls == 2 * _changed_runs(frames, upscaler.plan(Picture(frames).header))
    assert np.array_equal(result, _alone(frames, alpha="straight"))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(films(channels=(2, 4)), st.lists(st.booleans(), min_size=5, max_size=5))
def test_frames_with_alpha_are_as_by_themselves(frames: np.ndarray, opaque: list[bool]) -> None:
    """Some of them are opaque, and of them alpha isn't computed; in memory and by rows."""
    for frame, full in zip(frames, opaque, strict=False):
        if full:
            frame[..., -1] = Picture(frames).header.full_scale
    expected, upscaler = _alone(frames), _upscaler(Counter())
    assert np.array_equal(upscaler.picture(Picture(frames)).frames, expected)
    rows = np.concatenate(list(upscaler.rows(Picture(frames))))
    assert np.array_equal(rows.reshape(expected.shape), expected)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_files_of_several_frames(suffix: str, tmp_path: Path) -> None:
    """A patch moves: what lies far from it is computed once."""
    frames = np.full((6, 60, 60, 3), 255, np.uint8)
    for number, frame in enumerate(frames):
        frame[30:34, 6 * number : 6 * number + 4] = 0
    metadata = Metadata(delays_ms=(40,) * 6) if suffix != ".tif" else Metadata()
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_picture(Picture(frames, metadata), source)
    decoded = read_picture(source)
    op = Counter()
    upscaler = _upscaler(op)
    upscaler.file(source, target)
    plan = upscaler.plan(decoded.header)
    runs = _changed_runs(decoded.frames, plan)
    planes = 2 if decoded.has_alpha and not (decoded.frames[..., -1] == 255).all() else 1
    assert op.calls == planes * runs < planes * 6 * plan.runs / 2
    written = tmp_path / f"c{suffix}"
    write_picture(replace(decoded, frames=_alone(decoded.frames)), written)
    assert np.array_equal(read_picture(target).frames, read_picture(written).frames)


def test_networks_in_turn_each_compute_what_changed() -> None:
    frames = np.zeros((5, 40, 40, 3), np.uint8)
    op = Counter()
    upscaler = _upscaler(op)
    size = TargetSize(scale=4)
    result = upscaler.picture(Picture(frames), size=size).frames
    header = Picture(frames[:1]).header
    assert op.calls == upscaler.plan(header).runs + upscaler.plan(header.enlarge(2)).runs
    assert np.array_equal(result, np.zeros((5, 160, 160, 3)))


def test_a_still_holds_nothing() -> None:
    chain = NetworkChain([Pipeline(Network(BoxBlur(2, 2), SPEC, "fake"), tile=16)])
    header = Header((1, 40, 40, 3), np.dtype(np.uint8))
    (plan,) = chain.fit(header, 0, None, attempt=0)
    assert plan.cache_runs == 0
    (plan,) = chain.fit(replace(header, shape=(None, 40, 40, 3)), 0, None, attempt=0)
    assert plan.cache_runs == plan.runs
    (plan,) = chain.fit(replace(header, shape=(2, 40, 40, 3)), 0, None, attempt=1)
    assert plan.cache_runs == 0


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.sampled_from([1, 2, 3, 4]),
    st.integers(1, 2),
    st.integers(0, 10**8),
)
def test_what_is_held_is_in_what_is_allowed(
    width: int, height: int, channels: int, networks: int, more: int
) -> None:
    """Through one network or two, and the tiles are as large as if nothing were held."""
    network = Network(BoxBlur(2, 2), SPEC, "fake", workers=2)
    chain = NetworkChain([Pipeline(network) for _ in range(networks)])
    film = Header((None, height, width, channels), np.dtype(np.uint8))
    held = max(pipeline.resident for pipeline in chain.pipelines)
    least = sum(
        p.least_memory(h) for p, h in zip(chain.pipelines, chain.headers(film), strict=False)
    )
    most = held + memory.SLACK + least + more + (2 << 20)
    plans = chain.fit(film, 1 << 20, most, attempt=0)
    if networks == 1:
        (plan,) = plans
        alone = chain.pipelines[0].fit(film, 1 << 20, most, attempt=0)
        assert replace(plan, cache_runs=0) == alone
    stages = list(zip(chain.pipelines, chain.headers(film), plans, strict=False))
    taken = sum(pipeline.memory(header, plan) for pipeline, header, plan in stages)
    assert held + memory.SLACK + (1 << 20) + taken <= most
    spare = most - held - memory.SLACK - (1 << 20) - taken
    for _, header, plan in stages:
        assert plan.cache_runs == plan.runs or memory.run_bytes(header, 2, plan) > spare


def test_with_little_memory_a_part_is_held() -> None:
    """The first runs: the others are computed in each frame, and all are right."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 90, 90, 3), dtype=np.uint8)
    frames[1:] = frames[0]
    op = Counter()
    pipeline = Pipeline(Network(op, SPEC, "fake", workers=2), tile=16)
    plan = replace(pipeline.plan(Picture(frames).header), cache_runs=10)
    result = np.concatenate(list(pipeline.run(Picture(frames), plan)))
    assert op.calls == 3 * plan.runs - 2 * 10
    assert np.array_equal(result.reshape(3, 180, 180, 3), _alone(frames))


def test_a_network_that_fails_leaves_no_stale_result() -> None:
    cache, tiles = RunCache(1), np.zeros((1, 4, 4, 3), np.uint8)
    assert cache.wrap(0, lambda tiles: tiles + 1)(tiles).max() == 1

    def refuse(tiles: Samples) -> Samples:
        raise MemoryError(tiles.shape)

    assert cache.wrap(0, refuse)(tiles).max() == 1
    for _ in range(2):
        with pytest.raises(MemoryError):
            cache.wrap(0, refuse)(tiles + 7)
    assert cache.wrap(0, lambda tiles: tiles + 3)(tiles).max() == 3
    assert cache.wrap(1, refuse) is refuse


def test_the_next_frame_is_under_way_while_one_comes_out() -> None:
    """Each frame is one tile, and no run ends before the next one has begun."""
    both = Barrier(2, timeout=60)

    def meet(pixels: Pixels) -> Pixels:
        both.wait()
        return BoxBlur(SCALE, HALO)(pixels)

    frames = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    upscaler = Upscaler(Network(meet, SPEC, "fake", workers=2), tile=64)
    assert upscaler.plan(Picture(frames).header).runs == 1
    assert np.array_equal(upscaler.picture(Picture(frames)).frames, _alone(frames))


def test_a_run_waits_for_the_one_whose_result_it_takes() -> None:
    """Frames of one tile, all equal, side by side: it is computed once."""
    frames = np.zeros((20, 8, 8, 3), np.uint8)
    op = Counter()
    upscaler = Upscaler(Network(op, SPEC, "fake", workers=3), tile=64)
    upscaler.picture(Picture(frames))
    assert op.calls == 1


def test_what_is_closed_in_the_middle_hangs_nobody() -> None:
    """Runs that wait for others are under way, and some that haven't begun."""
    frames = np.random.default_rng(0).integers(0, 256, (40, 30, 30, 3), dtype=np.uint8)
    frames[::2] = frames[0]
    upscaler = _upscaler(Counter())
    for count in range(1, 12):
        rows = upscaler.rows(Picture(frames))
        for _ in range(count):
            next(rows)
        rows.close()


def test_bits_are_compared_and_not_numbers() -> None:
    zeros = np.zeros((1, 100, 200, 3), np.float32)
    nan = np.full_like(zeros, np.nan)
    assert equal_bits(zeros, zeros.copy())
    assert equal_bits(nan, nan.copy())
    assert not equal_bits(zeros, -zeros)
    for place in (0, zeros.size - 1):
        other = zeros.copy()
        other.flat[place] = np.nextafter(np.float32(0), np.float32(1))
        assert not equal_bits(zeros, other)


def test_what_comes_out_may_be_written_to() -> None:
    """By whoever takes the rows: what is held is no part of them."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    frames[1:] = frames[0]
    result = []
    for rows in _upscaler(Counter()).rows(Picture(frames)):
        result.append(rows.copy())
        rows[:] = 0
    assert np.array_equal(np.concatenate(result).reshape(3, 80, 80, 3), _alone(frames))


@pytest.mark.slow
def test_memory_for_the_frame_before_is_bounded(tmp_path: Path) -> None:
    """A picture file of frames that repeat goes through at the memory that a still needs."""
    frames = np.zeros((4, 300, 300, 3), np.uint8)
    write_picture(Picture(frames), tmp_path / "a.tif")
    op = Counter()
    _upscaler(op).file(
        open_picture(tmp_path / "a.tif"), tmp_path / "b.tif", max_memory=resident() + (200 << 20)
    )
    assert op.calls == _upscaler(op).plan(Picture(frames).header).runs
