"""Whatever is raised while one picture is in work, at whatever stage, is that picture's failure."""

import errno
import itertools
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pyvips

from subpixel.errors import MemoryLimitError, PictureError
from subpixel.jobs import pictures
from subpixel.jobs.failures import explain_failure
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.pictures import PictureFiles, limit_tuning, upscale_files
from subpixel.media import writing
from subpixel.media.image_file import PictureFile, read_picture, write_picture
from subpixel.media.picture import Picture, Rows
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.upscaling.upscaler import Upscaler

ROW = TunedSettings(RunSettings("cpu", "fp32").resolve(), Path("a"), "", 1.0, 1.0, 0.1, 60.0)
TUNING = Tuning(45.0, ROW, (ROW,))

STAGES: dict[str, tuple[object, str]] = {
    "target": (pictures, "expect_free_file"),
    "opened": (pictures, "open_picture"),
    "counted": (PictureFiles, "megapixels"),
    "folder": (pictures, "make_folder"),
    "surveyed": (Upscaler, "choose"),
    "read": (PictureFile, "chunks"),
    "encoded": (writing, "Encoder"),
    "written": (writing.Encoder, "write"),
    "finished": (writing.Encoder, "finish"),
    "named": (writing, "atomic_file"),
    "dated": (os, "utime"),
}

FAULTS: tuple[Exception, ...] = (
    struct.error("argument out of range"),
    KeyError("tag"),
    IndexError("list index out of range"),
    ValueError("two\nlines"),
    TypeError(),
    OverflowError("int too large"),
    RecursionError("maximum recursion depth exceeded"),
    ZeroDivisionError("division by zero"),
    AssertionError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    StopIteration(),
)
"""Such as a bug raises."""

ERRNOS = (
    *(errno.ENOSPC, errno.EIO, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.EPIPE, errno.ENOENT, errno.EMFILE, errno.EROFS, errno.EINTR, errno.EINVAL),
)

ERRORS: tuple[Exception, ...] = (
    *FAULTS,
    pyvips.Error("vips has failed"),
    MemoryError(),
    MemoryError("of 4 GB"),
    PictureError("it is no good"),
    *(OSError(number, os.strerror(number)) for number in ERRNOS),
)

CASES = [
    pytest.param(stage, error, id=f"{stage}-{number}-{type(error).__name__}", marks=marks)
    for place, (stage, (number, error)) in enumerate(itertools.product(STAGES, enumerate(ERRORS)))
    for marks in [() if place % 11 == 0 else pytest.mark.slow]
]


FAULTS_OF_OURS = (*map(type, FAULTS), pyvips.Error)


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler("fast", scale=2)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    inputs = [tmp_path / name for name in ("a.png", "victim.png", "z.png")]
    for file in inputs:
        write_picture(Picture(np.full((1, 40, 9, 3), 7, np.uint8)), file)
    return inputs


def _is_victim(value: object) -> bool:
    """Whether a call is about the picture that is to fail."""
    names = (getattr(value, name, "") for name in ("file", "_file", "target"))
    return any("victim" in str(name) for name in (value, *names))


def _raiser(whole: Callable[..., object], error: Exception) -> Callable[..., object]:
    def call(*args: object, **options: object) -> object:
        if any(map(_is_victim, (*args, *options.values()))):
            raise error
        return whole(*args, **options)

    return call


def _raiser_on_the_way(error: Exception) -> Callable[[PictureFile], Iterator[Rows]]:
    whole = PictureFile.chunks

    def chunks(source: PictureFile) -> Iterator[Rows]:
        rows = whole(source)
        yield next(rows)
        if _is_victim(source):
            raise error
        yield from rows

    return chunks


@pytest.mark.parametrize(("stage", "error"), CASES)
def test_one_picture_s_failure_is_its_own(
    stage: str,
    error: Exception,
    upscaler: Upscaler,
    files: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner, name = STAGES[stage]
    if stage == "encoded":
        monkeypatch.setattr(owner, name, _raiser(writing.Encoder, error))
    elif stage == "read":
        monkeypatch.setattr(owner, name, _raiser_on_the_way(error))
    else:
        monkeypatch.setattr(owner, name, _raiser(getattr(owner, name), error))
    jobs = [Job(file, file.parent / "out" / file.stem / file.name) for file in files]
    source = PictureFiles()
    assert limit_tuning(TUNING, files, source) is not None
    results = list(upscale_files(upscaler, jobs, source, JobOptions(keep_date=True)))
    assert [result.input for result in results] == files
    first, failed, last = results
    for result in (first, last):
        assert result.error is None
        assert result.output is not None
        assert read_picture(result.output).frames.shape == (1, 80, 18, 3)
    if stage == "counted":  # by itself no failure
        assert failed.error is None
        return
    assert failed.error is not None
    assert "victim.png" in failed.error
    assert "\n" not in failed.error
    left = sorted(file.name for file in (files[0].parent / "out").rglob("*") if file.is_file())
    assert left == (["a.png", "victim.png", "z.png"] if stage == "dated" else ["a.png", "z.png"])
    if not isinstance(error, FAULTS_OF_OURS):
        assert failed.trace is None


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_a_fault_of_ours_is_one_line_and_a_trace(error: Exception) -> None:
    job = Job(Path("in.png"), Path("out.png"))
    try:
        raise error
    except Exception as caught:
        failure = explain_failure(job, caught)
    assert failure.line.startswith(f"in.png: {type(error).__name__}")
    assert failure.line.endswith("(a fault of subpixel; please report it with what -v says)")
    assert "\n" not in failure.line
    assert failure.trace is not None
    assert "in test_a_fault_of_ours_is_one_line_and_a_trace" in failure.trace


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PictureError("in.png is empty"), "in.png is empty"),
        (PictureError("out.png exists"), "out.png exists"),
        (MemoryLimitError("9 x 9 pixels need 1G"), "in.png: 9 x 9 pixels need 1G"),
        (MemoryError(), "in.png: not enough memory"),
        (MemoryError("decoding\nPNG"), "in.png: not enough memory: decoding PNG"),
        (OSError(errno.ELOOP, "Too many links"), "in.png: Too many links"),
        (OSError("it is a folder"), "in.png: it is a folder"),
    ],
)
def test_other_failures_name_the_file_and_have_no_trace(error: Exception, line: str) -> None:
    failure = explain_failure(Job(Path("in.png"), Path("out.png")), error)
    assert (failure.line, failure.trace) == (line, None)
