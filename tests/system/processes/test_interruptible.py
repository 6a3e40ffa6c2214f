"""A wait for a library's call hears Ctrl-C; what the call gives or raises comes through."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from subpixel.system.processes.interruptible import call_interruptibly


def test_the_result_comes_through() -> None:
    assert call_interruptibly(lambda: 7) == 7


def test_an_error_comes_through() -> None:
    def fail() -> None:
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        call_interruptibly(fail)


def test_other_threads_make_the_call_themselves() -> None:
    names: list[str] = []
    thread = threading.Thread(
        target=lambda: names.append(call_interruptibly(lambda: threading.current_thread().name)),
        name="worker",
    )
    thread.start()
    thread.join()
    assert names == ["worker"]


PROGRAM = """
import ctypes
from subpixel.system.processes.interruptible import call_interruptibly
print("calling", flush=True)
try:
    call_interruptibly(lambda: ctypes.CDLL(None).sleep(600))
except KeyboardInterrupt:
    print("heard", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_is_heard_while_a_library_never_comes_back() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"calling\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"heard\n"
        assert process.wait(60) == 0
