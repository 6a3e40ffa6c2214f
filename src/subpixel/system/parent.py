"""A child process that lives no longer than its parent."""

import ctypes
import os
import signal
import sys
import threading

STDIN = 0

PR_SET_PDEATHSIG = 1
"""Number of an option of Linux's prctl(2)."""


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
