"""Decoders are forked: everything is imported, and nothing of a file was seen.

The process has one thread, so that a fork is sound: it imports libvips and never computes with it.
On its socket it takes ``fork NUMBER PACKAGE`` with the decoder's socket, and ``kill NUMBER``; it
says ``ready`` first, and ``end NUMBER STATUS`` of each decoder that has ended. At the socket's
end it kills those that are left, and goes.
"""

import codecs
import gc
import importlib
import os
import resource  # noqa: F401 - for the decoders, which import nothing any more
import select
import signal
import socket
from contextlib import suppress

from subpixel.media.apart.child.decoder import serve_file
from subpixel.media.apart.messages.job import MESSAGE_BYTES, NO_DECODER_ROOM, NO_PACKAGE, READY
from subpixel.media.libvips import block_untrusted_operations
from subpixel.system.processes.confinement import follow_parent, stop_following_parent

OPTIONAL_PACKAGES = ("brotli", "rawpy", "multiprocessing")
"""What formats import when a file needs it, and what rawpy imports then: a decoder couldn't any
more."""


CODECS = ("ascii", "latin-1", "utf-8", "utf-16", "utf-16-be", "utf-16-le")
"""Of text in files; Python imports one when it is first used."""


def serve_decoders(control: socket.socket) -> None:
    """Fork decoders as the socket asks for them, until its other end closes."""
    block_untrusted_operations()
    import_ahead()
    for number in (signal.SIGINT, signal.SIGHUP):  # the one who asked decides
        signal.signal(number, signal.SIG_IGN)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    gc.freeze()
    stop_following_parent()
    control.send(READY)
    nursery = Nursery(control, (wake, waker))
    try:
        while nursery.take_message():
            pass
    finally:
        nursery.kill_all()


def import_ahead() -> None:
    """Import what a decoder may need, whatever its file holds, but for its format's package."""
    for package in OPTIONAL_PACKAGES:
        _import_package(package)
    for codec in CODECS:
        codecs.lookup(codec)


def _import_package(name: str) -> None:
    with suppress(ImportError):
        importlib.import_module(name)


class Nursery:
    """The decoders that live."""

    def __init__(self, control: socket.socket, wake: tuple[int, int]) -> None:
        self._control, self._wake = control, wake
        self._numbers: dict[int, int] = {}
        """By process id."""

    def take_message(self) -> bool:
        """Wait for something to do, and do it; False: the other end is closed."""
        control, wake = self._control.fileno(), self._wake[0]
        ready, _, _ = select.select([control, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            self._reap()
        if control not in ready:
            return True
        message, fds, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 1)
        if not message:
            return False
        verb, number, *rest = message.decode().split()
        if verb == "fork":
            self._fork(int(number), rest[0], fds[0])
        else:
            self._kill(int(number))
        return True

    def kill_all(self) -> None:
        """End every decoder."""
        for pid in self._numbers:
            os.kill(pid, signal.SIGKILL)

    def _fork(self, number: int, package: str, fd: int) -> None:
        if package != NO_PACKAGE:
            _import_package(package)
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            self._say_end(number, NO_DECODER_ROOM)
            os.close(fd)
            return
        if pid == 0:
            self._run_decoder(parent, fd)
        os.close(fd)
        self._numbers[pid] = number

    def _run_decoder(self, parent: int, fd: int) -> None:
        """In the new process, which never returns from here."""
        code = 1
        try:
            follow_parent(parent)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            for end in self._wake:
                os.close(end)
            os.dup2(1, 2)  # libraries' warnings, which nobody reads
            serve_file(fd)
            code = 0
        except (BrokenPipeError, ConnectionResetError, EOFError):
            code = 0  # whoever asked is gone
        finally:
            os._exit(code)

    def _kill(self, number: int) -> None:
        for pid, own in self._numbers.items():
            if own == number:
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._numbers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._say_end(self._numbers.pop(pid), os.waitstatus_to_exitcode(status))

    def _say_end(self, number: int, status: int) -> None:
        with suppress(OSError):  # the other end is closed: the next message says so
            self._control.send(f"end {number} {status}".encode())
