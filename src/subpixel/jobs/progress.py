"""How far a job of many pictures is, and how long the rest takes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from subpixel.jobs.outputs import Job
from subpixel.media.film.kinds import is_film

MIN_SHARE = 0.02
"""How much must be done before the time that is left is told."""


@dataclass(frozen=True)
class FrameProgress:
    """How far one film is."""

    first: int
    """Frames that were done when this run began."""
    done: int
    total: int
    start: float
    """When this run began, in seconds."""
    now: float

    @property
    def rate(self) -> float | None:
        """Frames a second; None where none is done yet."""
        seconds, frames = self.now - self.start, self.done - self.first
        return frames / seconds if frames and seconds > 0 else None

    def __str__(self) -> str:
        text = f"frame {self.done:,} of {self.total:,}"
        if self.rate is None:
            return text
        left = (self.total - self.done) / self.rate
        return f"{text}, {self.rate:.3g} a second, {format_duration(left)} left"


class JobProgress:
    """The course of a job: pictures count as much as their files have bytes.

    The time that is left follows from the bytes that took time: what was refused at once says
    nothing of it. Not for several threads.
    """

    def __init__(self, jobs: Sequence[Job], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._start = clock, clock()
        self._names = [job.source.name for job in jobs]
        self._weights = [_weigh(job) for job in jobs]
        self._whole = sum(self._weights)
        self._done = self._skipped_bytes = 0
        self._current = 0.0
        self._films = [is_film(job.source) for job in jobs]
        self._frames: FrameProgress | None = None
        self.count, self.total = 0, len(jobs)
        """Pictures that are done, and all of them."""

    def advance(self, done: int, total: int) -> None:
        """So many of ``total`` steps of the picture in work, or frames of the film, are done."""
        self._current = done / total if total else 0.0
        if self.count < self.total and self._films[self.count]:
            first = self._frames or FrameProgress(done, done, total, self._clock(), self._clock())
            self._frames = replace(first, done=done, total=total, now=self._clock())

    def finish(self, *, success: bool) -> None:
        """The picture in work is done, or has failed."""
        weight, self._frames = self._weights[self.count], None
        self.count, self._current = self.count + 1, 0.0
        if success:
            self._done += weight
        else:
            self._skipped_bytes += weight

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._clock() - self._start

    @property
    def share(self) -> float:
        """Of the bytes that take time, those that are done: 0 … 1."""
        whole = self._whole - self._skipped_bytes
        return min(self._bytes() / whole, 1.0) if whole else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None where too little is done to tell."""
        share = self.share
        return self.seconds * (1 - share) / share if share >= MIN_SHARE else None

    def describe(self) -> str:
        """In a line, such as ``7 of 28, 12 min left: beach.jpg``, the picture in work."""
        if self.count == self.total:
            return f"{self.total:,} of {self.total:,}"
        if self._frames is not None:
            return f"{self._place}{self._frames}: {self._names[self.count]}"
        left = self.seconds_left
        time_left = "" if left is None else f", {format_duration(left)} left"
        return f"{self.count + 1:,} of {self.total:,}{time_left}: {self._names[self.count]}"

    @property
    def _place(self) -> str:
        """Of a film among several jobs."""
        return f"{self.count + 1:,} of {self.total:,}, " if self.total > 1 else ""

    def _bytes(self) -> float:
        current = self._weights[self.count] if self.count < self.total else 0
        return self._done + self._current * current


def format_duration(seconds: float) -> str:
    """For people, rounded: ``40 s``, ``12 min``, ``3 h 5 min``."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def _weigh(job: Job) -> int:
    """The size of its file; one byte where that can't be had, as nothing would be divided by."""
    try:
        return max(1, job.source.stat().st_size)
    except OSError:
        return 1
