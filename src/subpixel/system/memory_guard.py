"""What a piece of work takes of this process's memory: watched, and bounded."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from subpixel.system.machine_memory import resident
from subpixel.system.processes.children import data_size

INTERVAL = 0.005
"""Seconds between two looks at what the process holds."""

CAN_REFUSE = sys.platform == "linux"
"""Whether :func:`refuse_beyond` has an effect: macOS doesn't hold mappings to RLIMIT_DATA, and
Windows has nothing of the kind."""


class MemoryPeak:
    """The most memory that this process holds while the block runs, in bytes.

    It is looked at every :data:`INTERVAL`; a peak higher than any before is known exactly on Linux.
    """

    def __init__(self) -> None:
        self._highest = 0
        self._before = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "MemoryPeak":
        self._highest, self._before = resident(), _high_water()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._look()
        self._done.set()
        self._thread.join()

    def so_far(self) -> int:
        """The most until now; after the block, while it ran."""
        if not self._done.is_set():
            self._look()
        return self._highest

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            self._look()

    def _look(self) -> None:
        mark = _high_water()
        self._highest = max(self._highest, resident(), mark if mark > self._before else 0)


@contextmanager
def refuse_beyond(size: int) -> Iterator[None]:
    """While the block runs, this process gets no more than ``size`` bytes beside what it holds:
    what asks for more is refused, where the kernel would end a process that fills the machine.

    It holds for all threads. Only where :data:`CAN_REFUSE`; elsewhere nothing happens.
    """
    if not CAN_REFUSE:
        yield
        return
    import resource

    before, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (before, hard) if limit != resource.RLIM_INFINITY]
    lower = min([data_size() + max(0, size), *limits])
    resource.setrlimit(resource.RLIMIT_DATA, (lower, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))


def _high_water() -> int:
    """The most that this process ever held; 0 where the system doesn't say it in bytes."""
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
