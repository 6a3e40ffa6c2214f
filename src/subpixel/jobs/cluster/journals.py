"""The driver's journal: in a folder that of every run, behind a URL a copy that is kept in step.

An object store knows neither appending nor locks. There the journal is objects with the same
lines: a record of one unit that who did it wrote before the result, and packs, into which the
driver gathers them. A pack is there before the objects that it gathers are removed, so at any
instant each record is in one of them at least.
"""

import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from subpixel.errors import SubpixelError
from subpixel.jobs.cluster.recorder import LOOSE_NAME, name_loose
from subpixel.jobs.cluster.store import FolderStore, Store
from subpixel.jobs.cluster.units import Unit
from subpixel.jobs.cluster.url_store import UrlStore
from subpixel.jobs.journal.facts import JobFacts
from subpixel.jobs.journal.journal import JOURNAL_FOLDER, Journal
from subpixel.jobs.journal.known_jobs import is_journal, remember_journal
from subpixel.jobs.journal.look import KnownResult
from subpixel.jobs.journal.record_files import RECORD_FILE, journal_errors, list_record_files
from subpixel.jobs.journal.records import UnitRecord
from subpixel.system.files.inputs import open_input

PACK_UNITS = 1000
"""Records that are gathered into one object."""

PACK_SECONDS = 30.0
"""Or as many as came within this time."""

READERS = 32
"""Objects of a journal that are read at a time."""


class DriverJournal(Protocol):
    """A journal, and the copies of it elsewhere."""

    @property
    def journal(self) -> Journal:
        """Open; :meth:`Journal.begin` and all else that a run does with it."""

    def keep(self, record: UnitRecord, *, is_new: bool) -> None:
        """Take note of a result: one that ``is_new`` has a record already, of who made it."""

    def learn(self, unit: Unit) -> KnownResult | None:
        """What there is to know of a unit's result, be it that others have recorded it by now."""

    def push(self, *, is_due: bool = True) -> None:
        """Write what is new to the place, where that isn't the journal itself: now, or where
        enough came together."""


def has_journal(target: Store) -> bool:
    """Whether the place that results go to has a journal; raises what reading it does."""
    if isinstance(target, FolderStore):
        return is_journal(target.folder / JOURNAL_FOLDER)
    assert isinstance(target, UrlStore)
    return any(map(RECORD_FILE.fullmatch, target.list_names(JOURNAL_FOLDER)))


@contextmanager
def open_journal(target: Store, facts: JobFacts) -> Iterator[DriverJournal]:
    """The journal of the place that results go to; raises what :meth:`Journal.open` does."""
    if isinstance(target, FolderStore):
        with Journal.open(target.folder / JOURNAL_FOLDER, facts) as journal:
            remember_journal(journal.folder)
            yield FolderJournal(journal)
        return
    assert isinstance(target, UrlStore)
    with tempfile.TemporaryDirectory(prefix="subpixel-") as folder, _naming(folder, target.url):
        copy = Path(folder, JOURNAL_FOLDER)
        copy.mkdir()
        pulled = pull_records(target, copy)
        with Journal.open(copy, facts) as journal:
            own = set(list_record_files(copy)) - set(pulled.values())
            copied = UrlJournal(journal, target, own.pop(), set(pulled))
            copied.gather(pulled)
            yield copied
            copied.push()


@dataclass(frozen=True)
class FolderJournal:
    """A folder's: those who work write into it by themselves."""

    journal: Journal

    def keep(self, record: UnitRecord, *, is_new: bool) -> None:
        if not is_new:
            self.journal.finish(
                record.key,
                record.result,
                record.source,
                source_name=record.source_name,
                is_durable=False,
            )

    def learn(self, unit: Unit) -> KnownResult | None:
        self.journal.refresh()
        return self.journal.know(unit.key, unit.source_name)

    def push(self, *, is_due: bool = True) -> None:
        pass


@dataclass
class UrlJournal:
    """A copy of the objects, to which the driver appends, and what of it is an object already."""

    journal: Journal
    target: UrlStore
    file: Path
    """What the driver appends to."""
    names: set[str]
    """Of the objects that were copied, or come from here."""
    _place: int = 0
    _packs: int = 0
    _loose: list[str] = field(default_factory=list)
    _time: float = field(default_factory=time.monotonic)

    def gather(self, pulled: Mapping[str, Path]) -> None:
        """Write the loose ones of these objects, those that a driver has left that was killed, as
        one."""
        loose = {name: file for name, file in pulled.items() if LOOSE_NAME.fullmatch(name)}
        if loose:
            self._write_pack(b"".join(file.read_bytes() for file in loose.values()))
            self._remove(list(loose))

    def keep(self, record: UnitRecord, *, is_new: bool) -> None:
        self.journal.finish(
            record.key,
            record.result,
            record.source,
            record.before,
            source_name=record.source_name,
            is_durable=False,
        )
        if is_new:
            self._loose.append(name_loose(record.key))

    def learn(self, unit: Unit) -> KnownResult | None:
        name = name_loose(unit.key)
        try:
            data = self.target.read(f"{JOURNAL_FOLDER}/{name}")
            (self.journal.folder / name).write_bytes(data)
        except FileNotFoundError:  # another driver may have gathered it
            self.names |= set(pull_records(self.target, self.journal.folder, self.names))
        self.journal.refresh()
        return self.journal.know(unit.key, unit.source_name)

    def push(self, *, is_due: bool = True) -> None:
        is_full = len(self._loose) >= PACK_UNITS
        if not (is_due or is_full or time.monotonic() - self._time >= PACK_SECONDS):
            return
        with open_input(self.file) as stream:
            stream.seek(self._place)
            data = stream.read()
        self._time = time.monotonic()
        if data:
            self._write_pack(data)
            self._place += len(data)
        loose, self._loose = self._loose, []
        self._remove(loose)

    def _write_pack(self, data: bytes) -> None:
        name = f"{self.file.name.split('.')[0]}-{time.time_ns():x}-{self._packs}.0.log"
        self._packs += 1
        self.names.add(name)
        with journal_errors(self.target.describe(JOURNAL_FOLDER)):
            self.target.write(f"{JOURNAL_FOLDER}/{name}", data)

    def _remove(self, names: list[str]) -> None:
        with journal_errors(self.target.describe(JOURNAL_FOLDER)):
            self.target.remove([f"{JOURNAL_FOLDER}/{name}" for name in names])


def pull_records(target: UrlStore, folder: Path, known: Collection[str] = ()) -> Mapping[str, Path]:
    """Copy a journal's objects, but those that are ``known``, into ``folder``; the copies by the
    objects' names."""
    names = filter(RECORD_FILE.fullmatch, target.list_names(JOURNAL_FOLDER))
    new = [name for name in names if name not in known]
    copies = {name: folder / f"records-copy-{len(known) + at}.0.log" for at, name in enumerate(new)}

    def pull(name: str) -> None:
        with suppress(FileNotFoundError):  # another driver has gathered it since
            data = target.read(f"{JOURNAL_FOLDER}/{name}")
            copies[name].write_bytes(data)

    with ThreadPoolExecutor(READERS) as readers:
        list(readers.map(pull, copies))
    return {name: copy for name, copy in copies.items() if copy.exists()}


@contextmanager
def _naming(folder: str, url: str) -> Iterator[None]:
    """Messages of the copy name the place that it is of."""
    try:
        yield
    except SubpixelError as error:
        if folder not in str(error):
            raise
        raise type(error)(str(error).replace(folder, url)) from error
