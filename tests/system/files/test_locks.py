"""Locks of regions: between processes, and gone with their process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from subpixel.system.files.locks import MAX_REGIONS, RegionLocks

HOLDER = """
import sys
from pathlib import Path
from subpixel.system.files.locks import RegionLocks
locks = RegionLocks(Path(sys.argv[1]))
print(*(locks.acquire(int(number)) for number in sys.argv[2:]), flush=True)
sys.stdin.read()
"""


def hold(file: Path, *numbers: int) -> "tuple[subprocess.Popen[str], str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file), *map(str, numbers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_between_processes(tmp_path: Path) -> None:
    locks = RegionLocks(tmp_path / "locks")
    assert locks.acquire(3)
    assert locks.acquire(MAX_REGIONS - 1)
    holder, said = hold(tmp_path / "locks", 3, 4, MAX_REGIONS - 1)
    assert said == "False True False"
    assert not locks.acquire(4)
    assert locks.is_held(4)
    assert locks.is_held(3)
    assert not locks.is_held(5)
    locks.release(3)
    other, said = hold(tmp_path / "locks", 3)
    assert said == "True"
    holder.kill()
    with holder:
        holder.wait()
    assert locks.acquire(4), "a process that was killed holds nothing"
    with other:
        other.communicate("")
    assert locks.acquire(3)
    locks.close()


def test_one_process_takes_a_lock_once(tmp_path: Path) -> None:
    locks = RegionLocks(tmp_path / "locks")
    assert locks.acquire(0)
    assert not locks.acquire(0)
    locks.release(0)
    assert locks.acquire(0)
    locks.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_none(tmp_path: Path) -> None:
    """A child that lives on, as a decoder may, keeps no lock of a process that was killed."""
    locks = RegionLocks(tmp_path / "locks")
    assert locks.acquire(1)
    ready, wait = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(ready, 1)
        os._exit(0)
    locks.close()
    holder, said = hold(tmp_path / "locks", 1)
    os.write(wait, b"x")
    os.waitpid(child, 0)
    with holder:
        holder.communicate("")
    assert said == "True"


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"."):
        RegionLocks(tmp_path / "missing" / "locks")
