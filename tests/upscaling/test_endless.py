"""Frames that come as they come, without end: one is out before the one after the next is read."""

import tracemalloc
from collections.abc import Iterator
from itertools import islice
from threading import active_count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from networks import BoxBlur
from subpixel.errors import MemoryLimitError, NetworkError
from subpixel.media.picture import Header, Picture
from subpixel.network.network import Network
from subpixel.spec import ModelSpec
from subpixel.system.machine_memory import resident
from subpixel.upscaling.rows.resampler import Resampler
from subpixel.upscaling.rows.window import split_frames
from subpixel.upscaling.size.target_size import TargetSize
from subpixel.upscaling.upscaler import Upscaler

SPEC = ModelSpec("blur", scale=2, colour="rgb", interface="rgb", halo=2)


class Camera:
    """Frames of noise without end, in chunks of ``rows``; counts those that were begun."""

    memory = 0

    def __init__(self, height: int = 50, width: int = 40, channels: int = 3, rows: int = 7) -> None:
        self.header = Header((None, height, width, channels), np.dtype(np.uint8))
        self.begun = 0
        self._rows = rows

    def frame(self, number: int) -> np.ndarray:
        """Every third is opaque, if there is alpha."""
        random = np.random.default_rng(number)
        samples = random.integers(0, 256, self.header.shape[1:], dtype=np.uint8)
        if self.header.has_alpha and number % 3 == 0:
            samples[..., -1] = 255
        return samples

    def chunks(self) -> Iterator[np.ndarray]:
        while True:
            samples = self.frame(self.begun)
            self.begun += 1
            for top in range(0, len(samples), self._rows):
                yield samples[top : top + self._rows]


def _upscaler(workers: int = 2) -> Upscaler:
    return Upscaler(Network(BoxBlur(2, 2), SPEC, "fake", workers=workers), tile=24)


def test_a_frame_is_out_before_the_one_after_the_next_is_in() -> None:
    camera = Camera()
    frames = split_frames(_upscaler().rows(camera), 100)
    for number in range(5):
        np.concatenate(list(next(frames)))
        assert camera.begun <= number + 2


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.integers(1, 90), st.integers(1, 60), st.integers(1, 4), st.integers(1, 40), st.booleans())
def test_each_frame_is_as_by_itself(
    height: int, width: int, channels: int, rows: int, resampled: bool
) -> None:
    """To the bit, alpha and a further stage included."""
    camera, upscaler = Camera(height, width, channels, rows), _upscaler()
    stages = [Resampler(height + 5, 2 * width + 3)] if resampled else []
    out = height + 5 if resampled else 2 * height
    frames = split_frames(upscaler.rows(camera, stages=stages), out)
    for number, frame in enumerate(islice(frames, 4)):
        alone = Picture(camera.frame(number)[None])
        expected = np.concatenate(list(upscaler.rows(alone, stages=stages)))
        assert np.array_equal(np.concatenate(list(frame)), expected)
        if not resampled:
            assert np.array_equal(expected, upscaler.picture(alone).frames[0])


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("scale", [1.5, 4, 0.5])
def test_frames_get_any_size(channels: int, scale: float) -> None:
    """As pictures do, through one network, two in turn or none."""
    camera, upscaler, size = Camera(20, 30, channels), _upscaler(), TargetSize(scale=scale)
    frames = split_frames(upscaler.rows(camera, size=size), int(20 * scale))
    for number, frame in enumerate(islice(frames, 4)):
        expected = upscaler.picture(Picture(camera.frame(number)[None]), size=size).frames[0]
        assert np.array_equal(np.concatenate(list(frame)), expected)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_frames() -> None:
    """Of 60 frames, that of a few is held at a time: one as it came, and one enlarged, of which
    parts are float32 on their way."""
    camera, count = Camera(120, 160), 60
    rows = _upscaler().rows(camera, stages=[Resampler(100, 100)])
    tracemalloc.start()
    try:
        for frame in islice(split_frames(rows, 100), count):
            for _ in frame:
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    enlarged = (2 * 120) * (2 * 160) * 3
    assert peak < (1 + 4) * 2 * enlarged < count * enlarged


def test_frames_and_pictures_share_one_pool_of_threads() -> None:
    upscaler = _upscaler(workers=3)
    before = active_count()
    pictures = [Picture(np.zeros((2, 50, 40, 3), np.uint8)) for _ in range(3)]
    for picture in pictures:
        upscaler.picture(picture)
    for _ in islice(upscaler.rows(Camera()), 20):
        pass
    assert active_count() <= before + 3


def test_what_is_left_in_the_middle_leaves_no_run_behind() -> None:
    """Another picture goes through the same threads, and comes out right."""
    upscaler, camera = _upscaler(), Camera()
    rows = upscaler.rows(camera)
    next(rows)
    rows.close()
    alone = Picture(camera.frame(0)[None])
    assert np.array_equal(upscaler.picture(alone).frames, _upscaler().picture(alone).frames)


def test_a_network_that_fails_fails_that_frame() -> None:
    calls = 0

    def refuse(pixels: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise NetworkError("no")
        return BoxBlur(2, 2)(pixels)

    upscaler = Upscaler(Network(refuse, SPEC, "fake", workers=2), tile=24)
    with pytest.raises(NetworkError, match="no"):
        for _ in upscaler.rows(Camera()):
            pass


def test_memory_is_counted_for_a_frame() -> None:
    with pytest.raises(MemoryLimitError, match="are allowed"):
        _upscaler().rows(Camera(), max_memory=10**6)
    next(_upscaler().rows(Camera(), max_memory=resident() + 10**9))


def test_progress_is_of_the_frames_so_far() -> None:
    seen: list[tuple[int, int]] = []
    frames = split_frames(_upscaler().rows(Camera(), report=lambda *now: seen.append(now)), 100)
    for frame in islice(frames, 2):
        for _ in frame:
            pass
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert all(done <= total for done, total in seen)
    assert seen[-1][0] == seen[-1][1]
