"""What is a job of a pipe, and what isn't; streams that are held in memory are counted."""

import io
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from subpixel.errors import MemoryLimitError, PictureError, UsageError
from subpixel.jobs.outputs import Job
from subpixel.jobs.pipes import plan_pipe
from subpixel.media.image_file import encode_picture, open_picture, open_stream
from subpixel.media.picture import Picture, read_source
from subpixel.media.reading import MAX_PAGES_METADATA, PIXEL_BYTES
from subpixel.system.files.standard_input import PIPE

FILE = Path("photo.png")


@pytest.mark.parametrize(
    ("inputs", "output", "job"),
    [
        ([PIPE], PIPE, Job(PIPE, PIPE)),
        ([PIPE], None, Job(PIPE, PIPE)),
        ([PIPE], FILE, Job(PIPE, FILE)),
        ([FILE], PIPE, Job(FILE, PIPE)),
    ],
)
def test_jobs(inputs: list[Path], output: Path | None, job: Job) -> None:
    assert plan_pipe(inputs, output, None) == job


def test_what_is_no_job(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="2 inputs, and - is a stream of one picture"):
        plan_pipe([PIPE, FILE], PIPE, None)
    with pytest.raises(UsageError, match="is a folder, and -o - takes one picture"):
        plan_pipe([tmp_path], PIPE, None)
    for folder in (tmp_path, Path("larger")):
        with pytest.raises(UsageError, match=r"has no name for a file in .*photo\.webp"):
            plan_pipe([PIPE], folder, ".webp")


@pytest.fixture
def picture() -> Picture:
    return Picture(np.random.default_rng(0).integers(0, 256, (1, 20, 30, 3), dtype=np.uint8))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_a_stream_is_what_a_file_is(picture: Picture, suffix: str, tmp_path: Path) -> None:
    data = encode_picture(picture, f"picture{suffix}")
    file = tmp_path / f"picture{suffix}"
    file.write_bytes(data)
    stream = io.BytesIO(b"before" + data)
    stream.seek(6)
    opened, source = open_stream(stream), open_picture(file)
    assert opened.header == source.header
    is_held = len(data) <= source.form.reader.held_bytes  # of a file, too
    assert opened.memory == source.memory + (0 if is_held else len(data))
    for _ in range(2):
        assert np.array_equal(read_source(opened).frames, read_source(source).frames)


def test_a_stream_is_bounded(picture: Picture) -> None:
    data = encode_picture(picture, "picture.png")
    open_stream(io.BytesIO(data), max_bytes=len(data))
    with pytest.raises(MemoryLimitError, match=f"the pipe gives more than {len(data) - 1:,} bytes"):
        open_stream(io.BytesIO(data), name="the pipe", max_bytes=len(data) - 1)
    most = 10 * PIXEL_BYTES + MAX_PAGES_METADATA
    with pytest.raises(MemoryLimitError, match=f"more than {most:,} bytes"):
        open_stream(io.BytesIO(data.ljust(most + 1)), max_pixels=10)


def test_a_stream_that_gives_nothing() -> None:
    with pytest.raises(PictureError, match=r"the stream can't be read: it is empty \(0 bytes\)"):
        open_stream(io.BytesIO())


def test_a_stream_that_fails() -> None:
    stream = Mock(spec=io.BytesIO)
    stream.read.side_effect = OSError(5, "Input/output error")
    with pytest.raises(PictureError, match="the pipe can't be read: Input/output error"):
        open_stream(stream, name="the pipe")
