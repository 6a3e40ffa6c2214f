"""One process's part of a job: networks that are opened once, and unit after unit through them."""

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from subpixel.errors import JobStoppedError, PictureError, ProviderError, TargetExistsError
from subpixel.jobs.cluster.recorder import open_recorder
from subpixel.jobs.cluster.store import FolderStore, SourceCopy, Store
from subpixel.jobs.cluster.units import Unit
from subpixel.jobs.journal.facts import FileFacts
from subpixel.jobs.journal.look import ResultLook, look_at_result
from subpixel.jobs.journal.picture_run import describe_job, expect_storage
from subpixel.jobs.journal.records import UnitRecord
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.pictures import PictureFiles, fail_job, upscale_job
from subpixel.jobs.results import JobResult
from subpixel.system.files.atomic import Seal, remove_stale_drafts
from subpixel.system.files.hashing import hash_stream
from subpixel.system.files.targets import target_exists
from subpixel.system.machine_memory import free_memory
from subpixel.upscaling.upscaler import Upscaler

WORKERS_SHARE = 0.5
"""Of a machine's free memory, what all that work there may hold together."""


@dataclass(frozen=True)
class WorkOrder:
    """What each process of a job is told, once. Can be pickled."""

    source: Store
    target: Store
    upscaler: Upscaler
    """Opened anew where it is unpickled."""
    options: JobOptions
    max_pixels: int
    digest: str
    """Of the job's facts; a machine that computes otherwise has another."""
    provider: str
    """What runs the network."""
    cores: int
    """Of the machine, those that one process takes."""


@dataclass(frozen=True)
class UnitOutcome:
    """What became of a unit."""

    unit: Unit
    result: JobResult
    record: UnitRecord | None = None
    """Where there is a result: what it is now."""
    is_new: bool = False
    """Whether it was made for this, and recorded."""
    exists: bool = False
    """Whether the error is that something of that name is there, which may be another run's."""
    stop: str | None = None
    """Why the whole job can't go on, where that is so."""


