"""The segments of a film that are finished, on disk until the film is put together."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import BinaryIO

from subpixel import __version__
from subpixel.errors import JobStoppedError, SubpixelError
from subpixel.jobs.film.plan import FilmPlan
from subpixel.jobs.journal.facts import FileFacts, JobFacts, read_facts, refresh_facts
from subpixel.jobs.journal.journal import Journal
from subpixel.media.film.encoding.encoder import CodedSegment
from subpixel.media.film.encoding.segments import SEGMENT_SUFFIX, read_segment, write_segment
from subpixel.media.film.seeking import KnownFrame
from subpixel.system.files.atomic import atomic_file, remove_stale_drafts
from subpixel.system.files.hashing import hash_stream
from subpixel.upscaling.upscaler import Upscaler

STORE_SUFFIX = ".subpixel"
"""Of the folder beside the film, hidden, that holds its segments and their journal."""

FILM_UNIT = "film"
"""What a run claims of the journal: all segments, as one film is made by one run at a time."""


def describe_film(upscaler: Upscaler, plan: FilmPlan, source: FileFacts) -> JobFacts:
    """What the segments depend on."""
    settings = {
        field.name: str(getattr(plan.settings, field.name)) for field in fields(plan.settings)
    }
    span = plan.muxing.span
    return JobFacts(
        "film",
        {
            "version": __version__,
            "input": source.sha256,
            **upscaler.fingerprint(),
            **settings,
            "size": str(plan.way.extent),
            "scales": str(plan.way.scales),
            "span": f"{span.start} to {span.end}" if span else "all",
            "deinterlaced": str(plan.deinterlace),
        },
    )


class SegmentStore:
    """The segments of one film, as the ``times`` of their frames say; made by
    :func:`open_segments`."""

    def __init__(self, folder: Path, journal: Journal, times: Sequence[Sequence[int]]) -> None:
        self._folder, self._journal, self._times = folder, journal, times

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers of the segments that aren't finished, or are damaged."""
        return tuple(number for number in range(len(self._times)) if not self._is_whole(number))

    def find_last(self, number: int) -> KnownFrame | None:
        """The last frame of the film that went into a segment; None where that isn't known."""
        record = self._journal.find(self._key(number)) if number >= 0 else None
        source = record.source if record else None
        return KnownFrame(self._times[number][-1], source.size, source.sha256) if source else None

    def keep(self, number: int, segment: CodedSegment, last: KnownFrame) -> None:
        """Write a segment whose ``last`` frame is this: after that it survives any end of the
        process."""
        key = self._key(number)

        def seal(stream: BinaryIO) -> None:
            size = stream.seek(0, 2)
            result = FileFacts(size, 0, hash_stream(stream))
            self._journal.finish(key, result, FileFacts(last.size, 0, last.sha256))

        file = self._folder / key
        try:
            with atomic_file(file, overwrite=True, seal=seal) as stream:
                write_segment(stream, segment)
        except OSError as error:
            reason = error.strerror or error
            raise JobStoppedError(f"{file} can't be written: {reason}") from error

    def read(self) -> Iterable[CodedSegment]:
        """All segments, in their order."""
        for number in range(len(self._times)):
            yield read_segment(self._folder / self._key(number))

    def _key(self, number: int) -> str:
        """With the job's digest, so that no other job's segment is taken for it."""
        return f"{self._journal.facts.digest}-{number:06d}{SEGMENT_SUFFIX}"

    def _is_whole(self, number: int) -> bool:
        record = self._journal.find(self._key(number))
        if record is None or not self._journal.is_current(record):
            return False
        return refresh_facts(self._folder / record.key, record.result) is not None


@contextmanager
def open_segments(target: Path, upscaler: Upscaler, plan: FilmPlan) -> Iterator[SegmentStore]:
    """The segments of a film that becomes ``target``, for this process alone; they are removed
    when the block succeeds, as the film is there then.

    Raises :class:`SubpixelError` where another run is at the film, and :class:`JobStoppedError`
    where the journal can't be read or written.
    """
    folder = target.with_name(f".{target.name}{STORE_SUFFIX}")
    facts = describe_film(upscaler, plan, read_facts(plan.source))
    with Journal.open(folder, facts) as journal, journal.claim(FILM_UNIT) as is_mine:
        if not is_mine:
            raise SubpixelError(f"another run is at work on {target}; wait for its end")
        journal.begin([FILM_UNIT], replaces=True)
        _remove_foreign(folder, facts.digest)
        remove_stale_drafts(folder)
        yield SegmentStore(folder, journal, plan.segments)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_foreign(folder: Path, digest: str) -> None:
    """Segments of other settings, which nothing will be made of."""
    for file in folder.glob(f"*{SEGMENT_SUFFIX}"):
        if not file.name.startswith(digest):
            file.unlink(missing_ok=True)
