"""What those who work record: each result before it takes its name, in its place's journal."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from subpixel.jobs.cluster.store import FolderStore, Store
from subpixel.jobs.cluster.url_store import UrlStore
from subpixel.jobs.journal.journal import JOURNAL_FOLDER, LOCKS_FILE, unit_region
from subpixel.jobs.journal.picture_run import CLAIM_POLL_SECONDS
from subpixel.jobs.journal.record_files import RecordWriter, journal_errors, name_machine
from subpixel.jobs.journal.records import UnitRecord, encode_record
from subpixel.jobs.journal.shard import hash_number
from subpixel.system.files.locks import NO_LOCKS, RegionLocks

LOOSE_NAME = re.compile(r"records-unit[0-9a-f]{16}\.0\.log")
"""Of an object with the record of one unit."""


class Recorder(Protocol):
    """Records results where the driver, and whoever goes on after it, reads them."""

    def claim(self, key: str) -> AbstractContextManager[None]:
        """A unit for this process alone, as soon as no other run is at it."""

    def record(self, record: UnitRecord) -> None:
        """When this returns, the record is there for good. Raises :class:`JobStoppedError`."""

    def close(self) -> None:
        """Close what is open."""


def open_recorder(target: Store) -> Recorder:
    """The recorder of the place that results go to; raises :class:`JobStoppedError`."""
    if isinstance(target, FolderStore):
        return FolderRecorder(target)
    assert isinstance(target, UrlStore)
    return UrlRecorder(target)


class FolderRecorder:
    """Appends to a file of its own in the journal's folder, as other runs do to theirs."""

    def __init__(self, target: FolderStore) -> None:
        self._folder = target.folder / JOURNAL_FOLDER
        name = f"records-{name_machine()}-{os.urandom(6).hex()}.0.log"
        with journal_errors(self._folder):
            self._locks = RegionLocks(self._folder / LOCKS_FILE)
            self._writer = RecordWriter(self._folder / name)

    @contextmanager
    def claim(self, key: str) -> Iterator[None]:
        number = unit_region(key)
        with journal_errors(self._folder):
            is_locked = self._wait_for_lock(number)
        try:
            yield
        finally:
            if is_locked:
                self._locks.release(number)

    def _wait_for_lock(self, number: int) -> bool:
        """False where the file system has no locks."""
        try:
            while not self._locks.acquire(number):
                time.sleep(CLAIM_POLL_SECONDS)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            return False
        return True

    def record(self, record: UnitRecord) -> None:
        with journal_errors(self._folder):
            self._writer.append(record)

    def close(self) -> None:
        self._writer.close()
        self._locks.close()


class UrlRecorder:
    """Writes an object for each record, which the driver gathers into few.

    There are no locks behind a URL: two runs at once may do one unit twice, with the same result.
    """

    def __init__(self, target: UrlStore) -> None:
        self._target = target

    def claim(self, key: str) -> AbstractContextManager[None]:  # noqa: ARG002 - there are no locks
        return nullcontext()

    def record(self, record: UnitRecord) -> None:
        place = f"{JOURNAL_FOLDER}/{name_loose(record.key)}"
        with journal_errors(self._target.describe(JOURNAL_FOLDER)):
            self._target.write(place, encode_record(record))

    def close(self) -> None:
        pass


def name_loose(key: str) -> str:
    """The name of the object with the record of one unit."""
    return f"records-unit{hash_number(key):016x}.0.log"
