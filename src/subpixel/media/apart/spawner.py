"""The zygote, seen by who needs decoders: they are started, ended, and their ends are told."""

import errno
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from itertools import count

from subpixel.media.apart.messages.job import MESSAGE_BYTES, NO_PACKAGE, READY

ZYGOTE = "subpixel.media.apart.child.zygote"
"""The module that runs as the zygote."""

SINGLE_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A process that forks has one thread: numpy's libraries would start more."""

START_WAIT = 120.0
"""Seconds within which a zygote has imported what it needs, on the slowest machine."""

END_WAIT = 5.0
"""Seconds within which the zygote says how a decoder ended."""


class Spawner:
    """A zygote; it starts when it is made, and imports beside what else is done meanwhile.

    May be used by several threads. Raises :class:`OSError` where no process can be started.
    """

    def __init__(self) -> None:
        self._control, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock, self._numbers = threading.Lock(), count()
        self._ends: dict[int, int] = {}
        self._is_ready = False
        self._ignore: set[int] = set()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as this
        with inner:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", ZYGOTE, str(inner.fileno())],
                pass_fds=[inner.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env={**os.environ, **SINGLE_THREADS},
            )

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def fork(self, package: str | None) -> tuple[int, socket.socket]:
        """A new decoder, which may need ``package``: its number, and the socket to it. Raises
        :class:`OSError` where the zygote is gone."""
        number = next(self._numbers)
        message = f"fork {number} {package or NO_PACKAGE}".encode()
        ours, inner = socket.socketpair()
        with inner, self._lock:
            try:
                self._await_start()
                socket.send_fds(self._control, [message], [inner.fileno()])
            except OSError:
                ours.close()
                raise
        return number, ours

    def kill(self, number: int) -> None:
        """End a decoder, if it still runs; nobody will ask how it ended."""
        with self._lock:
            self._take_messages(0)
            if self._ends.pop(number, None) is None:
                self._ignore.add(number)
                self._tell(f"kill {number}")

    def await_end(self, number: int) -> int | None:
        """How a decoder ended whose socket is closed: its exit code, or minus the signal; None: it
        did not end, or its zygote is gone."""
        until = time.monotonic() + END_WAIT
        with self._lock:
            while number not in self._ends:
                left = until - time.monotonic()
                if left <= 0 or not self._take_messages(left):
                    return None
            return self._ends.pop(number)

    def last_words(self) -> str:
        """The last line that the zygote wrote to its standard error."""
        if self._errors.closed:
            return ""
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        """End it and all its decoders."""
        with self._lock:
            self._control.close()
        try:
            self._process.wait(END_WAIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _await_start(self) -> None:
        """Importing is no part of the time that a file takes."""
        if not self._is_ready and not self._take_messages(START_WAIT):
            raise OSError(errno.ECHILD, "the process that decoders come from ended at its start")
        if not self._is_ready:
            raise OSError(errno.ETIMEDOUT, "the process that decoders come from does not start")

    def _tell(self, message: str) -> None:
        with suppress(OSError):  # the zygote is gone, and its decoders with it
            self._control.send(message.encode())

    def _take_messages(self, seconds: float) -> bool:
        """Note what the zygote says within that time, if anything; False: it is gone."""
        if self._control.fileno() < 0:  # closed
            return False
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while poll.poll(1000 * seconds):
            message = self._receive()
            if not message:
                return False
            self._note_message(message)
            seconds = 0
        return True

    def _receive(self) -> bytes:
        try:
            return self._control.recv(MESSAGE_BYTES)
        except ConnectionError:
            return b""

    def _note_message(self, message: bytes) -> None:
        if message == READY:
            self._is_ready = True
            return
        _, number, status = message.decode().split()
        self._note_end(int(number), int(status))

    def _note_end(self, number: int, status: int) -> None:
        if number in self._ignore:
            self._ignore.remove(number)
        else:
            self._ends[number] = status
