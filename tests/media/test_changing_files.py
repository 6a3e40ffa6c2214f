"""Files that another process changes while they are read: never mapped, never half read."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import subpixel
from subpixel.errors import MemoryLimitError, PictureError
from subpixel.media.image_file import PictureFile, open_picture, open_stream, read_picture
from subpixel.system.files import inputs

NOISE = np.random.default_rng(4).integers(0, 256, (700, 600, 3), np.uint8)

SUFFIXES = (
    *("jpg", "piped.jpg", "progressive.jpg", "png", "tif", "lzma.tif"),
    *("gif", "webp", "avif", "bmp", "ppm"),
)


def _save(file: Path) -> Path:
    picture = Image.fromarray(NOISE)
    if file.name.endswith("progressive.jpg"):
        picture.save(file, progressive=True, quality=95)
    elif file.name.endswith("lzma.tif"):
        picture.save(file, compression="lzma")
    else:
        picture.save(file)
    return file


@pytest.fixture(params=SUFFIXES)
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return _save(tmp_path / f"a.{request.param}")


def _open(file: Path) -> PictureFile:
    """As it is opened in the child."""
    return open_picture(file, max_bytes=1 if "piped" in file.name else None)


def _list_mappings(file: Path) -> list[str]:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line for line in lines if line.endswith(str(file))]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_file_is_mapped_while_it_is_read(file: Path) -> None:
    """SIGBUS is what a process gets that reads of a mapping what was cut off."""
    opened = _open(file)
    assert not _list_mappings(file)
    count = 0
    for rows in opened.chunks():
        count += len(rows)
        assert not _list_mappings(file)
    assert count == len(NOISE)


_CUT_OFF = """
import sys
from pathlib import Path
from subpixel.errors import PictureError
from subpixel.media.image_file import open_picture

file = Path(sys.argv[1])
opened = open_picture(file, max_bytes=1 if "piped" in file.name else None)
rows = opened.chunks()
try:
    next(rows)
    print("cut", flush=True)
    sys.stdin.readline()
    for _ in rows:
        pass
except PictureError as error:
    print(error)
    sys.exit(1)
"""


OFTEN = ("jpg", "piped.jpg", "lzma.tif", "gif")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGBUS")
@pytest.mark.parametrize(
    "suffix",
    [pytest.param(each, marks=() if each in OFTEN else pytest.mark.slow) for each in SUFFIXES],
)
def test_a_file_cut_off_by_another_process_is_damage(tmp_path: Path, suffix: str) -> None:
    file = _save(tmp_path / f"a.{suffix}")
    environment = os.environ | {"PYTHONPATH": str(Path(subpixel.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", _CUT_OFF, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "cut\n"
        os.truncate(file, 1000)
        said = child.communicate("\n")[0]
    assert child.returncode == 1
    assert str(file) in said


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_cut_off_between_header_and_pixels(file: Path, share: float) -> None:
    opened = _open(file)
    os.truncate(file, int(share * file.stat().st_size))
    with pytest.raises(PictureError, match="has changed while it was read"):
        list(opened.chunks())


def test_what_is_cut_off_while_headers_are_read_is_one_line(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every look at the file, the file is shorter than it was when it was opened."""
    whole = inputs._read_some
    monkeypatch.setattr(inputs, "_read_some", lambda d, start, size: whole(d, start, min(size, 20)))
    assert np.array_equal(
        read_picture(file).frames.shape[1:3], NOISE.shape[:2]
    )  # short reads are normal
    monkeypatch.setattr(inputs, "_read_some", lambda d, start, size: b"")
    try:
        opened = _open(file)
    except PictureError as error:
        assert "cut off while it was read" in str(error)  # noqa: PT017 - only some formats look
    else:
        assert opened.header.width == 600


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_what_is_held_as_a_file_counts_and_is_bounded(tmp_path: Path, suffix: str) -> None:
    file = _save(tmp_path / f"a.{suffix}")
    size = file.stat().st_size
    assert open_picture(file, max_bytes=size).memory >= size
    with pytest.raises(MemoryLimitError, match=f"has more than {size - 1:,} bytes"):
        open_picture(file, max_bytes=size - 1)


def test_formats_that_are_read_by_rows_are_not_bounded_by_their_size(tmp_path: Path) -> None:
    for suffix in ("jpg", "png", "tif"):
        assert open_picture(_save(tmp_path / f"a.{suffix}"), max_bytes=1).header.width == 600


def test_a_stream_that_is_no_picture_is_not_read_on() -> None:
    reader, writer = os.pipe()
    os.write(writer, bytes(64))
    with open(reader, "rb", buffering=0) as stream, pytest.raises(PictureError, match="holds no"):  # noqa: PTH123
        open_stream(stream)  # which would wait for ever
    os.close(writer)
