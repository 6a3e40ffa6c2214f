"""A journal's files: one that this process appends to, and those of all processes, read as they
grow."""

import errno
import os
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from subpixel.errors import JobStoppedError, SubpixelError, one_line
from subpixel.jobs.journal.records import JournalRecord, decode_records, encode_record, whole_lines
from subpixel.system.files.inputs import open_input

RECORD_FILE = re.compile(r"records-[0-9A-Za-z-]+\.\d{1,10}\.log")

RECORD_READ_BYTES = 1 << 20
"""What is read of a file at a time, at most."""


@contextmanager
def journal_errors(place: str | Path) -> Iterator[None]:
    """What goes wrong with the files of the journal in a ``place`` ends the job, as one line:
    nothing of what follows could be recorded."""
    try:
        yield
    except JobStoppedError:
        raise
    except (OSError, SubpixelError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise JobStoppedError(
            f"the journal in {place} can't be read or written: {reason}; the job stops here"
        ) from error


def name_machine() -> str:
    """This machine as names of record files have it."""
    return re.sub(r"[^0-9A-Za-z-]+", "-", platform.node())[:60] or "host"


def list_record_files(folder: Path) -> Sequence[Path]:
    """The files of records in a journal's folder, by name; raises :class:`OSError`."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if RECORD_FILE.fullmatch(entry.name)]
    return [folder / name for name in sorted(names)]


class RecordWriter:
    """A file that records are appended to, by one process at a time.

    It may be one that a process has left that was killed: its last line, if that lacks an end, gets
    one. Raises :class:`OSError`, also where the file was removed meanwhile.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(file, flags, 0o666)
        self._is_torn = True

    def append(self, record: JournalRecord, *, is_durable: bool = True) -> None:
        """Write a record; when it ``is_durable``, it is on disk when this returns."""
        if os.fstat(self._descriptor).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "it was removed", str(self.file))
        line = encode_record(record)
        data = b"\n" + line if self._is_torn else line
        self._is_torn = True
        if os.write(self._descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.file))
        self._is_torn = False
        if is_durable:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


@dataclass
class RecordReader:
    """Reads a journal's files on from where it has come to, their whole lines only."""

    folder: Path
    _places: dict[Path, int] = field(default_factory=dict)

    def read_new(self, except_for: Path | None = None) -> Iterator[JournalRecord]:
        """The records that were added since the last time; raises :class:`OSError`."""
        for file in list_record_files(self.folder):
            if file != except_for:
                yield from self._read_file(file)

    def _read_file(self, file: Path) -> Iterator[JournalRecord]:
        with open_input(file, buffering=0) as stream:  # opened anew: NFS shows what is new then
            place = self._places.get(file, 0)
            if os.fstat(stream.fileno()).st_size == place:
                return
            stream.seek(place)
            rest = b""
            while block := stream.read(RECORD_READ_BYTES):
                rest += block
                end = whole_lines(rest)
                yield from decode_records(rest[:end])
                rest, place = rest[end:], place + end
                self._places[file] = place
