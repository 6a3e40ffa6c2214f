"""Watched folders: which files are complete, and when it is time to look."""

import importlib.util
import os
from pathlib import Path

import pytest

from subpixel.errors import JobStoppedError, ProviderError
from subpixel.jobs.journal import watching
from subpixel.jobs.journal.watching import SETTLE_SECONDS, CompleteFiles, FolderWatch
from subpixel.jobs.outputs import Job

needs_watchfiles = pytest.mark.skipif(
    importlib.util.find_spec("watchfiles") is None, reason="needs the extra watch"
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def job(file: Path) -> Job:
    return Job(file, file.with_suffix(".out"))


def test_a_file_is_complete_when_it_has_stayed_the_same(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1")
    complete = CompleteFiles(clock)
    assert complete.choose([job(file)]) == []
    assert complete.is_waiting
    clock.now += SETTLE_SECONDS / 2
    file.write_bytes(b"12")
    assert complete.choose([job(file)]) == []
    clock.now += SETTLE_SECONDS / 2
    assert complete.choose([job(file)]) == [], "it has grown since"
    os.utime(file, ns=(1, 1))
    clock.now += SETTLE_SECONDS
    assert complete.choose([job(file)]) == [], "its time is another, however old it is"
    clock.now += SETTLE_SECONDS
    assert complete.choose([job(file)]) == [job(file)]
    assert not complete.is_waiting


def test_a_file_that_failed_is_tried_again_when_it_is_changed(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"broken")
    complete = CompleteFiles(clock)
    complete.choose([job(file)])
    clock.now += SETTLE_SECONDS
    assert complete.choose([job(file)]) == [job(file)]
    complete.fail(file)
    clock.now += SETTLE_SECONDS
    assert complete.choose([job(file)]) == []
    assert not complete.is_waiting
    file.write_bytes(b"mended.")
    assert complete.choose([job(file)]) == []
    assert complete.is_waiting
    clock.now += SETTLE_SECONDS
    assert complete.choose([job(file)]) == [job(file)]


def test_a_file_that_is_gone_is_not_chosen(tmp_path: Path, clock: Clock) -> None:
    complete = CompleteFiles(clock)
    assert complete.choose([job(tmp_path / "gone")]) == []
    complete.fail(tmp_path / "gone")
    assert not complete.is_waiting


@needs_watchfiles
def test_a_change_ends_the_wait(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    with FolderWatch([tmp_path]) as watch:
        for number in range(200):  # until the watch has begun
            (tmp_path / "deep" / str(number)).write_bytes(b"")
            watch.wait(0.1)
            if watch.changes:
                break
        assert watch.changes


@needs_watchfiles
def test_a_folder_that_is_gone_ends_the_watch(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with FolderWatch([tmp_path / "in"]) as watch:
        (tmp_path / "in").rmdir()
        with pytest.raises(JobStoppedError, match="is gone"):
            watch.wait(0.01)


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> None:
        raise ProviderError(f"this needs the package {package}")

    monkeypatch.setattr(watching, "expect_installed", missing)
    with pytest.raises(ProviderError, match="watchfiles"):
        FolderWatch([tmp_path])
