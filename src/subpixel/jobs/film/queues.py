"""Bounded queues between threads, which end together where one of them fails."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Passage = TypeVar("Passage")

STOP_PATIENCE = 0.1
"""Seconds between two looks at whether all is to stop."""


class StoppedError(Exception):
    """Another thread has failed, or the work was given up."""


class Failures:
    """What goes wrong first in any thread, and the sign to stop for all of them."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._first: BaseException | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether threads are to end."""
        return self._stop.is_set()

    def stop(self, error: BaseException | None = None) -> None:
        """Have all threads end, because of ``error`` or at the end of the work."""
        with self._lock:
            if self._first is None and not isinstance(error, StoppedError):
                self._first = error
        self._stop.set()

    def raise_first(self) -> None:
        """Raise what went wrong first, if anything did."""
        if self._first is not None:
            raise self._first


class FrameChannel(Generic[Passage]):
    """Items from one thread to another, no more than ``size`` on their way."""

    def __init__(self, size: int, failures: Failures) -> None:
        self._items: queue.Queue[Passage | None] = queue.Queue(size)
        self._failures = failures

    def put(self, item: Passage | None) -> None:
        """Wait for room, and put an item; None: it was the last. Raises :class:`StoppedError`."""
        while not self._failures.is_stopped:
            try:
                return self._items.put(item, timeout=STOP_PATIENCE)
            except queue.Full:
                continue
        raise StoppedError

    def get(self) -> Passage | None:
        """Wait for an item; None: there are no more. Raises :class:`StoppedError`."""
        while not self._failures.is_stopped:
            try:
                return self._items.get(timeout=STOP_PATIENCE)
            except queue.Empty:
                continue
        raise StoppedError

    def __iter__(self) -> Iterator[Passage]:
        while (item := self.get()) is not None:
            yield item


def start_thread(name: str, work: Callable[[], None], failures: Failures) -> threading.Thread:
    """A thread that does ``work``, and has all stop where that raises."""

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.stop(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
