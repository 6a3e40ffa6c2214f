"""What the operating system measures while pictures pass through."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import launcher
import numpy as np
import pytest
from PIL import Image

import subpixel
from subpixel.media.image_file import PictureWriter, open_picture, write_picture
from subpixel.media.picture import Header, Picture
from tiff_files import SHORT, make_tiff, pack_bits, whole

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's own accounts")

LIMIT = 300 * 10**6


@dataclass(frozen=True)
class Ended:
    """A process: its exit code, what it said, and the most that it held, in bytes."""

    code: int
    said: str
    peak: int


LIMITED = """
ulimit -v "$1" || exit
[ -z "$2" ] || echo $$ > "$2/cgroup.procs" || exit
shift 2
exec "$@"
"""


def upscale(address_space: int | None, *words: str, group: Path | None = None) -> Ended:
    """``address_space`` in KiB; None: no limit. ``group`` is the cgroup to run in."""
    environment = os.environ | {"PYTHONPATH": str(Path(subpixel.__file__).parents[1])}
    limits = [str(address_space or "unlimited"), str(group or "")]
    launched = [sys.executable, launcher.__file__, os.devnull]
    command = [sys.executable, "-m", "subpixel", "upscale", "--model", "fast", *words]
    done = subprocess.run(
        ["sh", "-c", LIMITED, "sh", *limits, *launched, *command],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    facts = json.loads(done.stdout)
    return Ended(facts["code"], done.stderr, facts["peak"])


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
    done = upscale(None, *words)
    assert (done.code, done.said) == (0, "")
    assert done.peak < LIMIT * 1.1
    assert open_picture(target).header.shape == (1, 32_000, 2000, 3)


@pytest.mark.slow
def test_networks_in_turn_and_a_filter_take_no_more(tmp_path: Path) -> None:
    """1.5 megapixels of 16 bits, 45 in a TIFF, by way of 54."""
    frames = np.random.default_rng(0).integers(0, 65536, (1, 1000, 1500, 3), dtype=np.uint16)
    source, target = tmp_path / "in.png", tmp_path / "out.tif"
    write_picture(Picture(frames, bit_depth=16), source)
    assert LIMIT < 6 * 54e6, "in memory it would not have fitted"
    words = ("--scale", "5.5", "--max-memory", "300M")
    done = upscale(None, str(source), "-o", str(target), *words)
    assert (done.code, done.said) == (0, "")
    assert done.peak < LIMIT * 1.1
    assert open_picture(target).header.shape == (1, 5500, 8250, 3)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [300, 500, 700, 900, 1400])
def test_little_address_space_is_enough_or_is_said(tmp_path: Path, megabytes: int) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.new("RGB", (1500, 400), "red").save(source)
    done = upscale(megabytes << 10, str(source), "-o", str(target))
    if done.code == 0:
        assert np.array_equal(np.unique(np.asarray(Image.open(target))[9:-9, 9:-9]), [0, 255])
    else:
        assert done.code == 1
        assert "of memory" in done.said
        assert "\n" not in done.said.strip()
    assert {p.name for p in tmp_path.iterdir()} <= {"in.png", "out.png"}
    assert target.exists() == (done.code == 0)


@pytest.mark.slow
def test_the_advice_for_little_address_space_helps(tmp_path: Path) -> None:
    """A JPEG of 6 megapixels is refused in so little, and done in what the refusal asks for."""
    source, target = tmp_path / "in.jpg", tmp_path / "out.png"
    Image.linear_gradient("L").resize((3000, 2000)).convert("RGB").save(source)
    words = (str(source), "-o", str(target), "--scale", "2")
    refused = upscale(500 << 10, *words)
    assert refused.code == 1
    asked = re.search(r"raise the limit of the address space \(ulimit -v (\d+)\)", refused.said)
    assert asked is not None, refused.said
    assert upscale(int(asked[1]), *words).code == 0
    assert open_picture(target).header.shape == (1, 4000, 6000, 3)


@pytest.fixture
def group() -> Iterator[Path]:
    """A memory cgroup of version 1 or 2, made for one test."""
    version_1 = Path("/sys/fs/cgroup/memory")
    folder = (version_1 if version_1.is_dir() else version_1.parent) / f"subpixel-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"needs the right to make a cgroup: {error}")
    yield folder
    folder.rmdir()


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [100, 150, 300, 500])
def test_the_kernel_never_has_to_kill(group: Path, tmp_path: Path, megabytes: int) -> None:
    """25 megapixels, 225 enlarged, by the kernel's own account of a cgroup."""
    names = ("memory.limit_in_bytes", "memory.max")
    limits = [group / name for name in names if (group / name).exists()]
    if not limits:
        pytest.skip("needs cgroups that count memory")
    limits[0].write_text(str(megabytes * 10**6))
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    Image.linear_gradient("L").resize((5000, 5000)).convert("RGB").save(source)
    words = ("--scale", "3", "--max-memory", f"{megabytes - 20}M")
    done = upscale(None, str(source), "-o", str(target), *words, group=group)
    if done.code == 0:
        assert open_picture(target).header.shape == (1, 15_000, 15_000, 3)
    else:
        assert done.code == 1
        assert "of memory" in done.said
    assert done.code == 0 or megabytes < 500
    assert {p.name for p in tmp_path.iterdir()} == {"in.tif", *[target.name] * (done.code == 0)}


