"""Processes that were forked after the first picture: threads don't come along with a fork."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are Linux's")

START = """
import multiprocessing
import sys

import numpy as np

import subpixel
from subpixel.errors import SubpixelError
from subpixel.network.opening import open_network
from subpixel.zoo.manifest import find_bundled

def fork(work):
    def child():
        try:
            work()
        except SubpixelError as error:
            print(error)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    if process.exitcode is None:
        process.kill()
        sys.exit("it waits without end")
    sys.exit(process.exitcode)

picture = np.random.default_rng(0).integers(0, 256, (150, 130, 3), np.uint8)
"""


def run(program: str, *arguments: object) -> str:
    """What a program prints that ends with a fork's work."""
    command = [sys.executable, "-W", "ignore", "-c", START + program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("options", ["", "threads=1", "threads=2, tile=64"])
def test_arrays_are_upscaled_in_a_fork(options: str) -> None:
    program = f"""
upscaler = subpixel.Upscaler("fast", scale=2, {options})
before = upscaler(picture)
fork(lambda: print(np.array_equal(upscaler(picture), before)))
"""
    assert run(program) == "True\n"


def test_so_they_are_by_the_function() -> None:
    program = """
before = subpixel.upscale(picture)
fork(lambda: print(np.array_equal(subpixel.upscale(picture), before)))
"""
    assert run(program) == "True\n"


def test_a_network_that_was_open_says_what_to_do() -> None:
    program = """
upscaler = subpixel.Upscaler(open_network(find_bundled("fast", 2).path))
upscaler(picture)
fork(lambda: upscaler(picture))
"""
    assert "start processes by spawn or forkserver" in run(program)


@pytest.mark.parametrize("work", ["read_picture(sys.argv[1])", "write_picture(kept, sys.argv[2])"])
def test_files_say_what_to_do(tmp_path: Path, work: str) -> None:
    program = f"""
subpixel.write_picture(subpixel.Picture(picture[None]), sys.argv[1])
kept = subpixel.read_picture(sys.argv[1])
fork(lambda: subpixel.{work})
"""
    said = run(program, tmp_path / "a.png", tmp_path / "b.png")
    assert "start processes by spawn or forkserver" in said
    assert not (tmp_path / "b.png").exists()
