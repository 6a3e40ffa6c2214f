"""Signals that ask a process to end: an orderly end, as for Ctrl-C."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from subpixel.system.users_code import Ended

ENDING = tuple(
    number
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK")
    if (number := getattr(signal, name, None)) is not None
)
"""SIGTERM from service managers and `kill`, SIGHUP from a terminal that closes, Windows'
Ctrl-Break."""


BY_SIGNAL = 128
"""What a shell adds to a signal's number."""


GRACE = 60.0
"""Seconds that an orderly end may take: a library that never returns would hold it up for ever."""


@contextmanager
def orderly_end() -> Iterator[None]:
    """Raise :class:`Ended` in the main thread where one of :data:`ENDING` comes, and
    :class:`KeyboardInterrupt` for Ctrl-C; the process ends :data:`GRACE` seconds later at the
    latest.

    A signal that is ignored, as SIGHUP under nohup, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    deadline = _Deadline()
    before = {number: signal.getsignal(number) for number in (*ENDING, signal.SIGINT)}
    for number, handler in before.items():
        if handler == signal.SIG_DFL and number in ENDING:
            signal.signal(number, deadline.end)
        elif handler == signal.default_int_handler:
            signal.signal(number, deadline.interrupt)
    try:
        yield
    finally:
        deadline.cancel()
        for number, earlier in before.items():
            signal.signal(number, earlier)


class _Deadline:
    """Takes signals, and ends the process where that has no effect."""

    def __init__(self) -> None:
        self._timers: list[threading.Timer] = []

    def end(self, number: int, _frame: FrameType | None) -> None:
        self._start(number)
        raise Ended(number)

    def interrupt(self, number: int, _frame: FrameType | None) -> None:
        self._start(number)
        raise KeyboardInterrupt

    def cancel(self) -> None:
        """The end has come in order."""
        for timer in self._timers:
            timer.cancel()

    def _start(self, number: int) -> None:
        timer = threading.Timer(GRACE, os._exit, (BY_SIGNAL + number,))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()
