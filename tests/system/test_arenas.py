"""Threads set no address space aside where it is limited."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

import subpixel
from subpixel.system.allocator import share_arena

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc",
    reason="of glibc",
)

_THREADS = """
import ctypes, resource, sys, threading
import psutil
from subpixel.system.allocator import share_arena

if sys.argv[1] == "limited":
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
shared = share_arena()
barrier = threading.Barrier(5)
malloc = ctypes.CDLL(None).malloc

def work():
    malloc(100_000)
    barrier.wait()
    barrier.wait()

before = psutil.Process().memory_info().vms
for _ in range(4):
    threading.Thread(target=work).start()
barrier.wait()
print(shared, (psutil.Process().memory_info().vms - before) >> 20)
barrier.wait()
"""


@pytest.mark.parametrize("case", ["limited", "free"])
def test_four_threads_take_stacks_and_no_arenas(case: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _THREADS, case],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(subpixel.__file__).parents[1])},
    )
    shared, megabytes = done.stdout.split()
    assert shared == str(case == "limited")
    assert (int(megabytes) < 4 * 64) == (case == "limited")


def test_nothing_changes_where_there_is_no_limit() -> None:
    import resource

    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        pytest.skip("the address space is limited here")
    assert not share_arena()
