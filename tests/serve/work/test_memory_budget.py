"""Memory that is shared, and waited for."""

import threading

import pytest

from served import PATIENCE, await_true
from subpixel.errors import UsageError
from subpixel.serve.work.budget import ByteBudget, OutOfBytesError, ShareBudget, split_memory
from subpixel.serve.work.job_queue import JobCancelledError, Watch
from subpixel.system.machine_memory import resident

GIB = 1 << 30


def test_bytes_are_counted() -> None:
    budget = ByteBudget(10)
    budget.take(6)
    with pytest.raises(OutOfBytesError):
        budget.take(5)
    budget.take(4)
    budget.give_back(10)
    assert budget.held == 0


def test_shares_are_never_more_than_there_are() -> None:
    budget, held, peak, lock = ShareBudget(3, 100), [0], [0], threading.Lock()

    def use(shares: int) -> None:
        for _ in range(200):
            with budget.take(shares, lambda: None) as size:
                assert size == 100 * shares
                with lock:
                    held[0] += shares
                    peak[0] = max(peak[0], held[0])
                with lock:
                    held[0] -= shares

    threads = [threading.Thread(target=use, args=(count,)) for count in (1, 1, 1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert 0 < peak[0] <= 3


def test_whole_is_had_before_those_that_come_later() -> None:
    budget, order = ShareBudget(2, 1), list[str]()
    first, hold = threading.Event(), threading.Event()

    def use(name: str, shares: int, wait: bool) -> None:
        with budget.take(shares, lambda: None):
            order.append(name)
            first.set()
            if wait:
                assert hold.wait(PATIENCE)

    threads = [threading.Thread(target=use, args=("first", 1, True))]
    threads[0].start()
    assert first.wait(PATIENCE)
    for name, shares in (("whole", 2), ("later", 1)):
        threads.append(threading.Thread(target=use, args=(name, shares, False)))
        threads[-1].start()
        await_true(lambda: len(budget._waiting) == len(threads) - 1)
    assert order == ["first"]  # though one share is free
    hold.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert order == ["first", "whole", "later"]


def test_waiting_ends_when_nobody_wants_it() -> None:
    budget, watch = ShareBudget(1, 1), Watch(99)
    with budget.take(1, lambda: None):
        watch.cancel()
        with pytest.raises(JobCancelledError), budget.take(1, watch.expect_going):
            pass
    with budget.take(1, lambda: None) as size:
        assert size == 1


def test_memory_is_split_within_its_limit() -> None:
    most = resident() + 2 * GIB
    split = split_memory(most, jobs=3, max_body=1 << 20)
    assert split.bodies + 3 * (split.job + split.decoder) <= 2 * GIB
    assert min(split.bodies, split.job, split.decoder) > 0.2 * GIB
    for limits in ((100 << 20, 1, 1 << 20), (most, 1, GIB), (most, 64, 1)):
        with pytest.raises(UsageError, match="--max-memory"):
            split_memory(*limits)
