"""Pictures by a journal: what is done again, what is left, what stops a run."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from subpixel.errors import JobStoppedError, UsageError
from subpixel.jobs.journal.picture_run import PictureRun, describe_job
from subpixel.jobs.journal.shard import Shard
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.pictures import PictureFiles
from subpixel.jobs.results import JobResult
from subpixel.media import writing
from subpixel.media.image_file import EncodeOptions, PictureFile, write_picture
from subpixel.media.picture import Picture, Rows
from subpixel.upscaling.size.target_size import TargetSize
from subpixel.upscaling.upscaler import Upscaler

DEFAULT = JobOptions()
OTHERWISE = JobOptions(EncodeOptions(png_compression=0))


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler("fast", scale=2)


def draw(file: Path, value: int) -> None:
    file.unlink(missing_ok=True)
    write_picture(Picture(np.full((1, 9, 7, 3), value, np.uint8)), file)
    os.utime(file, ns=(10**18, 10**18 + value))  # long ago: its time alone tells that it's the same


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    (tmp_path / "in").mkdir()
    for number in range(4):
        draw(tmp_path / "in" / f"{number}.png", number)
    return [Job(tmp_path / "in" / name, tmp_path / "out" / name) for name in NAMES]


NAMES = ("0.png", "1.png", "2.png", "3.png")


def run_all(
    jobs: list[Job],
    upscaler: Upscaler,
    options: JobOptions = DEFAULT,
    shard: Shard | None = None,
    *,
    fresh: bool = False,
) -> list[JobResult]:
    """What a run of its own does."""
    run = PictureRun(jobs[0].target.parent, upscaler, options, shard=shard, fresh=fresh)
    try:
        left, resumption = run.begin(jobs)
        assert resumption.done == resumption.of - len(left)
        return list(run.upscale(left, PictureFiles()))
    finally:
        run.close()


def names(results: list[JobResult]) -> set[str]:
    assert all(result.error is None for result in results)
    return {result.input.name for result in results}


def contents(jobs: list[Job]) -> dict[str, bytes]:
    return {job.target.name: job.target.read_bytes() for job in jobs if job.target.exists()}


def test_only_what_is_missing_or_changed_is_done(jobs: list[Job], upscaler: Upscaler) -> None:
    assert names(run_all(jobs, upscaler)) == set(NAMES)
    first = contents(jobs)
    assert run_all(jobs, upscaler) == []
    os.utime(jobs[0].source)
    os.utime(jobs[1].target)
    assert run_all(jobs, upscaler) == [], "the content counts, not the time"
    jobs[2].target.unlink()
    draw(jobs[3].source, 99)
    assert names(run_all(jobs, upscaler)) == {"2.png", "3.png"}
    second = contents(jobs)
    assert {name for name in NAMES if first[name] != second[name]} == {"3.png"}
    assert run_all(jobs, upscaler) == []


def test_a_changed_input_of_the_same_size_and_time(jobs: list[Job], upscaler: Upscaler) -> None:
    """Right after it was written, a file's time proves nothing: it is hashed."""
    flat = EncodeOptions(png_compression=0)
    pictures = [Picture(np.full((1, 9, 7, 3), value, np.uint8)) for value in (1, 2)]
    write_picture(pictures[0], jobs[0].source, flat, overwrite=True)
    run_all(jobs, upscaler)
    before = jobs[0].source.stat()
    write_picture(pictures[1], jobs[0].source, flat, overwrite=True)
    os.utime(jobs[0].source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert jobs[0].source.stat().st_size == before.st_size
    assert names(run_all(jobs, upscaler)) == {"0.png"}


def test_what_a_user_made_of_a_result_is_spared(jobs: list[Job], upscaler: Upscaler) -> None:
    run_all(jobs, upscaler)
    jobs[0].target.write_bytes(b"retouched")
    jobs[1].target.write_bytes(b"retouched")
    draw(jobs[1].source, 99)
    (first, second) = run_all(jobs, upscaler)
    for result in (first, second):
        assert result.error is not None
        assert "exists; use --overwrite" in result.error
    assert jobs[0].target.read_bytes() == jobs[1].target.read_bytes() == b"retouched"
    assert names(run_all(jobs, upscaler, JobOptions(overwrite=True))) == {"0.png", "1.png"}
    assert run_all(jobs, upscaler, JobOptions(overwrite=True)) == [], "what is done stays done"


def test_results_without_a_record_are_spared(jobs: list[Job], upscaler: Upscaler) -> None:
    jobs[0].target.parent.mkdir()
    jobs[0].target.write_bytes(b"of somebody")
    first, *others = run_all(jobs, upscaler)
    assert first.error is not None
    assert names(others) == {"1.png", "2.png", "3.png"}
    assert jobs[0].target.read_bytes() == b"of somebody"


def test_a_fresh_start_replaces_results(jobs: list[Job], upscaler: Upscaler) -> None:
    run_all(jobs, upscaler)
    assert names(run_all(jobs, upscaler, fresh=True)) == set(NAMES)


def test_other_settings(jobs: list[Job], upscaler: Upscaler) -> None:
    run_all(jobs, upscaler)
    with pytest.raises(UsageError, match="encoding was default, is png_compression=0"):
        run_all(jobs, upscaler, OTHERWISE)
    assert names(run_all(jobs, upscaler, OTHERWISE, fresh=True)) == set(NAMES)
    with pytest.raises(UsageError, match="encoding was png_compression=0, is default"):
        run_all(jobs, upscaler)
    shutil.rmtree(jobs[0].target.parent, ignore_errors=True)
    assert names(run_all(jobs, upscaler)) == set(NAMES)


def test_results_that_were_removed_are_in_no_way(jobs: list[Job], upscaler: Upscaler) -> None:
    """As by `rm out/*`, which leaves the journal."""
    run_all(jobs, upscaler)
    for job in jobs:
        job.target.unlink()
    assert names(run_all(jobs, upscaler, OTHERWISE)) == set(NAMES)


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    def kill(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(owner, name, kill)


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("moment", ["before the record", "before the name"])
def test_killed_between_record_and_name(
    jobs: list[Job],
    upscaler: Upscaler,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    changed: bool,
) -> None:
    """Twice at the same place; with ``changed`` an earlier result lies there, which is ours."""
    from subpixel.jobs.journal.journal import Journal
    from subpixel.system.files import atomic

    if changed:
        run_all(jobs, upscaler)
        draw(jobs[1].source, 99)
        jobs = jobs[1:2]
    owner, name = {
        "before the record": (Journal, "finish"),
        "before the name": (atomic, "_move_into_place"),
    }[moment]
    for _ in range(2):
        with monkeypatch.context() as patch:
            kill_at(patch, owner, name)
            with pytest.raises(Killed):
                run_all(jobs, upscaler)
    assert names(run_all(jobs, upscaler)) == {job.source.name for job in jobs}
    assert run_all(jobs, upscaler) == []


def test_killed_after_the_name(
    jobs: list[Job], upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything else was noted of it: the date that was to be kept."""
    options = JobOptions(keep_date=True)
    with monkeypatch.context() as patch:
        kill_at(patch, os, "utime")
        with pytest.raises(Killed):
            run_all(jobs, upscaler, options)
    assert contents(jobs).keys() == {"0.png"}
    assert names(run_all(jobs, upscaler, options)) == {"1.png", "2.png", "3.png"}


def test_an_input_that_changes_while_it_is_read(
    jobs: list[Job], upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PictureFile.chunks

    def chunks(source: PictureFile) -> Iterator[Rows]:
        yield from whole(source)
        with jobs[1].source.open("ab") as stream:
            stream.write(b"more")

    with monkeypatch.context() as patch:
        patch.setattr(PictureFile, "chunks", chunks)
        (failed,) = run_all(jobs[1:2], upscaler)
    assert failed.error is not None
    assert "was changed while it was read" in failed.error
    assert "\n" not in failed.error
    assert not jobs[1].target.exists()
    draw(jobs[1].source, 1)
    assert names(run_all(jobs, upscaler)) == set(NAMES)


@pytest.mark.parametrize("place", ["result", "journal"])
def test_a_full_disk_stops_the_run_in_a_line(
    jobs: list[Job], upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    run = PictureRun(jobs[0].target.parent, upscaler, JobOptions())
    left, _ = run.begin(jobs)
    results = run.upscale(left, PictureFiles())
    assert next(results).error is None
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def refuse(*_: object, **__: object) -> int:
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(
            *((writing.Encoder, "finish") if place == "result" else (os, "write")), refuse
        )
        with pytest.raises(JobStoppedError, match=os.strerror(errno.ENOSPC)) as caught:
            next(results)
    assert "\n" not in str(caught.value)
    run.close()
    assert contents(jobs).keys() == {"0.png"}
    assert names(run_all(jobs, upscaler)) == {"1.png", "2.png", "3.png"}


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no open files")
def test_an_output_folder_that_is_gone_stops_the_run(jobs: list[Job], upscaler: Upscaler) -> None:
    run = PictureRun(jobs[0].target.parent, upscaler, JobOptions())
    left, _ = run.begin(jobs)
    results = run.upscale(left, PictureFiles())
    next(results)
    shutil.rmtree(jobs[0].target.parent)
    with pytest.raises(JobStoppedError, match="the journal in") as caught:
        next(results)
    assert "\n" not in str(caught.value)
    run.close()
    assert names(run_all(jobs, upscaler)) == set(NAMES)


def test_shards_make_the_whole_folder(jobs: list[Job], upscaler: Upscaler, tmp_path: Path) -> None:
    parts = [names(run_all(jobs, upscaler, shard=Shard(number, 3))) for number in (1, 2, 3)]
    assert sum(map(len, parts)) == len(jobs)
    assert set().union(*parts) == set(NAMES)
    alone = [Job(job.source, tmp_path / "alone" / job.target.name) for job in jobs]
    run_all(alone, upscaler)
    assert contents(alone) == contents(jobs)
    assert run_all(jobs, upscaler) == []


def test_facts_tell_what_changes_pixels(upscaler: Upscaler) -> None:
    options = JobOptions()
    facts = [
        describe_job(upscaler, options),
        describe_job(upscaler, JobOptions(EncodeOptions(quality=50))),
        describe_job(upscaler, JobOptions(size=TargetSize(width=30))),
        describe_job(Upscaler("fast", scale=3), options),
        describe_job(Upscaler("balanced", scale=2), options),
        describe_job(Upscaler("auto", scale=2), options),
        describe_job(Upscaler("fast", scale=2, alpha="straight"), options),
        describe_job(Upscaler("fast", scale=2, precision="fp32"), options),
        describe_job(Upscaler("fast", scale=2, adaptive=True), options),
        describe_job(Upscaler("auto", denoise=0.5, scale=2), options),
    ]
    assert len({each.digest for each in facts}) == len(facts)
    alike = [
        describe_job(Upscaler("fast", scale=2, threads=1, batch=2), options),
        describe_job(upscaler, JobOptions(overwrite=True, keep_date=True, max_memory=1 << 30)),
    ]
    assert {each.digest for each in alike} == {facts[0].digest}
