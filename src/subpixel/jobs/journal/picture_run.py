"""Pictures through a network by a journal: only what is missing or changed is done, and once."""

import errno
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from subpixel import __version__
from subpixel.errors import JobStoppedError
from subpixel.jobs.journal.facts import (
    FileFacts,
    FileStamp,
    JobFacts,
    read_facts,
    read_stamp,
    refresh_facts,
)
from subpixel.jobs.journal.journal import JOURNAL_FOLDER, Journal
from subpixel.jobs.journal.kept_names import PlannedName, keep_names
from subpixel.jobs.journal.known_jobs import remember_journal
from subpixel.jobs.journal.look import ResultLook, look_at_result
from subpixel.jobs.journal.records import UnitRecord
from subpixel.jobs.journal.shard import Shard
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.pictures import PictureFiles, fail_job, upscale_job
from subpixel.jobs.results import JobReport, JobResult, JobTell
from subpixel.system.files.atomic import remove_stale_drafts
from subpixel.system.files.hashing import hash_stream
from subpixel.upscaling.fingerprint import describe_fields
from subpixel.upscaling.upscaler import Upscaler

CLAIM_POLL_SECONDS = 0.25
"""Between two looks whether another process is done with a picture."""

STORAGE_FAULTS = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""What goes wrong with one result and will with the next: a disk is full, a quota used up."""


@dataclass(frozen=True)
class Resumption:
    """How far a job was before this run."""

    done: int
    of: int
    """All of the job's pictures, or of this machine's part."""
    journal: Path
    shard: Shard | None = None

    def __str__(self) -> str:
        part = f" (part {self.shard})" if self.shard else ""
        return f"resumes: {self.done:,} of {self.of:,} done{part}"


def describe_job(upscaler: Upscaler, options: JobOptions) -> JobFacts:
    """What the results depend on beside the pictures."""
    size = options.size
    sides = {field.name: getattr(size, field.name) for field in fields(size)} if size else {}
    return JobFacts(
        "pictures",
        {
            "version": __version__,
            **upscaler.fingerprint(),
            "size": ", ".join(f"{name}={it}" for name, it in sides.items() if it is not None),
            "encoding": describe_fields(options.encode),
            "film": describe_fields(options.film),
        },
    )


class PictureRun:
    """A run of a job of pictures whose results go to ``home`` and below it, or beside their inputs
    in it. Raises what :class:`~subpixel.jobs.journal.journal.Journal` does.

    A run that ``watches`` is begun again where there are new pictures; else what is done is held
    in the journal alone, and memory stays as it is, however many pictures there are.
    """

    def __init__(
        self,
        home: Path,
        upscaler: Upscaler,
        options: JobOptions,
        *,
        shard: Shard | None = None,
        fresh: bool = False,
        watches: bool = False,
    ) -> None:
        self._watches = watches
        self._home, self._upscaler, self._options = home, upscaler, options
        self._shard, self._fresh = shard, fresh
        self._keys: set[str] | None = None
        self._tell: JobTell = lambda line: None
        facts = describe_job(upscaler, options)
        self.journal = Journal.open(home / JOURNAL_FOLDER, facts, shard)
        remember_journal(self.journal.folder)

    def keep_names(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """``jobs`` whose results have the names that they have by the journal, as
        :func:`~subpixel.jobs.journal.kept_names.keep_names` says."""
        planned = [PlannedName(self._key(job), job.source.name) for job in jobs]
        keys = keep_names(planned, self.journal.find_source)
        return [
            job if key == name.key else replace(job, target=job.target.with_name(Path(key).name))
            for job, key, name in zip(jobs, keys, planned, strict=True)
        ]

    def begin(self, jobs: Sequence[Job]) -> tuple[Sequence[Job], Resumption]:
        """Those of ``jobs``, the pictures of all machines together, that are left for this run, and
        how far it was before; again where there are new ones, by a run that watches. They have the
        names that :meth:`keep_names` gives them.
        """
        keys = [self._key(job) for job in jobs]
        if self._keys is None or not self._keys.issuperset(keys):
            replaces, fresh = self._options.overwrite, self._fresh
            self.journal.begin(keys, fresh=fresh, replaces=replaces, is_there=self._is_there)
        self._fresh, self._keys = False, set(keys)
        takes = self._shard.takes if self._shard else lambda key: True
        own = [job for job, key in zip(jobs, keys, strict=True) if takes(key)]
        left = [job for job in own if self._look(job).state != "done"]
        resumption = Resumption(len(own) - len(left), len(own), self.journal.folder, self._shard)
        return left, resumption

    def upscale(
        self,
        jobs: Sequence[Job],
        files: PictureFiles,
        report: JobReport = lambda name, done, total: None,
        tell: JobTell = lambda line: None,
    ) -> Iterator[JobResult]:
        """Upscale one picture after the other; yields what became of each, errors included, in the
        order in which that is known: pictures that another process is at come last.

        Raises :class:`JobStoppedError` where none of the next would succeed either: the disk is
        full, or the journal is gone with its folder.
        """
        self._tell = tell
        for folder in {job.target.parent for job in jobs}:
            remove_stale_drafts(folder)
        while jobs:
            busy = []
            for job in jobs:
                result = self._try(job, files, report)
                if result is None:
                    busy.append(job)
                else:
                    if not self._watches:
                        self.journal.forget(self._key(job))
                    yield result
            jobs = busy
            if busy:
                time.sleep(CLAIM_POLL_SECONDS)

    def close(self) -> None:
        """Close the journal."""
        self.journal.close()

    def _key(self, job: Job) -> str:
        try:
            return Path(os.path.relpath(job.target, self._home)).as_posix()
        except ValueError:  # on another drive of Windows
            return job.target.absolute().as_posix()

    def _is_there(self, record: UnitRecord) -> bool:
        """Whether a result is there, as it was made."""
        return refresh_facts(self._home / record.key, record.result) is not None

    def _try(self, job: Job, files: PictureFiles, report: JobReport) -> JobResult | None:
        """None where another process is at it."""
        key = self._key(job)
        with self.journal.claim(key) as is_mine:
            if not is_mine:
                return None
            failure = self.journal.take_failure(key)
            if failure is not None:
                return JobResult(job.source, error=failure.error, elsewhere=True)
            look = self._look(job)
            if look.state == "done":
                return JobResult(job.source, job.target, elsewhere=True)
            return self._upscale(job, look, files, report)

    def _upscale(
        self, job: Job, look: ResultLook, files: PictureFiles, report: JobReport
    ) -> JobResult:
        may_replace = self._options.overwrite or look.state == "replaceable"
        options = replace(self._options, overwrite=may_replace)
        files.drop(job.source)
        try:
            seal = partial(self._seal, job, read_stamp(job.source), look.result)
            result = upscale_job(self._upscaler, job, files, options, report, seal, self._tell)
            return replace(result, replaced=look.why)
        except JobStoppedError:
            raise
        except Exception as error:
            result = fail_job(job, error)
            expect_storage(error, result.error)
            self.journal.fail(self._key(job), str(result.error))
            return result

    def _seal(self, job: Job, stamp: FileStamp, before: FileFacts | None, stream: BinaryIO) -> None:
        """Record a result that is complete and has no name yet."""
        source = read_facts(job.source, stamp)
        status = os.fstat(stream.fileno())
        mtime_ns = stamp[1] if self._options.keep_date else status.st_mtime_ns
        result = FileFacts(status.st_size, mtime_ns, hash_stream(stream))
        name = job.source.name
        self.journal.finish(self._key(job), result, source, before, source_name=name)

    def _look(self, job: Job) -> ResultLook:
        name = job.source.name
        known = self.journal.know(self._key(job), name)
        look = look_at_result(
            known, partial(refresh_facts, job.target), partial(refresh_facts, job.source)
        )
        if known and look.state == "done" and look.result and look.source:
            record = known.record
            recorded = record.result, record.source, record.source_name
            if (look.result, look.source, name) != recorded:
                self.journal.finish(  # the next look is cheap then
                    record.key, look.result, look.source, source_name=name, is_durable=False
                )
        return look


def expect_storage(error: Exception, line: str | None) -> None:
    """Raise :class:`JobStoppedError` where there is no room for a result, nor for the next."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in STORAGE_FAULTS:
            raise JobStoppedError(
                f"{line}; the job stops here: make room, and run it again: it goes on"
            ) from error
        cause = cause.__cause__
