"""What there is of a unit's result, by its record and the files themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from subpixel.jobs.journal.facts import FileFacts
from subpixel.jobs.journal.records import UnitRecord

CHANGED, BEGUN = "its picture has other content", "an earlier run had begun to"
"""Why an earlier result is replaced."""

Refresh = Callable[[FileFacts], FileFacts | None]
"""Gets a file's facts as they were: the same with the time that it has now, where it still has
their content; else None."""


@dataclass(frozen=True)
class ResultLook:
    """What there is of a job's result."""

    state: Literal["done", "replaceable", "new"]
    """It is as it should be; it is an earlier result of ours, unchanged, but out of date; or what
    is there, if anything, is none of ours."""
    result: FileFacts | None = None
    """Of a result of ours, as it is now."""
    source: FileFacts | None = None
    """Of its input, as it is now, where the result is as it should be."""
    why: str | None = None
    """Why it is replaced though nobody asked for that, in words for people."""


@dataclass(frozen=True)
class KnownResult:
    """What a journal says of a unit."""

    record: UnitRecord
    is_current: bool
    """:meth:`~subpixel.jobs.journal.journal.Journal.is_current`."""
    may_replace: bool
    """Whether it was made of the same input and :meth:`may be replaced
    <subpixel.jobs.journal.journal.Journal.may_replace>`, or the run begins anew."""


def look_at_result(
    known: KnownResult | None, refresh_result: Refresh, refresh_source: Refresh
) -> ResultLook:
    """What there is of the result that ``known`` tells of; None: the journal knows of none."""
    if known is None:
        return ResultLook("new")
    record = known.record
    result = refresh_result(record.result)
    if result is None:
        before = record.before and refresh_result(record.before)
        return _look_at_earlier(known, before, BEGUN)
    if not known.is_current:
        return _look_at_earlier(known, result, None)
    source = record.source and refresh_source(record.source)
    if source is None:
        return _look_at_earlier(known, result, CHANGED)
    return ResultLook("done", result, source)


def _look_at_earlier(known: KnownResult, result: FileFacts | None, why: str | None) -> ResultLook:
    """What there is of a ``result`` that is out of date."""
    if result is None or not known.may_replace:
        return ResultLook("new")
    return ResultLook("replaceable", result, why=why)
