"""Signals that ask a process to end: an orderly end, as for Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = tuple(
    number
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK")
    if (number := getattr(signal, name, None)) is not None
)
"""SIGTERM from service managers and `kill`, SIGHUP from a terminal that closes, Windows'
Ctrl-Break."""


class Ended(BaseException):
    """A signal that asks for the end has come, number :attr:`signal`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


@contextmanager
def orderly_end() -> Iterator[None]:
    """Raise :class:`Ended` in the main thread where one of :data:`ENDING` comes.

    A signal that is ignored, as SIGHUP under nohup, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:
            signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> None:
    raise Ended(number)
