"""Files that are named to be read: ordinary ones only, and none of them mapped into memory.

A pipe would be waited for without end, a device may do anything when it is opened. And a mapped
file that another process cuts off ends this one with SIGBUS, so bytes are always read.
"""

import errno
import os
import stat
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, overload

INPUT_BLOCK_BYTES = 1 << 16
"""What is read of a file at a time where single bytes are looked at."""

MAX_INPUT_BLOCKS = 16
"""Blocks that are held."""

_FILE_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0)
    for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT")
)


def open_input(file: Path, *, buffering: int = -1) -> BinaryIO:
    """An ordinary file, open for reading; links are followed, ``buffering`` is :func:`open`'s.

    Raises :class:`OSError`, whose text says why, for anything else: it is neither waited for nor
    opened.
    """
    _expect_ordinary(file.stat(), file)
    descriptor = os.open(file, _FLAGS)
    try:
        _expect_ordinary(os.fstat(descriptor), file)  # it may have been replaced meanwhile
        return os.fdopen(descriptor, "rb", buffering=buffering)
    except BaseException:
        os.close(descriptor)
        raise


def _expect_ordinary(status: os.stat_result, file: Path) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return
    kind = next((kind for is_kind, kind in _FILE_KINDS if is_kind(mode)), "no ordinary file")
    if kind == "a folder":
        raise IsADirectoryError(errno.EISDIR, "it is a folder; name a file", str(file))
    text = f"it is {kind}, and only ordinary files are read; save what it gives as one"
    raise OSError(errno.EINVAL, text, str(file))


class FileBytes:
    """The bytes of an ordinary file as a sequence of them, read where they are looked at.

    Parts are bytes, as those of bytes are. As long as it was when it was opened: raises
    :class:`ValueError` where it has been cut off since, and :class:`OSError` from the file system.
    """

    def __init__(self, file: Path) -> None:
        with open_input(file, buffering=0) as stream:
            self._descriptor = os.dup(stream.fileno())
        weakref.finalize(self, os.close, self._descriptor)
        self._size = os.fstat(self._descriptor).st_size
        self._blocks = OrderedDict[int, bytes]()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> int: ...

    @overload
    def __getitem__(self, place: slice) -> bytes: ...

    def __getitem__(self, place: int | slice) -> int | bytes:
        if isinstance(place, slice):
            start, stop, step = place.indices(self._size)
            return self._read(start, max(start, stop))[::step]
        if not 0 <= place < self._size:
            place = range(self._size)[place]
        return self._block(place // INPUT_BLOCK_BYTES)[place % INPUT_BLOCK_BYTES]

    def part(self, start: int, size: int) -> "FileSpan":
        """``size`` bytes from ``start`` on, not read yet."""
        return FileSpan(self, start, size)

    def _read(self, start: int, stop: int) -> bytes:
        number = start // INPUT_BLOCK_BYTES
        if stop <= (number + 1) * INPUT_BLOCK_BYTES:
            return self._block(number)[start % INPUT_BLOCK_BYTES :][: stop - start]
        return self._fetch(start, stop - start)

    def _block(self, number: int) -> bytes:
        with self._lock:
            block = self._blocks.get(number)
            if block is None:
                start = number * INPUT_BLOCK_BYTES
                block = self._fetch(start, min(INPUT_BLOCK_BYTES, self._size - start))
                self._blocks[number] = block
                if len(self._blocks) > MAX_INPUT_BLOCKS:
                    self._blocks.popitem(last=False)
            return block

    def _fetch(self, start: int, size: int) -> bytes:
        data = _read_at(self._descriptor, start, size)
        if len(data) < size:
            raise ValueError("it was cut off while it was read")
        return data


class FileSpan:
    """A part of a file, read when it is asked for."""

    def __init__(self, source: FileBytes, start: int, size: int) -> None:
        self._source, self._start, self._size = source, start, size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, place: slice) -> bytes:
        start, stop, step = place.indices(self._size)
        return self._source[self._start + start : self._start + max(start, stop)][::step]

    def __bytes__(self) -> bytes:
        return self[:]


def _read_at(descriptor: int, start: int, size: int) -> bytes:
    """Up to ``size`` bytes, fewer at the end only."""
    data = _read_some(descriptor, start, size)
    if len(data) in (0, size):
        return data
    return b"".join((data, *_read_on(descriptor, start + len(data), size - len(data))))


def _read_on(descriptor: int, start: int, size: int) -> Iterator[bytes]:
    while size and (data := _read_some(descriptor, start, size)):
        yield data
        start, size = start + len(data), size - len(data)


if hasattr(os, "pread"):

    def _read_some(descriptor: int, start: int, size: int) -> bytes:
        return os.pread(descriptor, size, start)

else:  # Windows
    _turn = threading.Lock()

    def _read_some(descriptor: int, start: int, size: int) -> bytes:
        with _turn:
            os.lseek(descriptor, start, os.SEEK_SET)
            return os.read(descriptor, size)


def pump_file(file: Path) -> BinaryIO:
    """The file's bytes from its beginning, as a pipe gives them, which can't be mapped.

    They end early where the file can't be read on. The pipe must be read to its end, or closed:
    until then a thread holds the file open. Raises :class:`OSError`.
    """
    stream = open_input(file, buffering=0)
    try:
        reader, writer = os.pipe()
    except OSError:
        stream.close()
        raise
    threading.Thread(target=_pump, args=(stream, writer), name="pump", daemon=True).start()
    return os.fdopen(reader, "rb", buffering=0)


def _pump(stream: BinaryIO, writer: int) -> None:
    try:
        with stream, os.fdopen(writer, "wb", buffering=0) as pipe:
            while block := stream.read(INPUT_BLOCK_BYTES):
                _write_all(pipe, block)
    except OSError:  # whoever reads is gone, or the file can't be read: its end comes early
        return


def _write_all(pipe: BinaryIO, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[pipe.write(rest) :]
