"""Jobs that wait, run, end and are given up."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field

import pytest

from served import PATIENCE, await_true
from subpixel.serve.work.job_queue import (
    MAX_RETRY_SECONDS,
    JobCancelledError,
    JobQueue,
    QueueFullError,
    TimeLimitError,
    Watch,
)


@dataclass
class Closed:
    """A result that knows whether it was closed."""

    closed: bool = False

    def close(self) -> None:
        self.closed = True


@dataclass
class Gate:
    """Work that waits to be let go on."""

    opened: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    result: Closed = field(default_factory=Closed)

    def work(self, watch: Watch) -> Closed:
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        watch.report(1, 2)
        return self.result

    def finish(self, _watch: Watch) -> Closed:
        """The same without a look at the watch at the end."""
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        return self.result


@pytest.fixture
def queue() -> Iterator[JobQueue]:
    queue = JobQueue(1, 1)
    yield queue
    queue.close()


def test_what_is_too_much_is_refused(queue: JobQueue) -> None:
    first, second = Gate(), Gate()
    running = queue.submit(first.work, 99)
    assert first.entered.wait(PATIENCE)
    waiting = queue.submit(second.work, 99)
    assert (queue.running, queue.waiting) == (1, 1)
    with pytest.raises(QueueFullError) as caught:
        queue.submit(Gate().work, 99)
    assert 1 <= caught.value.seconds <= MAX_RETRY_SECONDS
    first.opened.set()
    second.opened.set()
    assert running.future.result(PATIENCE) is first.result
    assert waiting.future.result(PATIENCE) is second.result
    await_true(lambda: (queue.running, queue.waiting) == (0, 0))
    assert not first.result.closed


def test_waiting_job_that_is_given_up_leaves_its_place(queue: JobQueue) -> None:
    first, second, third = Gate(), Gate(), Gate()
    queue.submit(first.work, 99)
    assert first.entered.wait(PATIENCE)
    queue.submit(second.work, 99).abandon()
    job = queue.submit(third.work, 99)
    first.opened.set()
    third.opened.set()
    assert job.future.result(PATIENCE) is third.result
    assert not second.entered.is_set()


def test_running_job_that_is_given_up_ends_at_its_next_look(queue: JobQueue) -> None:
    gate = Gate()
    job = queue.submit(gate.work, 99)
    assert gate.entered.wait(PATIENCE)
    job.abandon()
    gate.opened.set()
    with pytest.raises(JobCancelledError):
        job.future.result(PATIENCE)


def test_result_that_nobody_waits_for_is_closed(queue: JobQueue) -> None:
    gate = Gate()
    job = queue.submit(gate.finish, 99)
    assert gate.entered.wait(PATIENCE)
    job.abandon()
    gate.opened.set()
    await_true(lambda: gate.result.closed)
    done = queue.submit(gate.finish, 99)
    done.future.result(PATIENCE)
    gate.result.closed = False
    done.abandon()
    assert gate.result.closed


def test_failed_job_gives_its_place_back(queue: JobQueue) -> None:
    def fail(_watch: Watch) -> Closed:
        raise ZeroDivisionError

    for _ in range(5):
        job = queue.submit(fail, 99)
        with pytest.raises(ZeroDivisionError):
            job.future.result(PATIENCE)
        await_true(lambda: queue.waiting + queue.running == 0)


def test_time_runs_from_the_start_of_the_work() -> None:
    watch = Watch(0.0)
    watch.report(0, 9)  # it waits
    watch.begin()
    await_true(lambda: _is_over(watch))
    assert watch.progress == (0, 9)
    patient = Watch(PATIENCE)
    patient.begin()
    patient.report(3, 9)
    assert patient.progress == (3, 9)


def _is_over(watch: Watch) -> bool:
    try:
        watch.expect_going()
    except TimeLimitError:
        return True
    return False


def test_cancelled_before_its_turn(queue: JobQueue) -> None:
    gate, other = Gate(), Gate()
    queue.submit(gate.work, 99)
    assert gate.entered.wait(PATIENCE)
    job = queue.submit(other.work, 99)
    job.abandon()
    with pytest.raises(CancelledError):
        job.future.result(PATIENCE)
    gate.opened.set()
