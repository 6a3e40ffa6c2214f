"""What a job of many pictures says while it runs, and at its end; all of it on stderr.

On a terminal there is one line that moves, and what is said stands above it. In a log there are
whole lines: failures and losses at once, and how far it is at most every :data:`LOG_INTERVAL`
seconds.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from subpixel.cli.options.pictures.network_choice import ChoiceLines
from subpixel.cli.options.pictures.upscaling import Volume
from subpixel.cli.streams import bypass_guard, print_line
from subpixel.jobs.progress import JobProgress
from subpixel.jobs.results import JobResult
from subpixel.plain_text import escape_controls

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LOG_INTERVAL = 10.0
"""Seconds between two lines in a log that say how far the job is."""


def say(line: str) -> None:
    """A line on stderr, where nothing moves. Where nobody can read it, the work still goes on."""
    with suppress(OSError):  # closed, a full disk, a terminal that has gone
        print_line(f"subpixel: {line}", err=True)


class JobCourse(Protocol):
    """How far a job is."""

    @property
    def share(self) -> float:
        """Of the work, what is done: 0 … 1."""

    def describe(self) -> str:
        """In a line."""


class Display(Protocol):
    """Where it is said."""

    def say(self, line: str) -> None:
        """A line that stays."""

    def show(self, progress: JobCourse) -> None:
        """How far the job is; maybe it isn't the time to say so."""


@dataclass
class LogDisplay:
    """Lines for a file, or nobody."""

    clock: Callable[[], float] = time.monotonic
    silent: bool = False
    """Whether progress is left out."""
    _last: float | None = None

    def say(self, line: str) -> None:
        say(line)

    def show(self, progress: JobCourse) -> None:
        now = self.clock()
        if self._last is None:
            self._last = now
        if now - self._last >= LOG_INTERVAL and not self.silent:
            self._last = now
            self.say(progress.describe())


@dataclass
class TerminalDisplay:
    """A bar at the bottom, lines above it."""

    bar: "Progress"
    task: "TaskID"

    def say(self, line: str) -> None:
        with suppress(OSError):  # a terminal that has gone
            self.bar.console.print(
                escape_controls(f"subpixel: {line}"),
                markup=False,
                highlight=False,
                emoji=False,
                soft_wrap=True,
            )

    def show(self, progress: JobCourse) -> None:
        self.bar.update(
            self.task, completed=progress.share, description=escape_controls(progress.describe())
        )


@contextmanager
def open_display(volume: Volume, *, several: bool) -> Iterator[Display]:
    """The display that suits stderr; a log has progress of ``several`` pictures only."""
    if volume.quiet or not sys.stderr.isatty():
        yield LogDisplay(silent=volume.quiet or not several)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
    bar = Progress(*columns, console=Console(file=bypass_guard(sys.stderr)), transient=True)
    try:
        with suppress(OSError):  # a terminal that has gone
            bar.start()
        yield TerminalDisplay(bar, bar.add_task("", total=1.0))
    finally:
        with suppress(OSError):
            bar.stop()


@dataclass
class Feedback:
    """Takes what became of each picture, and says it as loud as was asked for."""

    display: Display
    progress: JobProgress
    volume: Volume
    _losses: set[str] = field(default_factory=set)
    _choices: ChoiceLines = field(default_factory=ChoiceLines)
    """What was said of others already."""

    def report(self, _name: str, done: int, total: int) -> None:
        """So many runs of the picture in work are done."""
        self.progress.advance(done, total)
        self.display.show(self.progress)

    def tell(self, line: str) -> None:
        """What is to be read before the work on a film."""
        if not self.volume.quiet:
            self.display.say(line)

    def take(self, result: JobResult) -> None:
        """A picture is done, or has failed."""
        self.progress.finish(success=result.error is None and not result.elsewhere)
        if result.error:
            self.display.say(result.error)
            if result.trace and self.volume.verbose:
                self.display.say(result.trace.rstrip())
        elif not self.volume.quiet and not result.elsewhere:
            self._tell(result)
        self.display.show(self.progress)

    def _tell(self, result: JobResult) -> None:
        choice = self._choices.say(result.input.name, result.choice)
        for line in filter(None, (choice, describe_replaced(result.output, result.replaced))):
            self.display.say(line)
        if self.volume.verbose:
            self.display.say(describe_picture(result))
        if result.frames is not None:
            return  # what follows was told before the work
        if result.note:
            self.display.say(f"{result.input}: {result.note}")
        for loss in result.losses:
            if self.volume.verbose or loss not in self._losses:
                self.display.say(f"{result.output}: lost {loss}")
            self._losses.add(loss)


def describe_picture(result: JobResult) -> str:
    """What became of one picture, in a line."""
    setting = result.setting
    network = f", {result.choice.network}" if result.choice else ""
    how = f"{network}, {setting.device} {setting.precision}" if setting else ""
    frames = "" if result.frames is None else f", {format_count(result.frames, 'frame')}"
    return (
        f"{result.input} -> {result.output}: {result.width} x {result.height}{frames}, "
        f"{result.seconds:.2f} s{how}"
    )


def describe_replaced(output: Path | str | None, why: str | None) -> str | None:
    """That an earlier result was replaced, in a line; None where none was."""
    return f"{output}: the earlier result was replaced: {why}" if why else None


def format_count(count: int, noun: str) -> str:
    """So many of them, in words."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
