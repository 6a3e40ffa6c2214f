"""The journal in one process: what counts as done, what may be replaced, what stops a job."""

import errno
import os
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from subpixel.errors import JobStoppedError, UsageError
from subpixel.jobs.journal.facts import FileFacts, JobFacts
from subpixel.jobs.journal.journal import Journal
from subpixel.jobs.journal.known_jobs import read_statuses
from subpixel.jobs.journal.record_files import list_record_files
from subpixel.jobs.journal.records import decode_records
from subpixel.system.files import locks

FACTS = JobFacts("test", {"scale": "2"})
OTHERS = JobFacts("test", {"scale": "3"})
RESULT = FileFacts(5, 7, "0" * 64)
LATER = FileFacts(6, 8, "1" * 64)
KEYS = ("a", "b", "c")


def open_journal(
    folder: Path,
    facts: JobFacts = FACTS,
    keys: Sequence[str] = KEYS,
    *,
    fresh: bool = False,
    replaces: bool = False,
) -> Journal:
    journal = Journal.open(folder, facts)
    try:
        journal.begin(keys, fresh=fresh, replaces=replaces)
    except BaseException:
        journal.close()
        raise
    return journal


def done_in(journal: Journal) -> set[str]:
    records = [journal.find(key) for key in KEYS]
    return {record.key for record in records if record and journal.is_current(record)}


def do(journal: Journal, *keys: str) -> None:
    for key in keys:
        with journal.claim(key) as is_mine:
            assert is_mine
            journal.finish(key, RESULT)


