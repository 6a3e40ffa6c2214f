"""Which jobs are known, and how far they are."""

import time
from pathlib import Path

import pytest

from subpixel.errors import JobStoppedError
from subpixel.jobs.journal.facts import FileFacts, JobFacts
from subpixel.jobs.journal.journal import JOURNAL_FOLDER, Journal
from subpixel.jobs.journal.known_jobs import (
    KNOWN_JOBS,
    find_journals,
    list_journals,
    read_statuses,
    remember_journal,
)
from subpixel.jobs.journal.record_files import RecordWriter
from subpixel.jobs.journal.records import JobRecord, JournalRecord
from subpixel.jobs.journal.shard import Shard
from subpixel.system.files.cache import cache_folder

FACTS = JobFacts("test", {"scale": "2"})
OTHERS = JobFacts("test", {"scale": "3"})
RESULT = FileFacts(5, 7, "0" * 64)


def do(
    folder: Path,
    facts: JobFacts,
    keys: str,
    done: str,
    failed: str = "",
    *,
    shard: Shard | None = None,
    fresh: bool = False,
) -> None:
    with Journal.open(folder, facts, shard) as journal:
        journal.begin(list(keys), fresh=fresh)
        for key in done:
            journal.finish(key, RESULT)
        for key in failed:
            journal.fail(key, "broken")


def test_how_far_a_job_is(tmp_path: Path) -> None:
    do(tmp_path, FACTS, "abcdef", "ab", "c")
    (status,) = read_statuses(tmp_path)
    assert (status.units, status.done, status.failed, status.running) == (6, 2, 1, 0)
    assert status.facts == FACTS
    assert status.changed_ns >= status.begun_ns
    do(tmp_path, FACTS, "abcdef", "cd")
    (status,) = read_statuses(tmp_path)
    assert (status.units, status.done, status.failed) == (6, 4, 0)


def test_two_jobs_in_one_folder(tmp_path: Path) -> None:
    do(tmp_path, FACTS, "abc", "abc")
    do(tmp_path, OTHERS, "xy", "x")
    later, earlier = read_statuses(tmp_path)
    assert (later.facts, later.done, later.units) == (OTHERS, 1, 2)
    assert (earlier.facts, earlier.done, earlier.units) == (FACTS, 3, 3)


def test_the_same_job_with_other_pictures(tmp_path: Path) -> None:
    """Of another folder with the same results' folder: those before don't count."""
    do(tmp_path, FACTS, "abc", "abc")
    do(tmp_path, FACTS, "vwxyz", "v")
    (status,) = read_statuses(tmp_path)
    assert (status.done, status.units) == (1, 5)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_record_that_is_written_while_another_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    """Stamped before that run, and written behind its look at the others: it is in the count, but
    for a run that begins anew."""
    do(tmp_path, FACTS, "abcx", "x")
    append = RecordWriter.append

    def append_late(writer: RecordWriter, record: JournalRecord, *, is_durable: bool) -> None:
        monkeypatch.undo()
        do(tmp_path, FACTS, "abc", "b", shard=Shard(2, 2), fresh=fresh)
        append(writer, record, is_durable=is_durable)

    with Journal.open(tmp_path, FACTS, Shard(1, 2)) as journal:
        journal.begin("abc")
        monkeypatch.setattr(RecordWriter, "append", append_late)
        journal.finish("a", RESULT)
    (status,) = read_statuses(tmp_path)
    assert (status.units, status.done) == (3, 1 if fresh else 2)


def test_a_run_that_does_not_say_what_it_knew(tmp_path: Path) -> None:
    """As its record was when it had fewer fields."""
    do(tmp_path, FACTS, "abcx", "ax")
    writer = RecordWriter(tmp_path / "records-earlier.0.log")
    writer.append(JobRecord(FACTS, 3, 1, False, time.time_ns(), "host", 1))
    writer.close()
    (status,) = read_statuses(tmp_path)
    assert (status.units, status.done) == (3, 1)


def test_journals_are_remembered_and_forgotten(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    for folder in (second, first, first):
        do(folder, FACTS, "a", "")
        remember_journal(folder)
    assert list_journals() == [first, second]
    assert len(list((cache_folder() / KNOWN_JOBS).iterdir())) == 2
    for file in first.iterdir():
        file.unlink()
    first.rmdir()
    (cache_folder() / KNOWN_JOBS / "0.json").write_text("no JSON")
    assert list_journals() == [second]
    assert len(list((cache_folder() / KNOWN_JOBS).iterdir())) == 1


def test_a_journal_is_found_by_its_results(tmp_path: Path) -> None:
    do(tmp_path / JOURNAL_FOLDER, FACTS, "a", "")
    assert find_journals(tmp_path) == [tmp_path / JOURNAL_FOLDER]
    assert find_journals(tmp_path / JOURNAL_FOLDER) == [tmp_path / JOURNAL_FOLDER]
    for folder in (tmp_path / "missing", tmp_path / JOURNAL_FOLDER / "locks"):
        with pytest.raises(JobStoppedError, match="no journal lies in"):
            find_journals(folder)
