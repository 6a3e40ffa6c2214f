"""One amount of memory for all requests: each takes its share, or waits for the whole."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from subpixel.errors import UsageError
from subpixel.system.machine_memory import resident
from subpixel.upscaling.memory import format_bytes, memory_limit

LOOK_SECONDS = 0.1
"""How often one that waits looks whether it still has to."""

MIN_REQUEST_SHARE = 64 << 20
"""Of one request; less is no use for any picture."""


class OutOfBytesError(Exception):
    """So many bytes of bodies can't be held now."""


class ByteBudget:
    """Bytes of bodies that are held at a time; threads may share it."""

    def __init__(self, total: int) -> None:
        self.total, self._held, self._lock = total, 0, threading.Lock()

    @property
    def held(self) -> int:
        """Bytes that are taken now."""
        return self._held

    def take(self, size: int) -> None:
        """Raises :class:`OutOfBytesError` where ``size`` more are too many."""
        with self._lock:
            if self._held + size > self.total:
                raise OutOfBytesError
            self._held += size

    def give_back(self, size: int) -> None:
        """What :meth:`take` took."""
        with self._lock:
            self._held -= size


class ShareBudget:
    """So many equal shares of memory; who needs more than one takes all, once nobody else has any.

    Who came first is served first, so nobody waits for ever.
    """

    def __init__(self, shares: int, share: int) -> None:
        self.shares, self.share = shares, share
        self._free, self._waiting = shares, deque[object]()
        self._changed = threading.Condition()

    @contextmanager
    def take(self, shares: int, expect_going: Callable[[], None]) -> Iterator[int]:
        """Hold so many shares during the block, and yield their bytes. Waiting ends with what
        ``expect_going`` raises."""
        self._wait(shares, expect_going)
        try:
            yield shares * self.share
        finally:
            with self._changed:
                self._free += shares
                self._changed.notify_all()

    def _wait(self, shares: int, expect_going: Callable[[], None]) -> None:
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or self._free < shares:
                    self._changed.wait(LOOK_SECONDS)
                    expect_going()
                self._free -= shares
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()


@dataclass(frozen=True)
class MemorySplit:
    """Where the server's memory goes, in bytes."""

    bodies: int
    """Of all requests together."""
    job: int
    """Of each job in this process, beside its body."""
    decoder: int
    """Of each job's decoder."""


def split_memory(max_memory: int | None, jobs: int, max_body: int) -> MemorySplit:
    """Of what the process may hold (None: half of what is free), what it doesn't hold yet: a
    quarter for bodies, the rest for jobs and their decoders alike.

    Raises :class:`UsageError` where that is too little for a body of ``max_body`` bytes, or for
    ``jobs`` at a time.
    """
    held = resident()
    room = memory_limit(max_memory, held) - held
    bodies, each = room // 4, room * 3 // 8 // jobs
    if bodies < max_body or each < MIN_REQUEST_SHARE:
        needed = held + max(4 * max_body, MIN_REQUEST_SHARE * jobs * 8 // 3 + 8)
        raise UsageError(
            f"the server may hold {format_bytes(max(0, held + room))}; bodies of "
            f"{format_bytes(max_body)} and {jobs} jobs at a time take {format_bytes(needed)}: "
            "raise --max-memory, or lower --max-body or --jobs"
        )
    return MemorySplit(bodies, each, each)
