"""One file's decoder, seen by who asked for it; whatever it does, an error names the file."""

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from subpixel.errors import PictureError, UsageError
from subpixel.media.apart.channel import Channel, DecoderGoneError
from subpixel.media.apart.messages.answer import AnswerError, FailureAnswer, OpenAnswer
from subpixel.media.apart.messages.failures import to_exception
from subpixel.media.apart.messages.job import NO_DECODER_ROOM, DecoderJob, Task
from subpixel.media.apart.spawner import Spawner
from subpixel.media.libvips import FileContents
from subpixel.media.picture import Header, Rows
from subpixel.system.machine_memory import free_memory

DECODER_SHARE = 0.5
"""Of the memory that is free, what a decoder may take where nothing else is said."""

REASONS: dict[int, str] = {
    24: "it used all the processor time that it may have",
    9: "something killed it: the system, for lack of memory, or somebody",
}
"""What SIGXCPU and SIGKILL of Linux most probably mean."""

TaskValue = TypeVar("TaskValue")

DAMAGE = "the file is damaged, or made to do harm"


@dataclass(frozen=True)
class DecoderLimits:
    """What the decoder of one file may take. Raises :class:`UsageError` for nothing at all."""

    memory: int | None = None
    """Bytes beside what it holds at its start; None: half of what is free then."""
    seconds: float = 300.0
    """Of waiting for one request, opening or all rows. As much processor time is allowed on each
    core, for all requests together."""

    def __post_init__(self) -> None:
        if self.memory is not None and self.memory < 1:
            raise UsageError(f"a decoder's memory is {self.memory} bytes; it is 1 or more")
        if not self.seconds > 0:
            raise UsageError(f"a decoder's time is {self.seconds} s; it is more than 0")


@dataclass(frozen=True, eq=False)
class FileTask:
    """A file that is decoded apart."""

    contents: FileContents
    package: str | None
    """What decoding needs beside libvips."""
    max_pixels: int
    task: Task = "open"
    numbers: tuple[float, ...] = ()
    """As of the job."""

    def job(self, limits: DecoderLimits) -> DecoderJob:
        """For a decoder that may take so much from now on."""
        contents, memory = self.contents, limits.memory
        return DecoderJob(
            file=str(contents.file),
            folder=str(Path.cwd()),
            stamp=contents.stamp,
            size=None if contents.data is None else len(contents.data),
            max_pixels=self.max_pixels,
            max_bytes=contents.max_bytes,
            task=self.task,
            memory=int(DECODER_SHARE * free_memory()) if memory is None else memory,
            seconds=math.ceil(limits.seconds) * (os.cpu_count() or 1),
            numbers=self.numbers,
        )


class FileDecoder:
    """A process that has one file. Raises :class:`OSError` where there is no zygote to fork it."""

    def __init__(self, spawner: Spawner, task: FileTask, limits: DecoderLimits) -> None:
        self.task = task
        self._spawner, self._limits = spawner, limits
        self._number, connection = spawner.fork(task.package)
        self._channel = Channel(connection, limits.seconds)

    def open(self) -> OpenAnswer:
        """What it says of the file. Raises what opening a picture raises."""
        with self._faults():
            job, data = self.task.job(self._limits), self.task.contents.data
            return self._expect(self._channel.open(job, data))

    def rows(self, header: Header) -> Iterator[Rows]:
        """All rows of what :meth:`open` gave. Once all have come it can be asked again; a loop that
        ends before ends the process."""
        with self._faults():
            for rows in self._channel.rows(header):
                yield self._expect(rows)

    def start(self) -> None:
        """Let it turn pieces of bytes into others."""
        with self._faults():
            self._channel.start(self.task.job(self._limits), self.task.contents.data or b"")

    def exchange(self, piece: bytes | memoryview, sizes: range) -> bytearray:
        """What becomes of a piece, a number of bytes in ``sizes``."""
        with self._faults():
            return self._expect(self._channel.exchange(piece, sizes))

    @property
    def at_rest(self) -> bool:
        """Whether it waits to be asked for rows."""
        return self._channel.at_rest

    def end(self) -> None:
        """Kill the process."""
        self._channel.close()
        self._spawner.kill(self._number)

    def _expect(self, answer: TaskValue | FailureAnswer) -> TaskValue:
        if isinstance(answer, FailureAnswer):
            raise to_exception(answer, self.task.contents.file)
        return answer

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Whatever goes wrong ends the process, and is an error that names the file."""
        name = f"the decoder of {self.task.contents.file}"
        try:
            yield
        except DecoderGoneError as error:
            self._channel.close()
            raise PictureError(self._explain_end(name)) from error
        except TimeoutError as error:
            self.end()
            raise PictureError(
                f"{name} was stopped: it did not end within {self._limits.seconds:g} s; {DAMAGE}"
            ) from error
        except AnswerError as error:
            self.end()
            raise PictureError(f"{name} gave an answer that can't be: {error}; {DAMAGE}") from error
        except BaseException:
            if not self.at_rest:
                self.end()
            raise

    def _explain_end(self, name: str) -> str:
        """How the process ended that closed its socket."""
        code = self._spawner.await_end(self._number)
        if code is None:
            self._spawner.kill(self._number)
            words = self._spawner.last_words()
            return f"{name} ended, and the process that it comes from{words and f': {words}'}"
        if code == NO_DECODER_ROOM:
            return f"{name} could not be started: the system has no room for a further process"
        if code >= 0:
            return f"{name} ended with exit code {code}; {DAMAGE}"
        number = -code
        cause = REASONS.get(number, DAMAGE)
        return f"{name} ended with signal {number} ({signal.strsignal(number)}); {cause}"
