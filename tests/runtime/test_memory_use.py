"""What the operating system measures while pictures pass through."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import subpixel
from subpixel.media.image_file import PictureWriter, open_picture
from subpixel.media.picture import Header

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's own accounts")

LIMIT = 300 * 10**6


@dataclass(frozen=True)
class Ended:
    """A process: its exit code, what it said, and the most that it held, in bytes."""

    code: int
    said: str
    peak: int


LAUNCHER = """
import resource, subprocess, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
code = subprocess.call(sys.argv[2:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Linux counts the memory of whoever starts a process as the process's own, until it runs its own
program; this one has hardly any."""


def upscale(address_space: int, *words: str) -> Ended:
    """``address_space`` in bytes; -1: no limit."""
    environment = os.environ | {"PYTHONPATH": str(Path(subpixel.__file__).parents[1])}
    command = [sys.executable, "-m", "subpixel", "upscale", "--model", "fast", *words]
    launched = [sys.executable, "-c", LAUNCHER, str(address_space), *command]
    done = subprocess.run(launched, capture_output=True, text=True, env=environment, check=False)
    return Ended(done.returncode, done.stderr, int(done.stdout.splitlines()[-1]) * 1024)


@pytest.mark.slow
def test_a_picture_larger_than_the_memory_it_may_take(tmp_path: Path) -> None:
    """16 megapixels of 16 bits in a PNG, 64 in a TIFF."""
    header = Header((1, 16_000, 1000, 3), np.dtype(np.uint16), bit_depth=16)
    band = np.random.default_rng(0).integers(0, 65536, (500, 1000, 3), dtype=np.uint16)
    source, target = tmp_path / "in.png", tmp_path / "out.tif"
    with PictureWriter(header, source) as writer:
        for _ in range(32):
            writer.write(band)
    whole = 5 * np.prod(header.shape) * header.dtype.itemsize
    assert whole > LIMIT * 1.5, "in memory it would not have fitted"
    words = (str(source), "-o", str(target), "--scale", "2", "--max-memory", "300M")
    done = upscale(-1, *words)
    assert (done.code, done.said) == (0, "")
    assert done.peak < LIMIT * 1.1
    assert open_picture(target).header.shape == (1, 32_000, 2000, 3)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [300, 500, 700, 900, 1400])
def test_little_address_space_is_enough_or_is_said(tmp_path: Path, megabytes: int) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.new("RGB", (1500, 400), "red").save(source)
    done = upscale(megabytes << 20, str(source), "-o", str(target))
    if done.code == 0:
        assert np.array_equal(np.unique(np.asarray(Image.open(target))[9:-9, 9:-9]), [0, 255])
    else:
        assert done.code == 1
        assert "of memory" in done.said
        assert "\n" not in done.said.strip()
    assert {p.name for p in tmp_path.iterdir()} <= {"in.png", "out.png"}
    assert target.exists() == (done.code == 0)
