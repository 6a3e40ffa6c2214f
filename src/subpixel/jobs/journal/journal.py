"""The journal of a long job, shared by all processes and machines that are at it.

A journal is a folder. Each process appends to a file of its own in it and reads those of the
others, so no write ever meets another; who works at what is settled by locks on the bytes of one
more file, which the system releases when their process ends, however it ends.

The order that makes it safe: a unit's result is complete and on disk, then its record is, then the
result gets its name. A process that is killed in between leaves a record without a result, which
counts for nothing, or a result with a record, which is whole.
"""

import os
import platform
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from subpixel.errors import JobStoppedError, UsageError
from subpixel.jobs.journal.facts import FileFacts, JobFacts
from subpixel.jobs.journal.look import KnownResult
from subpixel.jobs.journal.record_files import (
    RecordReader,
    RecordWriter,
    journal_errors,
    name_machine,
)
from subpixel.jobs.journal.records import FailureRecord, JobRecord, JournalRecord, UnitRecord
from subpixel.jobs.journal.shard import Shard, hash_number
from subpixel.system.files.folders import make_hidden_folder
from subpixel.system.files.locks import MAX_REGIONS, NO_LOCKS, RegionLocks

JOURNAL_FOLDER = ".subpixel"
"""Of a job's journal, in the folder that its results go to."""

LOCKS_FILE = "locks"

MAX_WRITERS = 1024
"""Processes at one job at a time; the locks of units come after theirs."""