class UnitWorker:
    """Does units by an order.

    Raises :class:`ProviderError` on a machine whose results would be others than the job's, and
    what opening the places raises.
    """

    def __init__(self, order: WorkOrder) -> None:
        self._order = order
        self._options = _limit_memory(order)
        self._files = PictureFiles(order.max_pixels, self._options.max_memory)
        self._folders = set[Path]()
        _expect_same_results(order)
        self._recorder = open_recorder(order.target)

    def do(self, units: Sequence[Unit]) -> list[UnitOutcome]:
        """What became of each, whatever went wrong."""
        return [self._do(unit) for unit in units]

    def close(self) -> None:
        """Close what is open."""
        self._recorder.close()

    def _do(self, unit: Unit) -> UnitOutcome:
        order = self._order
        job = Job(Path(order.source.describe(unit.source)), Path(order.target.describe(unit.key)))
        try:
            with self._recorder.claim(unit.key):
                return self._do_claimed(unit, job)
        except JobStoppedError as error:
            return UnitOutcome(unit, JobResult(job.source, error=str(error)), stop=str(error))
        except Exception as error:
            return self._fail(unit, job, error)

    def _fail(self, unit: Unit, job: Job, error: Exception) -> UnitOutcome:
        result = self._name(fail_job(job, error), unit, job)
        exists = isinstance(error, TargetExistsError)
        try:
            expect_storage(error, result.error)
        except JobStoppedError as full:
            return UnitOutcome(unit, result, stop=str(full))
        return UnitOutcome(unit, result, exists=exists)

    def _name(self, result: JobResult, unit: Unit, job: Job) -> JobResult:
        """With URLs as they are, of whose two slashes a path keeps one."""
        order = self._order
        line = (result.error or "").replace(str(job.source), order.source.describe(unit.source))
        line = line.replace(str(job.target), order.target.describe(unit.key))
        return replace(result, error=line)

    def _do_claimed(self, unit: Unit, job: Job) -> UnitOutcome:
        source, target = self._order.source, self._order.target
        look = look_at_result(
            unit.known, partial(target.refresh, unit.key), partial(source.refresh, unit.source)
        )
        if look.state == "done" and look.result:
            record = self._make_record(unit, look.result, look.source, None)
            return UnitOutcome(unit, JobResult(job.source, job.target, elsewhere=True), record)
        overwrite = self._options.overwrite or look.state == "replaceable"
        if not overwrite and target.find_stamp(unit.key) is not None:
            raise target_exists(job.target)
        records = list[UnitRecord]()
        with source.fetch(unit.source) as copy, target.deliver(unit.key) as draft:
            seal = partial(self._seal, unit, look, copy, records)
            result = self._upscale(job, copy, draft, seal, overwrite=overwrite)
        result = replace(result, input=job.source, output=job.target, replaced=look.why)
        return UnitOutcome(unit, result, self._settle(records[-1]), is_new=True)

    def _upscale(
        self, job: Job, copy: SourceCopy, draft: Path, seal: Seal, *, overwrite: bool
    ) -> JobResult:
        """The picture, enlarged into ``draft``; errors name the places."""
        options = replace(self._options, overwrite=overwrite)
        self._remove_drafts(draft.parent)
        try:
            return upscale_job(
                self._order.upscaler,
                Job(copy.file, draft),
                self._files,
                options,
                seal=seal,
            )
        except Exception as error:
            line = str(error)
            names = {str(copy.file): str(job.source), str(draft): str(job.target)}
            if isinstance(error, PictureError) and any(name in line for name in names):
                for name, meant in names.items():
                    line = line.replace(name, meant)
                raise type(error)(line) from error
            raise

    def _seal(
        self,
        unit: Unit,
        look: ResultLook,
        copy: SourceCopy,
        records: list[UnitRecord],
        stream: BinaryIO,
    ) -> None:
        """Record a result that is complete and has no name yet."""
        source, status = copy.read_facts(), os.fstat(stream.fileno())
        mtime_ns = status.st_mtime_ns if isinstance(self._order.target, FolderStore) else 0
        if self._options.keep_date:
            mtime_ns = copy.file.stat().st_mtime_ns
        result = FileFacts(status.st_size, mtime_ns, hash_stream(stream))
        records.append(self._make_record(unit, result, source, look.result))
        self._recorder.record(records[-1])

    def _make_record(
        self, unit: Unit, result: FileFacts, source: FileFacts | None, before: FileFacts | None
    ) -> UnitRecord:
        time_ns = max(time.time_ns(), unit.after_ns + 1)
        digest, name = self._order.digest, unit.source_name
        return UnitRecord(digest, unit.key, result, source, before, time_ns, name)

    def _settle(self, record: UnitRecord) -> UnitRecord:
        """With the time that the place says, where that is another's clock."""
        if isinstance(self._order.target, FolderStore):
            return record
        stamp = self._order.target.find_stamp(record.key)
        mtime_ns = stamp[1] if stamp else 0
        return replace(record, result=replace(record.result, mtime_ns=mtime_ns))

    def _remove_drafts(self, folder: Path) -> None:
        """Once in each folder."""
        if isinstance(self._order.target, FolderStore) and folder not in self._folders:
            self._folders.add(folder)
            remove_stale_drafts(folder)


def _limit_memory(order: WorkOrder) -> JobOptions:
    """What one process may hold, where nothing was said: its share of what is free now."""
    if order.options.max_memory is not None:
        return order.options
    share = min(1.0, order.cores / (os.cpu_count() or 1))
    return replace(order.options, max_memory=int(free_memory() * WORKERS_SHARE * share))


def _expect_same_results(order: WorkOrder) -> None:
    digest = describe_job(order.upscaler, order.options).digest
    if (digest, order.upscaler.provider) != (order.digest, order.provider):
        raise ProviderError(
            f"{platform.node()} would compute other pixels than the machine that began the job: "
            f"{order.upscaler.fingerprint()['computed']} by {order.upscaler.provider}, there by "
            f"{order.provider}; have one version of subpixel on all machines, and name --device "
            "and --precision, such as --device cpu"
        )
