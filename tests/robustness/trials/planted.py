"""Trials that fail, each in the one way that its seed is named after: what the parent must see."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from tests.robustness.case import Verdict
from tests.robustness.kinds import Trial
from tests.robustness.seeds.seed import Seed

from subpixel.errors import PictureError

MEGABYTES = 500


def planted_seeds() -> tuple[Seed, ...]:
    """Their names say what is done."""
    return tuple(Seed(f"{name}.plan", b"x" * 64) for name in PLANS)


def open_trial() -> Trial:
    return lambda dice, file, budget: PLANS[file.stem](file)


def _crash(_file: Path) -> Verdict:
    ctypes.string_at(0)
    return Verdict("ok")


def _hang(_file: Path) -> Verdict:
    while True:
        pass


def _hang_in_child(_file: Path) -> Verdict:
    subprocess.run([sys.executable, "-c", "while True: pass"], check=False)
    return Verdict("ok")


def _raise(_file: Path) -> Verdict:
    raise IndexError("nothing there")


def _take_memory(_file: Path) -> Verdict:
    np.ones(MEGABYTES << 20, np.uint8)
    return Verdict("ok")


def _lack_memory(_file: Path) -> Verdict:
    raise MemoryError("decoding")


def _blame_memory(_file: Path) -> Verdict:
    raise PictureError("memory was refused 4 times; close other programs")


def _leave_file(file: Path) -> Verdict:
    (file.parent / ".draft").write_bytes(b"half")
    return Verdict("ok")


def _complain(_file: Path) -> Verdict:
    os.write(2, b"(process:1): GLib-CRITICAL **: assertion failed\n")
    return Verdict("ok")


def _exit(_file: Path) -> Verdict:
    os._exit(3)


def _refuse(_file: Path) -> Verdict:
    raise PictureError("damaged")


def _wait(_file: Path) -> Verdict:
    """Long, and without any processor time: this machine may be busy."""
    time.sleep(1)
    return Verdict("ok")


def _die(_file: Path) -> Verdict:
    os.kill(os.getpid(), signal.SIGTERM)
    return Verdict("ok")


PLANS = {
    "crash": _crash,
    "hang": _hang,
    "hang-child": _hang_in_child,
    "exception": _raise,
    "memory": _take_memory,
    "shortage": _lack_memory,
    "blame": _blame_memory,
    "leftover": _leave_file,
    "noise": _complain,
    "exit": _exit,
    "refused": _refuse,
    "wait": _wait,
    "die": _die,
}
