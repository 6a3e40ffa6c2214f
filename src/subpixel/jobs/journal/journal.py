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
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from subpixel.errors import JobStoppedError, UsageError
from subpixel.jobs.journal.facts import FileFacts, JobFacts
from subpixel.jobs.journal.record_files import RecordReader, RecordWriter
from subpixel.jobs.journal.records import FailureRecord, JobRecord, UnitRecord
from subpixel.jobs.journal.shard import Shard, hash_number
from subpixel.system.files.locks import MAX_REGIONS, RegionLocks

JOURNAL_FOLDER = ".subpixel"
"""Of a job's journal, in the folder that its results go to."""

LOCKS_FILE = "locks"

MAX_WRITERS = 1024
"""Processes at one job at a time; the locks of units come after theirs."""

PROBED_SLOTS = 64
"""The lowest slots are taken first: where none of these is, nobody is at a job."""


class Journal:
    """An open journal; a context manager. Made by :meth:`open`; for one thread, and once in a process.

    A unit is known by its key, a text that is the same in every run, such as the place of its
    result below the journal's folder. What a run does with each:

    >>> with Journal.open(folder, facts, units=len(units)) as journal:  # doctest: +SKIP
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
        self._begun: list[JobRecord] = []
        self._outdated: set[str] = set()
        self._reader = RecordReader(folder)
        self._slot = self._take_slot()
        self._writer = RecordWriter(folder / _name_file(shard, self._slot))

    @classmethod
    def open(
        cls,
        folder: Path,
        facts: JobFacts,
        *,
        units: int,
        shard: Shard | None = None,
        fresh: bool = False,
        replaces: bool = False,
    ) -> "Journal":
        """The journal in ``folder``, which is made where it is missing, for a run of the job that
        ``facts`` describe, of so many ``units`` in all (with a ``shard``: in all of them together).

        ``fresh`` takes no unit for done that was done before now. ``replaces``, implied by
        ``fresh``, admits that the folder was of a job of other facts until now.

        Raises :class:`UsageError` where it was, and that isn't admitted, and
        :class:`JobStoppedError` where a run of other facts is at work in it.
        """
        with _journal_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            locks = RegionLocks(folder / LOCKS_FILE)
            try:
                journal = cls(folder, facts, locks, shard)
                journal._begin(units, fresh=fresh, replaces=fresh or replaces)
            except BaseException:
                locks.close()
                raise
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give up the locks; what is recorded stays."""
        self._writer.close()
        self._locks.close()

    @contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """A unit for this process alone, for as long as the block lasts: True where it is so, False
        where another process is at it.

        What others have recorded until now is known inside the block.
        """
        number = MAX_WRITERS + hash_number(key) % (MAX_REGIONS - MAX_WRITERS)
        with _journal_errors(self.folder):
            is_mine = self._locks.acquire(number)
            if is_mine:
                self.refresh()
        try:
            yield is_mine
        finally:
            if is_mine:
                self._locks.release(number)

    def find(self, key: str) -> UnitRecord | None:
        """The latest record of a unit's result, be it of a job of other facts; None: there never
        was any. Whether the result is still there, and as it was, is the caller's to look at."""
        return self._units.get(key)

    def is_current(self, record: UnitRecord) -> bool:
        """Whether a result with this record need not be made again, if it is as it was: it is of a
        job of the same facts, and not from before a fresh start."""
        return record.job == self.facts.digest and record.key not in self._outdated

    def find_failure(self, key: str) -> FailureRecord | None:
        """What another run said of a unit that failed there since this one began; else None."""
        return self._failures.get(key)

    def finish(self, key: str, result: FileFacts, source: FileFacts | None = None) -> None:
        """Record a unit's result: to be called when its bytes are on disk, before it has its name.

        ``source`` is of the unit's own input, where it has one that ``facts`` don't tell. The
        record is on disk when this returns.
        """
        record = UnitRecord(self.facts.digest, key, result, source, time.time_ns())
        with _journal_errors(self.folder):
            self._writer.append(record)
        self._add(record)

    def fail(self, key: str, error: str) -> None:
        """Record that a unit can't be done; another run at work won't try it again, a later one
        will."""
        record = FailureRecord(self.facts.digest, key, error, time.time_ns())
        with _journal_errors(self.folder):
            self._writer.append(record, is_durable=False)

    def refresh(self) -> None:
        """Read what others have recorded since the last time."""
        with _journal_errors(self.folder):
            for record in self._reader.read_new(except_for=self._writer.file):
                if isinstance(record, FailureRecord):
                    self._failures[record.key] = record
                elif isinstance(record, UnitRecord):
                    self._add(record)

    def count_done(self) -> int:
        """How many units have a record of this job, whatever became of their results since."""
        return sum(map(self.is_current, self._units.values()))

    def _add(self, record: UnitRecord) -> None:
        earlier = self._units.get(record.key)
        if earlier is None or record.time_ns >= earlier.time_ns:
            self._units[record.key] = record
            self._outdated.discard(record.key)

    def _take_slot(self) -> int:
        """The lowest number that no process at the job has, and with it the file to go on with."""
        for slot in range(MAX_WRITERS):
            if self._locks.acquire(slot):
                return slot
        raise JobStoppedError(f"{MAX_WRITERS} processes are at the job in {self.folder} already")

    def _begin(self, units: int, *, fresh: bool, replaces: bool) -> None:
        for record in self._reader.read_new():
            if isinstance(record, JobRecord):
                self._begun.append(record)
            elif isinstance(record, UnitRecord):
                self._add(record)
        self._expect_same_job(replaces=replaces)
        if fresh:
            self._outdated = set(self._units)
        record = JobRecord(self.facts, units, time.time_ns(), platform.node(), os.getpid())
        self._writer.append(record)

    def _expect_same_job(self, *, replaces: bool) -> None:
        latest = max(self._begun, key=lambda record: record.time_ns, default=None)
        if latest is None or latest.facts.digest == self.facts.digest:
            return
        differences = self.facts.describe_differences(latest.facts)
        if self._is_shared():
            raise JobStoppedError(
                f"another run is at work in {self.folder.parent} with other settings "
                f"({differences}); wait for its end, or name another folder"
            )
        if not replaces and any(u.job == latest.facts.digest for u in self._units.values()):
            raise UsageError(
                f"{self.folder.parent} holds results that were made otherwise ({differences}); "
                "--no-resume begins anew and replaces them, or name another folder"
            )

    def _is_shared(self) -> bool:
        """Whether another process is at the job."""
        return any(self._locks.is_held(slot) for slot in range(PROBED_SLOTS) if slot != self._slot)


def _name_file(shard: Shard | None, slot: int) -> str:
    """By machine and shard as well, for storage whose locks other machines don't see."""
    host = re.sub(r"[^0-9A-Za-z-]+", "-", platform.node())[:60] or "host"
    part = f"-{shard.index}of{shard.count}" if shard else ""
    return f"records-{host}{part}.{slot}.log"


@contextmanager
def _journal_errors(folder: Path) -> Iterator[None]:
    """What goes wrong with the journal's files, as one line."""
    try:
        yield
    except OSError as error:
        raise JobStoppedError(
            f"the journal in {folder} can't be read or written: {error.strerror or error}"
        ) from error


