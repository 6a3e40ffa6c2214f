"""Memory that goes back to the system."""

import subprocess
import sys

import pytest

CODE = """
import ctypes, sys
from subpixel.system.allocator import limit_arenas, return_free_memory
from subpixel.system.machine_memory import resident

limit_arenas(2)
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
blocks = [library.malloc(100_000) for _ in range(1000)]
for block in blocks:
    ctypes.memset(block, 1, 100_000)
top = library.malloc(100_000)  # above which nothing can be given back by itself
for block in blocks:
    library.free(block)
before = resident()
return_free_memory()
sys.exit(0 if before - resident() > 50_000_000 else 1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_what_was_freed_goes_back() -> None:
    assert subprocess.run([sys.executable, "-c", CODE], check=False).returncode == 0
