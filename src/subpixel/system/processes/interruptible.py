"""Calls into libraries that the main thread waits for, so that Ctrl-C is heard meanwhile.

Python runs a signal's handler in its main thread, between two steps of Python: a call that stays
in a library's code holds it off, for ever where the call never ends.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")

POLL_SECONDS = 0.5
"""On Windows a wait is deaf to Ctrl-C, so it ends so often."""


class _Call(Generic[Result]):
    """A call that a thread of its own makes."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._done = threading.Event()

    def run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # handed on to who waits
            self._error = error
        self._done.set()

    def wait(self) -> Result:
        while not self._done.wait(POLL_SECONDS):
            pass
        if self._error is not None:
            raise self._error
        return self._results[0]


def call_interruptibly(work: Callable[[], Result]) -> Result:
    """The result of ``work``; raises what it raises.

    In the main thread ``KeyboardInterrupt`` ends the wait at once. The work itself can't be
    stopped; it goes on until it or the process ends.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    call = _Call(work)
    threading.Thread(target=call.run, daemon=True).start()
    return call.wait()
