"""Untrusted picture files, opened apart: each is decoded in a process of its own, which has no
files but that one, no network, and limits of memory and time."""

import io
import math
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from subpixel.errors import PictureError, ProviderError, UsageError
from subpixel.media.apart.file_decoder import DecoderLimits, FileDecoder, FileTask
from subpixel.media.apart.messages.answer import OpenAnswer
from subpixel.media.apart.messages.forms import MAX_MAP, MapForm, RowForm
from subpixel.media.apart.spawner import Spawner
from subpixel.media.compression.read import Compression
from subpixel.media.formats.format import Format
from subpixel.media.libvips import FileContents
from subpixel.media.picture import Header, Rows
from subpixel.media.reading import (
    DEFAULT_MAX_PIXELS,
    PictureFile,
    expect_format,
    hold_stream,
    limit_file_bytes,
    open_picture,
    open_stream,
)

__all__ = ["DecoderLimits", "DecoderPool"]

MAX_IDLE = 4
"""Decoders that wait for their picture's rows to be asked for; those of other open files are ended,
and started anew when they are needed."""


class DecoderPool:
    """Opens picture files apart; a context manager, at whose end no process is left.

    Each file is decoded in a process of its own, so that one which crashes, hangs or is taken over
    costs that file alone. May be used by several threads. Raises :class:`ProviderError` where there
    is no Linux.
    """

    def __init__(self, limits: DecoderLimits | None = None) -> None:
        if sys.platform != "linux":
            raise ProviderError(
                f"untrusted pictures are decoded apart on Linux alone, and this is {sys.platform}; "
                "do it in a Linux container, or read files that you trust without"
            )
        self._limits, self._lock = limits or DecoderLimits(), threading.Lock()
        self._idle: list[FileDecoder] = []
        self._spawner: Spawner | None = Spawner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes; files that are open can't be read any more."""
        with self._lock:
            idle, self._idle = self._idle, []
            spawner, self._spawner = self._spawner, None
        for decoder in idle:
            decoder.end()
        if spawner is not None:
            spawner.close()

    def open(
        self,
        source: str | Path | bytes,
        *,
        name: str = "the picture",
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> PictureFile:
        """Open a file, or a file's bytes, which messages call ``name``.

        Raises what :func:`~subpixel.media.reading.open_picture` raises, and :class:`PictureError`
        where the decoder crashes or goes beyond its limits. Reading the rows raises the same.
        """
        if isinstance(source, bytes):
            stream = io.BytesIO(source)
            return open_stream(stream, name=name, max_pixels=max_pixels, decoders=self)
        return open_picture(source, max_pixels=max_pixels, decoders=self)

    def open_shown(
        self,
        source: str | Path | BinaryIO,
        *,
        name: str = "the stream",
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> PictureFile:
        """The same for a picture as a screen shows it: its first frame upright, ``(H, W, 3)`` of
        8-bit sRGB, without metadata; see :func:`~subpixel.media.display.render.render_srgb`. A
        stream, which messages call ``name``, is read to its end first."""
        if isinstance(source, (str, Path)):
            contents = FileContents.of(Path(source), limit_file_bytes(max_pixels))
        else:
            contents = hold_stream(source, name, limit_file_bytes(max_pixels))
        form = expect_format(contents)
        return self.open_task(FileTask(contents, form.package, max_pixels, "show"), form)

    def open_contents(self, contents: FileContents, form: Format, max_pixels: int) -> PictureFile:
        """The same for a file of the format ``form`` whose first bytes were read."""
        return self.open_task(FileTask(contents, form.package, max_pixels), form)

    def open_colours(self, profile: bytes, header: Header, file: Path) -> "ApartColours":
        """Apply a profile that nobody trusts to rows of ``header``, which go into ``file``."""
        form = RowForm(header.width, header.channels, header.colours, header.dtype.itemsize)
        contents = FileContents(file, b"", (), profile, len(profile))
        task = FileTask(contents, None, 1, "colours", form.numbers)
        return ApartColours(self._start_service(task), form)

    def enlarge_map(self, header: Header, quality: int) -> bytes | None:
        """The gain map of a picture of ``header``, grown with it, as a JPEG of ``quality``; None
        where there is none that fits."""
        gain_map = header.metadata.gain_map
        if gain_map is None:
            return None
        sides = header.width, header.height, quality, gain_map.width, gain_map.height
        numbers = MapForm(*sides, gain_map.region).numbers
        contents = FileContents(Path("the gain map"), b"", (), b"", 0)
        decoder = self._start_service(FileTask(contents, None, 1, "gain map", numbers))
        try:
            return bytes(decoder.exchange(gain_map.data, range(MAX_MAP))) or None
        finally:
            decoder.end()

    def _start_service(self, task: FileTask) -> FileDecoder:
        decoder = self._fork(task)
        decoder.start()
        return decoder

    def open_task(self, task: FileTask, form: Format) -> PictureFile:
        """Start a decoder for the file, which then waits to be asked for rows."""
        decoder, answer = self.start_decoder(task)
        self.put_back(decoder)
        contents, header = task.contents, answer.header
        return ApartPicture(
            contents.file, form, header, answer.memory, contents, self, task, answer
        )

    def start_decoder(self, task: FileTask) -> tuple[FileDecoder, OpenAnswer]:
        """A new decoder that has opened the file, and what it says of it."""
        decoder = self._fork(task)
        return decoder, decoder.open()

    def _fork(self, task: FileTask) -> FileDecoder:
        spawner = self._running_spawner()
        try:
            return FileDecoder(spawner, task, self._limits)
        except OSError as error:
            raise PictureError(
                f"{task.contents.file} can't be read: no decoder can be started: "
                f"{spawner.last_words() or error.strerror}"
            ) from error

    def take_idle(self, task: FileTask) -> FileDecoder | None:
        """The decoder that waits for that file's next request, if there still is one."""
        with self._lock:
            decoder = next((each for each in self._idle if each.task is task), None)
            if decoder is not None:
                self._idle.remove(decoder)
        return decoder

    def put_back(self, decoder: FileDecoder) -> None:
        """Let a decoder wait for the next request."""
        with self._lock:
            closed = self._spawner is None
            self._idle.append(decoder)
            surplus = self._idle if closed else self._idle[:-MAX_IDLE]
            self._idle = [] if closed else self._idle[-MAX_IDLE:]
        for other in surplus:
            other.end()

    def _running_spawner(self) -> Spawner:
        """A new one where the last was killed."""
        with self._lock:
            if self._spawner is None:
                raise UsageError("the pool of decoders is closed; read files within its block")
            if not self._spawner.alive:
                self._spawner.close()
                self._spawner = Spawner()
            return self._spawner


@dataclass(frozen=True)
class ApartColours:
    """Turns rows into sRGB by a profile that nobody trusts."""

    _decoder: FileDecoder
    _form: RowForm

    def convert(self, rows: Rows) -> Rows:
        """``(h, W, C)`` of any height; grey becomes RGB."""
        height, width, channels = len(rows), self._form.width, self._form.channels
        shape = (height, width, channels - self._form.colours + 3)
        size = math.prod(shape) * rows.dtype.itemsize
        piece = self._decoder.exchange(rows.data.cast("B"), range(size, size + 1))
        return np.frombuffer(piece, rows.dtype).reshape(shape)

    def close(self) -> None:
        """No more rows come."""
        self._decoder.end()


@dataclass(frozen=True, eq=False)
class ApartPicture(PictureFile):
    """A picture file that a process of its own decodes."""

    _pool: DecoderPool
    _task: FileTask
    _answer: OpenAnswer

    @property
    def decoders(self) -> DecoderPool:
        return self._pool

    def compression(self) -> Compression:
        return self._answer.compression

    def chunks(self) -> Iterator[Rows]:
        decoder = self._pool.take_idle(self._task) or self._start_again()
        try:
            yield from decoder.rows(self._answer.header)
        finally:
            if decoder.at_rest:
                self._pool.put_back(decoder)

    def close(self) -> None:
        """End the process that waits for a further reading, which would start another."""
        decoder = self._pool.take_idle(self._task)
        if decoder is not None:
            decoder.end()

    def _start_again(self) -> FileDecoder:
        decoder, answer = self._pool.start_decoder(self._task)
        if answer != self._answer:
            decoder.end()
            raise PictureError(f"{self.file} has changed while it was read; start anew")
        return decoder