class Journal:
    """An open journal; a context manager. Made by :meth:`open`; for one thread, once in a process.

    A unit is known by its key, a text that is the same in every run, such as the place of its
    result below the journal's folder. What a run does with each:

    >>> with Journal.open(folder, facts) as journal:  # doctest: +SKIP
    ...     journal.begin([unit.key for unit in units])
    ...     for unit in units:
    ...         with journal.claim(unit.key) as is_mine:
    ...             if not is_mine:
    ...                 continue  # another process is at it: come back to it later
    ...             if is_result(unit, journal.find(unit.key)):
    ...                 continue  # the record is of this job, the result as it says
    ...             with atomic_file(unit.target, seal=...) as stream:  # seal calls finish
    ...                 ...

    Every method raises :class:`JobStoppedError`, in one line, where the journal can't be read or
    written, be it that its disk is full or that its folder is gone: no unit can go on then.
    """

    def __init__(
        self, folder: Path, facts: JobFacts, locks: RegionLocks, shard: Shard | None
    ) -> None:
        self.folder, self.facts = folder, facts
        self._locks = locks
        self._units: dict[str, UnitRecord] = {}
        self._failures: dict[str, FailureRecord] = {}
        self._jobs: list[JobRecord] = []
        self._since_ns = 0
        self._latest_ns = 0
        self._reader = RecordReader(folder)
        self._has_locks = True
        self._writer = RecordWriter(folder / _name_record_file(shard, self._take_slot()))
        self._read(self._reader.read_new())
        self._failures.clear()

    @classmethod
    def open(cls, folder: Path, facts: JobFacts, shard: Shard | None = None) -> "Journal":
        """The journal in ``folder``, which is made where it is missing, for a run of the job that
        ``facts`` describe, or of a ``shard`` of it. :meth:`begin` comes next."""
        with journal_errors(folder):
            make_hidden_folder(folder)
            locks = RegionLocks(folder / LOCKS_FILE)
            try:
                return cls(folder, facts, locks, shard)
            except BaseException:
                locks.close()
                raise

    def begin(
        self,
        keys: Sequence[str],
        *,
        fresh: bool = False,
        replaces: bool = False,
        is_there: Callable[[UnitRecord], bool] = lambda record: True,
    ) -> None:
        """Record that a run begins whose units are ``keys``, those of all shards together; again
        where a job that goes on, as that of a watched folder, has new ones.

        ``fresh``: what was done before now doesn't count as done. ``replaces``, which ``fresh``
        implies: results of the same keys that jobs of other facts made may be replaced. Raises
        :class:`UsageError` where there are such and that isn't admitted, nor was in a run before;
        ``is_there`` says whether the result of a record still is.
        """
        begin_ns = self._now_ns()
        self.refresh()
        replaces = fresh or replaces
        if not replaces:
            self._expect_own(keys, is_there)
        if fresh:
            self._since_ns = begin_ns
        record = JobRecord(
            self.facts,
            len(keys),
            self._count_done(filter(None, map(self._units.get, keys)), begin_ns),
            replaces,
            begin_ns,
            platform.node(),
            os.getpid(),
            self._count_done(self._units.values(), begin_ns),
            self._since_ns,
        )
        with journal_errors(self.folder):
            self._writer.append(record)
        self._jobs.append(record)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the locks; what is recorded stays."""
        self._writer.close()
        self._locks.close()

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """A unit for this process alone, for as long as the block lasts: True where it is so, False
        where another process is at it.

        What others have recorded until now is known inside the block. Where files can't be locked
        every unit is this process's.
        """
        number = unit_region(key)
        with journal_errors(self.folder):
            is_locked = self._has_locks and self._locks.acquire(number)
            is_mine = is_locked or not self._has_locks
            if is_mine:
                self.refresh()
        try:
            yield is_mine
        finally:
            if is_locked:
                self._locks.release(number)

    def find(self, key: str) -> UnitRecord | None:
        """The latest record of a unit's result, be it of a job of other facts; None: there never
        was any. Whether the result is still there, and as it was, is the caller's to look at."""
        return self._units.get(key)

    def forget(self, key: str) -> None:
        """Hold nothing of a unit any more: it isn't asked for again before this journal's end."""
        self._units.pop(key, None)
        self._failures.pop(key, None)

    def know(self, key: str, source_name: str) -> KnownResult | None:
        """What there is to know of the result of a unit whose input has this name, before a look at
        it; None: nothing.

        What was made of an input of another name is replaced only by a run that begins anew: that
        input may be gone, and its result all that there is of it.
        """
        record = self._units.get(key)
        if record is None:
            return None
        may_replace = record.source_name == source_name and self.may_replace(record)
        is_outdated = record.time_ns < self._since_ns
        return KnownResult(record, self.is_current(record), may_replace or is_outdated)

    def find_source(self, key: str) -> str | None:
        """The name of the input that a result was made of; None where that isn't recorded."""
        record = self._units.get(key)
        return record.source_name if record else None

    def is_current(self, record: UnitRecord) -> bool:
        """Whether a result with this record need not be made again, if it is as it was: it is of a
        job of the same facts, and not from before a fresh start."""
        return record.job == self.facts.digest and record.time_ns >= self._since_ns

    def may_replace(self, record: UnitRecord) -> bool:
        """Whether the result with this record, if it is as it was, may be replaced by a new one of
        the same input: it is of a job of the same facts, or replacing that of the other was
        admitted since."""
        return record.job == self.facts.digest or any(
            job.replaces and job.time_ns > record.time_ns for job in self._jobs_alike()
        )

    def take_failure(self, key: str) -> FailureRecord | None:
        """What another run at work said of a unit that failed there, once; else None."""
        return self._failures.pop(key, None)

    def finish(
        self,
        key: str,
        result: FileFacts,
        source: FileFacts | None = None,
        before: FileFacts | None = None,
        *,
        source_name: str | None = None,
        is_durable: bool = True,
    ) -> None:
        """Record a unit's result: to be called when its bytes are on disk, before it has its name.

        ``source`` is of the unit's own input, where it has one that ``facts`` don't tell, and
        ``source_name`` its name; ``before`` of an earlier result that is there now and will be
        replaced. The
        record is on disk when this returns, unless it needn't be durable: what it says can be
        found out again.
        """
        digest, now_ns = self.facts.digest, self._now_ns()
        record = UnitRecord(digest, key, result, source, before, now_ns, source_name)
        with journal_errors(self.folder):
            self._writer.append(record, is_durable=is_durable)
        self._add(record)

    def fail(self, key: str, error: str) -> None:
        """Record that a unit can't be done; another run at work won't try it again, a later one
        will."""
        record = FailureRecord(self.facts.digest, key, error, self._now_ns())
        with journal_errors(self.folder):
            self._writer.append(record, is_durable=False)

    def refresh(self) -> None:
        """Read what others have recorded since the last time."""
        with journal_errors(self.folder):
            self._read(self._reader.read_new(except_for=self._writer.file))

    def _read(self, records: Iterable[JournalRecord]) -> None:
        for record in records:
            self._latest_ns = max(self._latest_ns, record.time_ns)
            if isinstance(record, JobRecord):
                self._jobs.append(record)
            elif isinstance(record, UnitRecord):
                self._add(record)
            elif record.job == self.facts.digest:
                self._failures[record.key] = record

    @property
    def latest_ns(self) -> int:
        """The time of the latest record that is known."""
        return self._latest_ns

    def _now_ns(self) -> int:
        """Later than every record that is known, though this clock or another may be wrong."""
        self._latest_ns = max(time.time_ns(), self._latest_ns + 1)
        return self._latest_ns

    def _add(self, record: UnitRecord) -> None:
        earlier = self._units.get(record.key)
        if earlier is None or record.time_ns >= earlier.time_ns:
            self._units[record.key] = record

    def _count_done(self, records: Iterable[UnitRecord], before_ns: int) -> int:
        return sum(self.is_current(record) and record.time_ns < before_ns for record in records)

    def _take_slot(self) -> int:
        """The lowest number that no process at the job has, and with it the file to go on with."""
        try:
            free = next((n for n in range(MAX_WRITERS) if self._locks.acquire(n)), None)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            return self._go_without_locks()
        if free is not None:
            return free
        raise JobStoppedError(f"{MAX_WRITERS} processes are at the job in {self.folder} already")

    def _go_without_locks(self) -> int:
        """A number that no other process of this machine has."""
        self._has_locks = False
        warnings.warn(
            f"files can't be locked in {self.folder.parent}: run one process at a time there, or "
            "name the part of each by --shard",
            stacklevel=2,
        )
        return MAX_WRITERS + os.getpid()

    def _jobs_alike(self) -> Iterator[JobRecord]:
        """The runs of the same facts, this one included."""
        return (job for job in self._jobs if job.facts.digest == self.facts.digest)

    def _expect_own(self, keys: Iterable[str], is_there: Callable[[UnitRecord], bool]) -> None:
        records = (self._units[key] for key in keys if key in self._units)
        others = (record for record in records if not self.may_replace(record))
        other = next(filter(is_there, others), None)
        if other is None:
            return
        earlier = (job.facts for job in self._jobs if job.facts.digest == other.job)
        differences = [self.facts.describe_differences(facts) for facts in earlier][:1]
        raise UsageError(
            f"{self.folder.parent} holds results that were made otherwise "
            f"({', '.join(differences) or 'by an unknown job'}); --no-resume begins anew and "
            "replaces them, or name another folder"
        )


def unit_region(key: str) -> int:
    """The number of a unit's lock."""
    return MAX_WRITERS + hash_number(key) % (MAX_REGIONS - MAX_WRITERS)


def _name_record_file(shard: Shard | None, slot: int) -> str:
    """By machine and shard as well, for storage whose locks other machines don't see."""
    part = f"-{shard.index}of{shard.count}" if shard else ""
    return f"records-{name_machine()}{part}.{slot}.log"
