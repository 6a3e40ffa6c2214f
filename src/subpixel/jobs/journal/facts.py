"""What a job and its results are made of."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from subpixel.errors import PictureError
from subpixel.system.files.hashing import hash_stream
from subpixel.system.files.inputs import open_input

DIGEST_DIGITS = 16
"""Hexadecimal digits by which a job is known in its journal."""

FRESH_NS = 2_000_000_000
"""The coarsest steps in which a file system counts time (FAT), in nanoseconds."""


FileStamp = tuple[int, int]
"""A file's size in bytes and its time of change in nanoseconds, 0 where that isn't known."""


@dataclass(frozen=True)
class FileFacts:
    """What tells a file's content: two numbers that are cheap to read, and its hash."""

    size: int
    """In bytes."""
    mtime_ns: int
    """When it was changed, in nanoseconds since 1970, as its file system says."""
    sha256: str
    """Of its bytes, 64 hexadecimal digits."""


@dataclass(frozen=True)
class JobFacts:
    """What all results of a job depend on, beside their inputs: the same facts, the same results.

    Names and values are texts, which a message repeats where they differ.

    >>> JobFacts("pictures", {"version": "0.1.0", "network": "9f86d081…", "scale": "3"}).digest
    '5625b6ec6b35bb9b'
    """

    kind: str
    """Such as ``pictures``, ``film``."""
    parts: Mapping[str, str]
    """The network's sha256, each setting that changes pixels, the version."""

    @cached_property
    def digest(self) -> str:
        """:data:`DIGEST_DIGITS` digits of the sha256 of all of it."""
        text = json.dumps([self.kind, dict(self.parts)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_DIGITS]

    def describe_differences(self, earlier: "JobFacts") -> str:
        """What is otherwise than in an ``earlier`` job, in words for people; empty if nothing."""
        pairs = {"kind": (earlier.kind, self.kind)}
        for name in {**earlier.parts, **self.parts}:
            pairs[name] = earlier.parts.get(name, "none"), self.parts.get(name, "none")
        return ", ".join(
            f"{name} was {old or 'default'}, is {new or 'default'}"
            for name, (old, new) in pairs.items()
            if old != new
        )


def read_facts(file: Path, stamp: FileStamp | None = None) -> FileFacts:
    """The facts of a file, hashed as a whole.

    Raises :class:`OSError`, and :class:`PictureError` where the file has changed since it had this
    ``stamp`` (None: that of now).
    """
    stamp = stamp or read_stamp(file)
    with open_input(file, buffering=0) as stream:
        sha256 = hash_stream(stream)
    if read_stamp(file) != stamp:
        raise file_changed(file)
    size, mtime_ns = stamp
    return FileFacts(size, settle_time(mtime_ns), sha256)


def settle_time(mtime_ns: int) -> int:
    """A time of change by which a file can be told; 0, unknown, where it is within the last
    :data:`FRESH_NS`: the file may change again without a new time."""
    return mtime_ns if time.time_ns() - mtime_ns > FRESH_NS else 0


def refresh_facts(file: Path, facts: FileFacts) -> FileFacts | None:
    """``facts`` where the file still has their content, with the time that it has now; else None.

    It is hashed only where its time isn't that of ``facts``. None, too, where it can't be read.
    """
    try:
        stamp = read_stamp(file)
        if stamp == (facts.size, facts.mtime_ns):
            return facts
        now = read_facts(file) if stamp[0] == facts.size else None
    except (OSError, PictureError):
        return None
    return now if now is not None and now.sha256 == facts.sha256 else None


def file_changed(file: Path) -> PictureError:
    """The error for an input that is written while it is read."""
    return PictureError(f"{file} was changed while it was read; run it again when it is complete")


def read_stamp(file: Path) -> FileStamp:
    """The stamp that a file has now; raises :class:`OSError`."""
    status = file.stat()
    return status.st_size, status.st_mtime_ns
