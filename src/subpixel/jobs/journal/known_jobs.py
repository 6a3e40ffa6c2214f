"""Which jobs there are: the journals that were opened on this machine, and how far each job is."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import JobStoppedError, SubpixelError
from subpixel.jobs.journal.facts import JobFacts
from subpixel.jobs.journal.journal import JOURNAL_FOLDER, LOCKS_FILE
from subpixel.jobs.journal.record_files import RecordReader, list_record_files
from subpixel.jobs.journal.records import FailureRecord, JobRecord, JournalRecord, UnitRecord
from subpixel.strict_json import JsonError, read_value
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.cache import cache_folder
from subpixel.system.files.json_files import read_json_file
from subpixel.system.files.locks import RegionLocks

KNOWN_JOBS = "jobs"
"""Below the folder of caches: a small file for each journal."""

PROBED_SLOTS = 64
"""Processes at a job that are counted: the lowest slots are taken first."""


@dataclass(frozen=True)
class JobStatus:
    """How far a job is, by its journal; results are not looked at."""

    folder: Path
    """Of the journal."""
    facts: JobFacts
    units: int
    done: int
    failed: int
    """In its latest run and those at the same time."""
    begun_ns: int
    """When that run began, in nanoseconds since 1970."""
    changed_ns: int
    """When something was recorded last."""
    running: int | None
    """How many processes are at work in this folder; None where that can't be told."""


@dataclass(frozen=True)
class _JournalPlace:
    folder: Path


def remember_journal(folder: Path) -> None:
    """Keep in mind where a journal lies. Where that can't be, `jobs` needs its folder's name."""
    place = folder.absolute()
    name = hashlib.sha256(str(place).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    file = cache_folder() / KNOWN_JOBS / f"{name}.json"
    if file.exists():
        return
    with suppress(OSError, SubpixelError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, json.dumps({"folder": str(place)}).encode(), overwrite=True)


def list_journals() -> Sequence[Path]:
    """The folders of journals that were opened here, by name; those that are gone are forgotten."""
    places: list[Path] = []
    for file in sorted((cache_folder() / KNOWN_JOBS).glob("*.json")):
        try:
            folder = read_value(read_json_file(file), _JournalPlace, "the job").folder
            is_there = folder.is_dir()
        except (OSError, JsonError):
            is_there = False
        if is_there:
            places.append(folder)
        else:
            with suppress(OSError):
                file.unlink()
    return sorted(places)


def find_journals(folder: Path) -> Sequence[Path]:
    """The journals of jobs whose results go to a folder, or that lie in it; raises
    :class:`JobStoppedError` where there is none."""
    places = [place for place in (folder, folder / JOURNAL_FOLDER) if is_journal(place)]
    if not places:
        raise JobStoppedError(f"no journal lies in {folder}; name the folder that results went to")
    return places


def is_journal(folder: Path) -> bool:
    """Whether a folder is that of a journal."""
    try:
        return bool(list_record_files(folder))
    except OSError:
        return False


def read_statuses(folder: Path) -> Sequence[JobStatus]:
    """The jobs in a journal, the latest first; raises :class:`JobStoppedError` where it can't be
    read."""
    try:
        records = list(RecordReader(folder).read_new())
    except OSError as error:
        raise JobStoppedError(
            f"the journal in {folder} can't be read: {error.strerror or error}"
        ) from error
    running = _count_running(folder)
    statuses = [_describe_run(folder, job, records, running) for job in _latest_runs(records)]
    return sorted(statuses, key=lambda status: status.changed_ns, reverse=True)


def _latest_runs(records: Iterable[JournalRecord]) -> Iterable[JobRecord]:
    """The latest run of each job."""
    runs: dict[str, JobRecord] = {}
    for record in records:
        if isinstance(record, JobRecord):
            earlier = runs.setdefault(record.facts.digest, record)
            if record.time_ns > earlier.time_ns:
                runs[record.facts.digest] = record
    return runs.values()


def _describe_run(
    folder: Path, run: JobRecord, records: Sequence[JournalRecord], running: int | None
) -> JobStatus:
    since = list(_records_since(run, records))
    done = {record.key for record in since if isinstance(record, UnitRecord)}
    before = _keys_before(run, records)
    # stamped before it began, and written after
    unknown = 0 if run.known is None else max(0, len(before) - run.known)
    failed = {record.key for record in since if isinstance(record, FailureRecord)} - done
    return JobStatus(
        folder,
        run.facts,
        run.units,
        min(run.units, run.done + unknown + len(done - before)),
        len(failed),
        run.time_ns,
        max((record.time_ns for record in since), default=run.time_ns),
        running,
    )


def _keys_before(run: JobRecord, records: Iterable[JournalRecord]) -> set[str]:
    """Units whose latest record before a run began is one of its job that counts for it."""
    latest: dict[str, UnitRecord] = {}
    for record in records:
        if isinstance(record, UnitRecord) and run.since_ns <= record.time_ns < run.time_ns:
            earlier = latest.setdefault(record.key, record)
            if record.time_ns >= earlier.time_ns:
                latest[record.key] = record
    return {key for key, record in latest.items() if record.job == run.facts.digest}


def _records_since(
    run: JobRecord, records: Iterable[JournalRecord]
) -> Iterator[UnitRecord | FailureRecord]:
    for record in records:
        if isinstance(record, JobRecord) or record.job != run.facts.digest:
            continue
        if record.time_ns >= run.time_ns:
            yield record


def _count_running(folder: Path) -> int | None:
    file = folder / LOCKS_FILE
    try:
        file.stat()
        locks = RegionLocks(file)
    except OSError:
        return None
    try:
        return sum(map(locks.is_held, range(PROBED_SLOTS)))
    except OSError:
        return None
    finally:
        locks.close()
