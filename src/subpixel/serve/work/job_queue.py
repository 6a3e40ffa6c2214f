"""Work for a few threads, with a limit to what waits, and an end to what nobody wants any more."""

import math
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from subpixel.system.allocator import return_free_memory

RECENT = 32
"""Jobs whose mean time says how long the next ones will wait."""

MAX_RETRY_SECONDS = 60


class QueueFullError(Exception):
    """As many jobs wait as may; :attr:`seconds` is when to try again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the queue is full; try again in {seconds} s")
        self.seconds = seconds


class JobCancelledError(Exception):
    """Nobody wants the result any more."""


class TimeLimitError(Exception):
    """The job took longer than it may."""


def _drop_locals(error: BaseException | None) -> None:
    """A decoder, and what it decoded, would live in the frames of ``error`` until the garbage
    collector came by."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


class Closable(Protocol):
    """A result that holds something."""

    def close(self) -> None:
        """Nobody uses it."""
        ...


JobValue = TypeVar("JobValue", bound=Closable)


class Watch:
    """Whether a job is to go on, and how far it is; asked between tiles."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, math.inf
        self._cancelled = threading.Event()
        self.progress = (0, 0)
        """Runs of the network that are done, and their total; zeros before the first."""

    def begin(self) -> None:
        """The time runs from now on."""
        self._end = time.monotonic() + self._seconds

    def cancel(self) -> None:
        """End the job at the next look."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants it."""
        return self._cancelled.is_set()

    def expect_going(self) -> None:
        """Raises :class:`JobCancelledError` and :class:`TimeLimitError`."""
        if self.cancelled:
            raise JobCancelledError
        if time.monotonic() > self._end:
            raise TimeLimitError(f"the work took longer than {self._seconds:g} s, and was ended")

    def report(self, done: int, total: int) -> None:
        """The same, after ``done`` of ``total`` runs."""
        self.progress = (done, total)
        self.expect_going()


@dataclass(frozen=True, eq=False)
class QueuedJob(Generic[JobValue]):
    """Work that waits or goes on."""

    watch: Watch
    future: Future[JobValue]

    def abandon(self) -> None:
        """Nobody waits any more: it ends at the next tile, and a result is closed."""
        self.watch.cancel()
        if not self.future.cancel():
            self.future.add_done_callback(_close_result)


def _close_result(future: Future[JobValue]) -> None:
    with suppress(BaseException):  # an error that nobody waits for
        future.result().close()


@dataclass
class _Counts:
    held: int = 0
    running: int = 0
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))


class JobQueue:
    """Runs jobs in ``workers`` threads; ``waiting`` more are taken, and no further one."""

    def __init__(self, workers: int, waiting: int) -> None:
        self._workers, self._most = workers, workers + waiting
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="job")
        self._lock, self._counts = threading.Lock(), _Counts()

    @property
    def running(self) -> int:
        """Jobs that go on now."""
        return self._counts.running

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return self._counts.held - self._counts.running

    def submit(self, work: Callable[[Watch], JobValue], seconds: float) -> QueuedJob[JobValue]:
        """Have ``work`` done, in ``seconds`` at most; raises :class:`QueueFullError`."""
        with self._lock:
            if self._counts.held >= self._most:
                raise QueueFullError(self._estimate())
            self._counts.held += 1
        watch = Watch(seconds)
        future = self._pool.submit(self._run, work, watch)
        future.add_done_callback(self._leave)
        return QueuedJob(watch, future)

    def close(self) -> None:
        """Wait for what was submitted."""
        self._pool.shutdown()

    def _estimate(self) -> int:
        """Seconds until a place should be free."""
        recent = self._counts.seconds
        mean = sum(recent) / len(recent) if recent else 1.0
        return max(1, min(MAX_RETRY_SECONDS, math.ceil(mean * self._most / self._workers)))

    def _run(self, work: Callable[[Watch], JobValue], watch: Watch) -> JobValue:
        start = time.monotonic()
        with self._lock:
            self._counts.running += 1
        try:
            watch.begin()
            watch.expect_going()
            return work(watch)
        except BaseException as error:
            _drop_locals(error)
            raise
        finally:
            with self._lock:
                self._counts.running -= 1
                self._counts.seconds.append(time.monotonic() - start)

    def _leave(self, _future: Future[JobValue]) -> None:
        return_free_memory()
        with self._lock:
            self._counts.held -= 1
