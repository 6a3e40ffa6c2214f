"""What a run by a journal holds does not grow with the pictures that it has done."""

import gc
import tracemalloc
from pathlib import Path

import pytest

from subpixel.jobs.journal import picture_run
from subpixel.jobs.journal.picture_run import PictureRun
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.pictures import PictureFiles
from subpixel.jobs.results import JobResult
from subpixel.system.files.atomic import Seal, atomic_file
from subpixel.upscaling.upscaler import Upscaler

RECORD_BYTES = 600
"""Less than one record of a picture takes in memory: two hashes of 64 digits, in texts, alone take
226 bytes, a key, six numbers, three objects and their dictionaries the rest."""


def fake_upscale(
    _upscaler: object,
    job: Job,
    _files: object,
    _options: object,
    _report: object,
    seal: Seal,
    _tell: object,
) -> JobResult:
    with atomic_file(job.target, overwrite=False, seal=seal) as stream:
        stream.write(b"larger")
    return JobResult(job.source, job.target)


def measure_growth(folder: Path, count: int, *, watches: bool = False) -> int:
    """Bytes that are held after a run over ``count`` pictures more than before it."""
    (folder / "in").mkdir(parents=True)
    jobs = [Job(folder / "in" / f"{n:06}", folder / "out" / f"{n:06}") for n in range(count)]
    for job in jobs:
        job.source.write_bytes(b"small")
    run = PictureRun(folder / "out", Upscaler("fast", scale=2), JobOptions(), watches=watches)
    left, _ = run.begin(jobs)
    tracemalloc.start()
    try:
        assert all(result.error is None for result in run.upscale(left, PictureFiles()))
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        run.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_run, "upscale_job", fake_upscale)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.mark.slow
def test_memory_stays_over_ten_times_as_many_pictures(tmp_path: Path) -> None:
    few, many = (measure_growth(tmp_path / str(count), count) for count in (60, 600))
    assert many - few < (600 - 60) * RECORD_BYTES / 4
    watching = measure_growth(tmp_path / "watch", 600, watches=True)
    assert watching - many > 600 * RECORD_BYTES, "the bar is one that records alone would break"


@pytest.mark.slow
def test_what_was_forgotten_is_done_in_the_next_run(tmp_path: Path) -> None:
    measure_growth(tmp_path, 5)
    jobs = [Job(tmp_path / "in" / f"{n:06}", tmp_path / "out" / f"{n:06}") for n in range(5)]
    run = PictureRun(tmp_path / "out", Upscaler("fast", scale=2), JobOptions())
    left, resumption = run.begin(jobs)
    run.close()
    assert not left
    assert resumption.done == 5