def test_a_later_run_knows_what_is_done(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j") as journal:
        do(journal, "a", "b")
        assert done_in(journal) == {"a", "b"}
    with open_journal(tmp_path / "j") as journal:
        assert done_in(journal) == {"a", "b"}
        record = journal.find("a")
        assert record is not None
        assert record.result == RESULT
    assert len(list_record_files(tmp_path / "j")) == 1, "one process at a time needs one file"


def test_the_latest_record_counts(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        do(journal, "a")
        journal.finish("a", LATER, source=RESULT, before=RESULT)
    with open_journal(tmp_path) as journal:
        record = journal.find("a")
        assert record is not None
        assert (record.result, record.source, record.before) == (LATER, RESULT, RESULT)


def test_a_fresh_start_does_all_again(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        do(journal, "a", "b")
    with open_journal(tmp_path, fresh=True) as journal:
        assert done_in(journal) == set()
        record = journal.find("a")
        assert record is not None
        assert journal.may_replace(record)
        do(journal, "a")
        assert done_in(journal) == {"a"}
    with open_journal(tmp_path) as journal:
        assert done_in(journal) == {"a", "b"}, "made of the same, b is as good as new"


def test_a_fresh_start_counts_by_stamps(tmp_path: Path) -> None:
    """What another process stamped before, and wrote after, is from before."""
    with open_journal(tmp_path / "there") as journal:
        do(journal, "a")
    (file,) = list_record_files(tmp_path / "there")
    with open_journal(tmp_path / "here", fresh=True) as journal:
        shutil.copyfile(file, tmp_path / "here" / "records-elsewhere.1.log")
        journal.refresh()
        assert journal.find("a") is not None
        assert done_in(journal) == set()


def test_results_of_other_settings_are_not_replaced_unasked(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        do(journal, "a")
    with pytest.raises(UsageError, match=r"scale was 2, is 3\); --no-resume begins anew"):
        open_journal(tmp_path, OTHERS)
    with open_journal(tmp_path, OTHERS, ["c"]) as journal:
        do(journal, "c")
    with open_journal(tmp_path, FACTS, ["a", "b"]) as journal:
        assert done_in(journal) == {"a"}, "both jobs go on in one folder"
    with Journal.open(tmp_path, OTHERS) as journal:
        journal.begin(KEYS, is_there=lambda record: record.key != "a")


@pytest.mark.parametrize("way", ["fresh", "replaces"])
def test_a_replacement_that_was_admitted_goes_on(tmp_path: Path, way: str) -> None:
    """A run with `--no-resume` that was killed is resumed without it."""
    with open_journal(tmp_path) as journal:
        do(journal, "a", "b")
    with open_journal(
        tmp_path, OTHERS, fresh=way == "fresh", replaces=way == "replaces"
    ) as journal:
        do(journal, "a")
    with open_journal(tmp_path, OTHERS) as journal:
        assert done_in(journal) == {"a"}
        record = journal.find("b")
        assert record is not None
        assert not journal.is_current(record)
        assert journal.may_replace(record)
    with pytest.raises(UsageError, match="made otherwise"):
        open_journal(tmp_path, FACTS)


def test_a_claim_is_for_one_block(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        with journal.claim("a") as first, journal.claim("a") as second, journal.claim("b") as other:
            assert (first, second, other) == (True, False, True)
        with journal.claim("a") as again:
            assert again


def test_a_line_that_a_kill_cut_off_costs_one_record(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        do(journal, "a", "b")
    (file,) = list_record_files(tmp_path)
    whole = file.read_bytes()
    for cut in (*range(1, 8), 20, 40, 60):
        file.write_bytes(whole[:-cut])
        with open_journal(tmp_path) as journal:
            # the newline alone is no loss: the next writer begins with one
            assert done_in(journal) == {"a"}
            do(journal, "c")
        with open_journal(tmp_path) as journal:
            assert done_in(journal) == ({"a", "c"} if cut > 1 else {"a", "b", "c"})


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no open files")
@pytest.mark.parametrize("when", ["claim", "finish"])
def test_a_journal_that_is_removed_stops_the_job(tmp_path: Path, when: str) -> None:
    folder = tmp_path / "out" / "j"
    with open_journal(folder) as journal:
        do(journal, "a")
        shutil.rmtree(tmp_path / "out")
        step: dict[str, Callable[[str], None]] = {
            "claim": partial(do, journal),
            "finish": partial(journal.finish, result=RESULT),
        }
        with pytest.raises(JobStoppedError, match="the journal in") as caught:
            step[when]("b")
        assert "\n" not in str(caught.value)


def test_a_full_disk_stops_the_job_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a line is written, then there is no room; later there is."""
    write = os.write
    with open_journal(tmp_path) as journal:
        do(journal, "a")
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
        with pytest.raises(JobStoppedError, match=os.strerror(errno.ENOSPC)):
            journal.finish("b", RESULT)
        assert done_in(journal) == {"a"}
        monkeypatch.undo()
        do(journal, "c")
    with open_journal(tmp_path) as journal:
        assert done_in(journal) == {"a", "c"}


def test_a_folder_that_takes_no_journal(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JobStoppedError, match="the journal in"):
        Journal.open(tmp_path / "file" / "j", FACTS)


def test_failures_of_runs_at_the_same_time_are_told_once(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.fail("a", "it was broken")
    with open_journal(tmp_path) as journal:
        assert journal.take_failure("a") is None, "an earlier run's is tried again"
        # what another process appends
        (file,) = list_record_files(tmp_path)
        other = file.with_name("records-elsewhere.1.log")
        shutil.copyfile(file, other)
        journal.refresh()
        failure = journal.take_failure("a")
        assert failure is not None
        assert failure.error == "it was broken"
        assert journal.take_failure("a") is None


def test_other_writers_are_read_on_from_where_they_were(tmp_path: Path) -> None:
    with open_journal(tmp_path / "there") as journal:
        do(journal, "a", "b")
    (file,) = list_record_files(tmp_path / "there")
    whole = file.read_bytes()
    assert len(list(decode_records(whole))) == 3
    with open_journal(tmp_path / "here") as journal:
        other = tmp_path / "here" / "records-elsewhere.1.log"
        for end in range(0, len(whole), 25):  # as it becomes visible, lines in pieces
            other.write_bytes(whole[:end])
            journal.refresh()
        other.write_bytes(whole)
        journal.refresh()
        assert done_in(journal) == {"a", "b"}


def test_where_files_cannot_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and one process goes on."""

    def refuse(_: int, number: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), number)

    monkeypatch.setattr(locks, "_lock_region", refuse)
    for done in (set(), {"a"}):
        with pytest.warns(UserWarning, match="run one process at a time"):
            journal = open_journal(tmp_path / "j")
        with journal:
            assert done_in(journal) == done
            do(journal, "a")
    (status,) = read_statuses(tmp_path / "j")
    assert (status.done, status.running) == (1, None)


def test_a_clock_that_goes_backwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_journal(tmp_path) as journal:
        do(journal, "a")
    monkeypatch.setattr(time, "time_ns", lambda: 5)
    with open_journal(tmp_path) as journal:
        journal.finish("a", LATER)
    with open_journal(tmp_path, OTHERS, replaces=True) as journal:
        record = journal.find("a")
        assert record is not None
        assert record.result == LATER
        assert journal.may_replace(record)
