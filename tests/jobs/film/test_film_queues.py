"""Threads that hand items on, and end together."""

import pytest

from subpixel.jobs.film.queues import Failures, FrameChannel, StoppedError, start_thread


def test_items_come_in_order_and_end() -> None:
    failures = Failures()
    channel: FrameChannel[int] = FrameChannel(2, failures)

    def fill() -> None:
        for number in range(50):
            channel.put(number)
        channel.put(None)

    thread = start_thread("fill", fill, failures)
    assert list(channel) == list(range(50))
    thread.join()
    failures.raise_first()


def test_a_thread_that_fails_ends_all() -> None:
    failures = Failures()
    channel: FrameChannel[int] = FrameChannel(1, failures)

    def fail() -> None:
        channel.put(1)
        raise RuntimeError("broken")

    thread = start_thread("fail", fail, failures)
    thread.join()
    with pytest.raises(StoppedError):
        channel.get()
    with pytest.raises(StoppedError):
        channel.put(2)
    with pytest.raises(RuntimeError, match="broken"):
        failures.raise_first()


def test_a_full_channel_is_left_when_all_stops() -> None:
    failures = Failures()
    channel: FrameChannel[int] = FrameChannel(1, failures)

    def fill() -> None:
        while True:
            channel.put(0)

    thread = start_thread("fill", fill, failures)
    failures.stop()
    thread.join(10)
    assert not thread.is_alive()
    failures.raise_first()
