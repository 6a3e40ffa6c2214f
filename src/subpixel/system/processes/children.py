"""Child processes that live no longer than their parent, and within limits."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STDIN = 0

PR_SET_PDEATHSIG = 1
"""Number of an option of Linux's prctl(2)."""

ERRORS = "stderr.txt"
"""The file that a child's messages go to."""


@dataclass(frozen=True)
class ChildEnd:
    """How a child ended."""

    code: int
    """Its exit code; negative: the signal that ended it."""
    last_line: str
    """Of what it wrote to its standard error; empty: nothing."""

    def describe(self) -> str:
        """In words, after a subject."""
        if self.code < 0:
            return f"crashed on this network: {signal.strsignal(-self.code)}"
        told = f": {self.last_line[:300]}" if self.last_line else ""
        return f"ended with exit code {self.code}{told}"


def run_child(command: Sequence[str], folder: Path, time_limit: float) -> ChildEnd:
    """Run ``command``, whose first act is :func:`end_with_parent`, and wait; whatever ends the
    wait, an exception of any kind too, ends the child.

    Its messages go to a file in ``folder``. Raises :class:`subprocess.TimeoutExpired` after
    ``time_limit`` seconds.
    """
    with (
        (folder / ERRORS).open("wb") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        ) as child,
    ):
        try:
            code = child.wait(time_limit)
        finally:
            child.kill()
    lines = (folder / ERRORS).read_text("utf-8", "replace").strip().splitlines()
    return ChildEnd(code, lines[-1] if lines else "")


def end_with_parent() -> None:
    """Let this process end when its parent does, whose pipe it has as standard input.

    The end of the pipe ends it everywhere; on Linux the kernel kills it besides, where a library
    lets no other thread run.
    """
    threading.Thread(target=_wait_for_end, daemon=True).start()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for_end() -> None:
    # not sys.stdin: its lock would stop the interpreter as it shuts down
    while os.read(STDIN, 1):
        pass
    os._exit(1)


def limit_memory(size: int) -> None:
    """Let this process take no more than ``size`` bytes beside what it holds: further memory is
    refused. Windows has no such limit."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = data_size() + size
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def data_size() -> int:
    """Bytes of this process that count towards RLIMIT_DATA now: proc(5), statm's sixth field."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[5])
    except OSError:  # macOS: nothing to take off
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
