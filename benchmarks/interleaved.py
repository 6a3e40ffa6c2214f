"""Rows that take turns, round after round, each in a process of its own.

A machine's speed drifts, most of all one that is shared; so a figure is the median over the rounds
of a ratio taken within each round. A row's process may be stopped by a limit of memory or of time,
or die: that is what its cell then says, and the others go on.
"""

import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import launcher

MEMORY_WORDS = ("alloc", "memory", "out_of_memory", "_arrayd")
"""What the messages of libraries that got no memory have in common."""


@dataclass(frozen=True)
class Run:
    """One turn of one row."""

    seconds: float
    processor_seconds: float
    """Of all cores together."""
    peak: int
    """Bytes: the largest resident set of its process until then."""


@dataclass(frozen=True)
class Cell:
    """What became of one row: its runs, round by round, or why there are none."""

    runs: tuple[Run, ...] = ()
    fault: str | None = None

    def __bool__(self) -> bool:
        return bool(self.runs)

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def processor_seconds(self) -> float:
        return statistics.median(run.processor_seconds for run in self.runs)

    @property
    def peak(self) -> int:
        return max(run.peak for run in self.runs)


@dataclass(frozen=True)
class Share:
    """How often rows take their turns: ``least`` rounds, then up to ``most`` while time is left."""

    least: int
    most: int
    seconds: float

    def goes_on(self, done: int, began: float) -> bool:
        used_up = done >= self.least and time.monotonic() - began > self.seconds
        return done < self.most and not used_up


class Failed(Exception):  # noqa: N818 - a result, not an error of the benchmark
    """A row's process did not come to its end; the message is for a cell of a table."""


def ratio(cell: Cell, to: Cell) -> float:
    """How many times as long as ``to`` it took: the median of the rounds that both finished."""
    pairs = zip(cell.runs, to.runs, strict=False)
    return statistics.median(a.seconds / b.seconds for a, b in pairs)


def in_turns(rows: Mapping[str, Callable[[], Run]], share: Share) -> dict[str, Cell]:
    """Call the rows in turns; one that raises :class:`Failed` has no more turns."""
    runs: dict[str, list[Run]] = {name: [] for name in rows}
    faults: dict[str, str] = {}
    began, done = time.monotonic(), 0
    while share.goes_on(done, began):
        for name in [name for name in rows if name not in faults]:
            try:
                runs[name].append(rows[name]())
            except Failed as failed:
                faults[name] = str(failed)
        done += 1
    return {name: Cell(tuple(runs[name]), faults.get(name)) for name in rows}


def run_command(
    command: Sequence[str], folder: Path, limit: float = 600.0, output: str = os.devnull
) -> Run:
    """A whole process from its start to its end; raises :class:`Failed` when it fails.

    ``output`` is the file for what it prints.
    """
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, launcher.__file__, output, *command],
            cwd=folder,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        try:
            answer, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise Failed(f"over {limit:g} s") from None
        if process.returncode:
            raise Failed(_reason(process.returncode, errors))
        facts = json.loads(answer)
        if code := facts.pop("code"):
            raise Failed(_reason(code, errors))
    return Run(**facts)


def _environment() -> dict[str, str]:
    """This process's, but that Python may keep compiled modules, as it does by default."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


class Worker:
    """A process that gets ready once and then works whenever it is asked to.

    It writes a line of JSON when it is ready and after each piece of work; what it is sent is the
    side of the next picture (:mod:`worker`). In between it is stopped: no thread of it spins.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._errors: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed on exit
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=_environment(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def ready(self, limit: float) -> float | None:
        """Wait until it is; what it says of its exactness, in dB. Raises :class:`Failed`."""
        psnr: float | None = self._answer(limit)["psnr"]
        return psnr

    def run(self, side: int, limit: float) -> Run:
        """Ask for a picture of that size; raises :class:`Failed`."""
        if self._process.stdin is None:
            raise TypeError("the worker has no standard input")
        self._process.send_signal(signal.SIGCONT)
        try:
            print(side, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise Failed(_reason(self._process.wait(), self._errors)) from None
        return Run(**self._answer(limit))

    def _answer(self, limit: float) -> dict[str, Any]:
        if self._process.stdout is None:
            raise TypeError("the worker has no standard output")
        if not select.select([self._process.stdout], [], [], limit)[0]:
            self._process.kill()
            raise Failed(f"over {limit:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise Failed(_reason(self._process.wait(), self._errors))
        answer: dict[str, Any] = json.loads(line)
        if "fault" in answer:
            raise Failed(_short(answer["fault"]))
        self._process.send_signal(signal.SIGSTOP)
        return answer


def _reason(code: int, errors: IO[str]) -> str:
    """Why a process ended with ``code``: its last words."""
    errors.seek(0)
    said = errors.read().strip().splitlines()
    last = _short(said[-1]) if said else ""
    if last == "out of memory" or code >= 0:
        return last or f"exit code {code}"
    return f"killed by {signal.Signals(-code).name}"


def _short(message: str, most: int = 80) -> str:
    if any(word in message.lower() for word in MEMORY_WORDS):
        return "out of memory"
    return message if len(message) <= most else message[: most - 1] + "…"
