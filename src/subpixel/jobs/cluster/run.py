"""A cluster's job from its plan to its end: what is left to do, handed out, and recorded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from subpixel.errors import JobStoppedError
from subpixel.jobs.cluster.journals import open_journal
from subpixel.jobs.cluster.units import Unit, UnitPlan, chunk_units
from subpixel.jobs.cluster.worker import UnitOutcome, WorkOrder
from subpixel.jobs.journal.facts import FileFacts, FileStamp
from subpixel.jobs.journal.journal import JOURNAL_FOLDER
from subpixel.jobs.journal.kept_names import PlannedName, keep_names
from subpixel.jobs.journal.look import Refresh, ResultLook, look_at_result
from subpixel.jobs.journal.picture_run import Resumption, describe_job
from subpixel.jobs.journal.records import UnitRecord
from subpixel.jobs.results import JobResult

MAX_CHUNK = 16
"""Units that are handed out together: so a picture costs the driver little, however many there are,
and a machine that is lost holds up few."""


class UnitPool(Protocol):
    """Workers, wherever they are."""

    @property
    def size(self) -> int:
        """How many work, or will."""

    def do(self, chunks: Iterable[Sequence[Unit]]) -> Iterator[UnitOutcome]:
        """What became of each unit, once, in the order in which it is known. ``chunks`` are asked
        for as workers are free."""


class ClusterRun:
    """A run of a job on a cluster; a context manager.

    Raises what :class:`~subpixel.jobs.journal.journal.Journal` does.
    """

    def __init__(self, order: WorkOrder, *, fresh: bool = False) -> None:
        self._order, self._fresh = order, fresh
        self._stack = ExitStack()
        facts = describe_job(order.upscaler, order.options)
        self._records = self._stack.enter_context(open_journal(order.target, facts))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def begin(
        self, plan: UnitPlan, *, skip_existing: bool = False
    ) -> tuple[Sequence[Unit], Resumption, int]:
        """The units that are left for this run, how far it was before, and how many were skipped
        as something of that name is there."""
        order, journal = self._order, self._records.journal
        planned = [PlannedName(unit.key, unit.source_name) for unit in plan.units]
        keys = keep_names(planned, journal.find_source)
        replaces = order.options.overwrite
        journal.begin(keys, fresh=self._fresh, replaces=replaces, is_there=self._is_there)
        self._records.push()
        known = [
            Unit(key, unit.source, journal.know(key, unit.source_name), journal.latest_ns)
            for unit, key in zip(plan.units, keys, strict=True)
        ]
        has_records = any(unit.known for unit in known)
        stamps = order.target.read_stamps() if has_records or skip_existing else _no_stamp
        sources = order.source.read_stamps() if has_records else _no_stamp
        left = [unit for unit in known if _look_at_unit(unit, stamps, sources).state != "done"]
        place = Path(order.target.describe(JOURNAL_FOLDER))
        resumption = Resumption(len(known) - len(left), len(known), place)
        free = [unit for unit in left if not (skip_existing and stamps(unit.key))]
        return free, resumption, len(left) - len(free)

    def upscale(self, units: Sequence[Unit], pool: UnitPool) -> Iterator[JobResult]:
        """Have all of ``units`` done; yields what became of each, errors included.

        Raises :class:`JobStoppedError` where none of the next would succeed either.
        """
        size = max(1, min(MAX_CHUNK, len(units) // (4 * max(1, pool.size))))
        for outcome in pool.do(chunk_units(units, size)):
            if outcome.stop is not None:
                raise JobStoppedError(outcome.stop)
            yield self._take(outcome)
            self._records.push(is_due=False)

    def _is_there(self, record: UnitRecord) -> bool:
        """Whether a result is there, as it was made."""
        return self._order.target.refresh(record.key, record.result) is not None

    def _take(self, outcome: UnitOutcome) -> JobResult:
        if outcome.exists:
            result = self._find_result(outcome.unit)
            if result is not None:
                return replace(outcome.result, error=None, trace=None, output=result)
        if outcome.record is not None:
            self._records.keep(outcome.record, is_new=outcome.is_new)
        elif outcome.result.error is not None:
            self._records.journal.fail(outcome.unit.key, outcome.result.error)
        return outcome.result

    def _find_result(self, unit: Unit) -> Path | None:
        """What is there, where that is a result which an actor had made before it died, or another
        run has at the same time."""
        order, key = self._order, unit.key
        known = self._records.learn(unit)
        look = look_at_result(
            known,
            partial(order.target.refresh, key),
            partial(order.source.refresh, unit.source),
        )
        if known is None or look.state != "done" or look.result is None:
            return None
        name = unit.source_name
        record = replace(known.record, result=look.result, source=look.source, source_name=name)
        self._records.keep(record, is_new=True)
        return Path(order.target.describe(key))


FindStamp = Callable[[str], FileStamp | None]


def _no_stamp(_place: str) -> FileStamp | None:
    return None


def _look_at_unit(unit: Unit, results: FindStamp, sources: FindStamp) -> ResultLook:
    """By stamps alone, without reading anything: what they don't tell, counts as changed."""
    return look_at_result(unit.known, _by_stamp(results(unit.key)), _by_stamp(sources(unit.source)))


def _by_stamp(stamp: FileStamp | None) -> Refresh:
    def refresh(facts: FileFacts) -> FileFacts | None:
        return facts if stamp == (facts.size, facts.mtime_ns) and facts.mtime_ns else None

    return refresh
