"""What the operating system measures while pictures pass through."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import subpixel
from subpixel.media.image_file import PictureWriter, open_picture
from subpixel.media.picture import Header

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's own accounts")

LIMIT = 450 * 10**6

SCRIPT = """
import resource, sys
if sys.argv[1] != "0":
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
from subpixel.cli.main import main
sys.argv = ["subpixel", *sys.argv[2:]]
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def upscale(address_space: int, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(subpixel.__file__).parents[1])}
    command = [sys.executable, "-c", SCRIPT, str(address_space), "upscale", "--model", "fast"]
    return subprocess.run(
        [*command, *words], capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_picture_larger_than_the_memory_it_may_take(tmp_path: Path, suffix: str) -> None:
    """6 megapixels, 24 when enlarged: 18 + 72 MB of samples each as 16 bits twice over."""
    header = Header((1, 16_000, 1500, 3), np.dtype(np.uint16), bit_depth=16)
    band = np.random.default_rng(0).integers(0, 65536, (500, 1500, 3), dtype=np.uint16)
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    with PictureWriter(header, source) as writer:
        for _ in range(32):
            writer.write(band)
    whole = 5 * np.prod(header.shape) * header.dtype.itemsize
    assert whole > LIMIT * 1.5, "in memory it would not have fitted"
    words = (str(source), "-o", str(target), "--scale", "2", "--max-memory", "450M")
    done = upscale(0, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) < LIMIT * 1.1
    assert open_picture(target).header.shape == (1, 32_000, 3000, 3)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [300, 500, 700, 900, 1400])
def test_little_address_space_is_enough_or_is_said(tmp_path: Path, megabytes: int) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.new("RGB", (1500, 400), "red").save(source)
    done = upscale(megabytes << 20, str(source), "-o", str(target))
    if done.returncode == 0:
        assert np.array_equal(np.unique(np.asarray(Image.open(target))[9:-9, 9:-9]), [0, 255])
    else:
        assert done.returncode == 1
        assert "of memory" in done.stderr
        assert "\n" not in done.stderr.strip()
    assert {p.name for p in tmp_path.iterdir()} <= {"in.png", "out.png"}
    assert target.exists() == (done.returncode == 0)