def enough_memory(refusal: str) -> int:
    """The bytes that a refusal says would do."""
    number = refusal.partition("at least ")[2].partition(" of memory")[0]
    return int(float(number[:-1]) * {"M": 10**6, "G": 10**9}[number[-1]])


def upscale_within(limit: int, source: Path, target: Path, *words: str) -> Ended:
    """Done or refused in a line, and in neither case more is held."""
    memory = f"{-(-limit // 10**6)}M"
    done = upscale(None, str(source), "-o", str(target), "--max-memory", memory, *words)
    assert done.peak <= limit
    if done.code != 0:
        assert "of memory" in done.said
        assert "\n" not in done.said.strip()
        assert not target.exists()
    return done


def stripes(height: int, width: int, channels: int) -> np.ndarray:
    """Cheap noise of any size, ``(1, H, W, C)``."""
    noise = np.random.default_rng(0).integers(0, 256, (1, 500, 500, channels), dtype=np.uint8)
    times = (1, -(-height // 500), -(-width // 500), 1)
    return np.tile(noise, times)[:, :height, :width]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "height", "suffix"),
    [(2_000_000, 4, ".png"), (4, 2_000_000, ".tif"), (60_000, 30, ".tif"), (9, 300_000, ".png")],
)
def test_very_wide_and_very_tall(tmp_path: Path, width: int, height: int, suffix: str) -> None:
    source, target = tmp_path / "in.png", tmp_path / f"out{suffix}"
    write_picture(Picture(stripes(height, width, 3)), source)
    done = upscale_within(LIMIT, source, target, "--scale", "3")
    if done.code != 0:
        enough = enough_memory(done.said)
        assert upscale_within(enough, source, target, "--scale", "3").code == 0
    assert open_picture(target).header.shape == (1, 3 * height, 3 * width, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "suffix",
    [
        ".png",
        ".tif",
        ".ppm",
        *(pytest.param(s, marks=pytest.mark.campaign) for s in (".bmp", ".pam")),
    ],
)
def test_very_long_rows_from_and_into_each_format(tmp_path: Path, suffix: str) -> None:
    """So many as are usually read or written at a time are more than all that may be taken."""
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    write_picture(Picture(stripes(30, 300_000, 3)), source)
    done = upscale_within(LIMIT, source, target, "--scale", "2")
    assert done.code == 1, "so little isn't enough for any format"
    enough = enough_memory(done.said)
    assert upscale_within(enough, source, target, "--scale", "2").code == 0
    assert open_picture(target).header.shape == (1, 60, 600_000, 3)


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "channels"), [(1, 3), (10, 3), (6, 1)])
def test_very_long_rows_of_packed_samples(tmp_path: Path, bits: int, channels: int) -> None:
    """Many operations unpack them, and each would hold the rows that are read at a time."""
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    width, height, colours = 300_000, 12, 2 if channels == 3 else 1
    rows = [
        pack_bits(row[None].astype(int) % (1 << bits), bits)
        for row in stripes(height, width, channels)[0]
    ]
    fields = [
        whole(258, *[bits] * channels, kind=SHORT),
        whole(262, colours, kind=SHORT),
        whole(277, channels, kind=SHORT),
    ]
    source.write_bytes(make_tiff((width, height), rows, fields, rows=1))
    done = upscale_within(LIMIT, source, target, "--scale", "2")
    if done.code != 0:
        assert upscale_within(enough_memory(done.said), source, target, "--scale", "2").code == 0
    assert open_picture(target).header.shape == (1, 24, 600_000, channels)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channels", "words"),
    [
        (4, ("--scale", "2")),
        (4, ("--scale", "1.5")),
        (3, ("--scale", "5")),
        (3, ("--width", "90001")),
        (3, ("--fit", "50000x50000")),
        (3, ("--scale", "2", "--adaptive")),
        (3, ("--scale", "2", "--precision", "fp32")),
    ],
)
def test_alpha_filters_and_networks_in_turn_of_a_very_wide_one(
    tmp_path: Path, channels: int, words: tuple[str, ...]
) -> None:
    """Each within what a refusal says it needs."""
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    write_picture(Picture(stripes(12, 60_000, channels)), source)
    done = upscale_within(150 * 10**6, source, target, *words)
    assert done.code == 1, "so little isn't enough for anything"
    assert upscale_within(enough_memory(done.said), source, target, *words).code == 0
