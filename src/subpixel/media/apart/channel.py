"""The connection to one decoder, with a limit to the time that is spent waiting for it."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from subpixel.media.apart.messages.answer import (
    SIZES_BYTES,
    AnswerError,
    FailureAnswer,
    OpenAnswer,
    unpack_answer,
    unpack_sizes,
)
from subpixel.media.apart.messages.job import (
    END_OF_ROWS,
    FAILURE,
    PIECE_HEAD,
    ROWS_HEAD,
    ROWS_SIGNAL,
    DecoderJob,
)
from subpixel.media.picture import Header, Rows
from subpixel.media.reading import CHUNK_ROWS


class DecoderGoneError(Exception):
    """The decoder closed its end."""


class Channel:
    """What a decoder is asked, and what it answers; nothing of that is believed.

    All methods raise :class:`DecoderGoneError`, :class:`TimeoutError` once the waiting of one
    request took ``seconds`` in all, and :class:`AnswerError`. The time between two answers, in
    which somebody else uses the last one, is not waiting.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._socket, self._seconds = connection, seconds
        self._left = seconds
        self.at_rest = False
        """Whether the decoder has answered all and waits to be asked for rows."""

    def close(self) -> None:
        """The decoder sees the end."""
        self._socket.close()

    def open(self, job: DecoderJob, data: bytes | None) -> OpenAnswer | FailureAnswer:
        """Give the decoder its job, and the file's bytes where it doesn't lie on disk."""
        self._left = self._seconds
        self._send(job.pack())
        if data is not None:
            self._send(data)
        answer = self._receive_answer(job.max_pixels)
        self.at_rest = isinstance(answer, OpenAnswer)
        return answer

    def start(self, job: DecoderJob, data: bytes) -> None:
        """Give the decoder a job that turns pieces of bytes into others."""
        self._left = self._seconds
        self._send(job.pack() + data)

    def exchange(self, piece: bytes | memoryview, sizes: range) -> bytearray | FailureAnswer:
        """What becomes of a piece; of a number of bytes in ``sizes``."""
        self._left = self._seconds
        self._send(PIECE_HEAD.pack(len(piece)))
        self._send(piece)
        (size,) = PIECE_HEAD.unpack(self._receive(PIECE_HEAD.size))
        if size == FAILURE:
            return self._receive_failure()
        if size not in sizes:
            raise AnswerError(f"a piece of {size:,} bytes came")
        result = bytearray(size)
        self._fill(memoryview(result))
        return result

    def rows(self, header: Header) -> Iterator[Rows | FailureAnswer]:
        """All rows of the picture that ``header`` announces, or why they end before."""
        self._left, self.at_rest = self._seconds, False
        self._send(ROWS_SIGNAL)
        height, left = header.height, header.expect_count("a file") * header.height
        while left:
            number = self._receive_number()
            if number == FAILURE:
                yield self._receive_failure()
                return
            if not 0 < number <= min(CHUNK_ROWS, left, (left - 1) % height + 1):
                raise AnswerError(f"{number} rows came where {left} were left")
            left -= number
            rows = self._receive_rows(number, header)
            failure = None if left else self._receive_end()
            yield rows
        if failure is not None:
            yield failure

    def _receive_end(self) -> FailureAnswer | None:
        """What comes behind the last row; who asks for no more leaves the decoder at rest."""
        number = self._receive_number()
        if number == FAILURE:
            return self._receive_failure()
        if number != END_OF_ROWS:
            raise AnswerError(f"{number} rows came behind the last")
        self.at_rest = True
        return None

    def _receive_number(self) -> int:
        (number,) = ROWS_HEAD.unpack(self._receive(ROWS_HEAD.size))
        return int(number)

    def _receive_rows(self, number: int, header: Header) -> Rows:
        rows: Rows = np.empty((number, *header.shape[2:]), header.dtype)
        self._fill(rows.data.cast("B"))
        return rows

    def _receive_failure(self) -> FailureAnswer:
        answer = self._receive_answer(1)
        if isinstance(answer, OpenAnswer):
            raise AnswerError("a picture came in place of an error")
        return answer

    def _receive_answer(self, max_pixels: int) -> OpenAnswer | FailureAnswer:
        text, blocks = unpack_sizes(self._receive(SIZES_BYTES))
        return unpack_answer(self._receive(text), self._receive(blocks), max_pixels)

    def _receive(self, size: int) -> bytes:
        whole = bytearray(size)
        self._fill(memoryview(whole))
        return bytes(whole)

    def _fill(self, rest: memoryview) -> None:
        while rest:
            with self._waiting():
                count = self._socket.recv_into(rest)
            if not count:
                raise DecoderGoneError
            rest = rest[count:]

    def _send(self, data: bytes | memoryview) -> None:
        with self._waiting():
            self._socket.sendall(data)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        start = time.monotonic()
        if self._left <= 0:
            raise TimeoutError
        self._socket.settimeout(self._left)
        try:
            yield
        except ConnectionError as error:
            raise DecoderGoneError from error
        finally:
            self._left -= time.monotonic() - start
