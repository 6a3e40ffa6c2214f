"""The lines of a journal's files: each a record and its checksum, only ever appended.

A process that is killed while it writes leaves at most one line without its end. Such a line, and
whatever else isn't as it was written, is left out when lines are read.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from subpixel.jobs.journal.facts import FileFacts, JobFacts
from subpixel.strict_json import JsonError, parse_json, read_value

CHECKSUM_DIGITS = 16

MAX_LINE_BYTES = 1 << 16
"""A longer line is none of ours: names end at 4 KiB, settings far below."""


@dataclass(frozen=True)
class JobRecord:
    """A run of a job begins."""

    facts: JobFacts
    units: int
    """How many the job has in all."""
    done: int
    """How many of them had a record by then that the run knew of."""
    replaces: bool
    """Whether earlier results of jobs of other facts may be replaced by its own."""
    time_ns: int
    """Since 1970, by the clock of the machine that wrote it, or later where it knew a later record,
    as in all records."""
    host: str
    process: int
    known: int | None = None
    """As ``done``, with what is no unit of this run's, such as pictures that are gone; None: that
    isn't recorded."""
    since_ns: int = 0
    """When the job began anew for this run; 0: it didn't. Earlier records don't count."""


@dataclass(frozen=True)
class UnitRecord:
    """What a unit's result is, as soon as it has its name."""

    job: str
    """The digest of its :class:`~subpixel.jobs.journal.facts.JobFacts`."""
    key: str
    result: FileFacts
    source: FileFacts | None
    """Its own input, where it has one."""
    before: FileFacts | None
    """An earlier result, which this one replaces: it is there until this one has its name."""
    time_ns: int
    source_name: str | None = None
    """The name of its own input, which lies in the place of its result, below another folder."""


@dataclass(frozen=True)
class FailureRecord:
    """A unit was tried in vain."""

    job: str
    key: str
    error: str
    """One line, for people."""
    time_ns: int


JournalRecord = JobRecord | UnitRecord | FailureRecord


@dataclass(frozen=True)
class _Line:
    """One of them is there."""

    job: JobRecord | None = None
    unit: UnitRecord | None = None
    failure: FailureRecord | None = None


_NAMES: dict[type, str] = {JobRecord: "job", UnitRecord: "unit", FailureRecord: "failure"}


def encode_record(record: JournalRecord) -> bytes:
    """A line, its newline included."""
    text = json.dumps({_NAMES[type(record)]: asdict(record)}, separators=(",", ":")).encode()
    return b"%s %s\n" % (_checksum(text), text)


def decode_records(data: bytes) -> Iterator[JournalRecord]:
    """The records of whole lines; what is no such line is left out."""
    for line in data.split(b"\n"):
        record = _decode_line(line)
        if record is not None:
            yield record


def whole_lines(data: bytes) -> int:
    """How many of the bytes belong to lines that have their end."""
    return data.rfind(b"\n") + 1


def _decode_line(line: bytes) -> JournalRecord | None:
    checksum, _, text = line.partition(b" ")
    if len(line) > MAX_LINE_BYTES or checksum != _checksum(text):
        return None
    try:
        record = read_value(parse_json(text, max_bytes=MAX_LINE_BYTES), _Line)
    except JsonError:  # of a version to come
        return None
    return record.job or record.unit or record.failure


def _checksum(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=CHECKSUM_DIGITS // 2).hexdigest().encode()
