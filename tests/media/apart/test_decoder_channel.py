"""Rows are taken as they were announced, or not at all: a hostile decoder at the other end."""

import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from subpixel.media.apart.channel import Channel, DecoderGoneError
from subpixel.media.apart.messages.answer import AnswerError, FailureAnswer, pack_answer
from subpixel.media.picture import Header, Rows

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no such sockets")

HEADER = Header((2, 40, 5, 3), np.dtype(np.uint8))
ROW = 15


def chunk(rows: int) -> bytes:
    return struct.pack("<I", rows) + bytes(rows * ROW)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, other = socket.socketpair()
    with ours, other:
        yield Channel(ours, 5), other


def rows_of(ends: tuple[Channel, socket.socket], data: bytes) -> list[Rows | FailureAnswer]:
    ends[1].sendall(data)
    ends[1].shutdown(socket.SHUT_WR)
    return list(ends[0].rows(HEADER))


SOUND = chunk(32) + chunk(8) + chunk(32) + chunk(8) + chunk(0)


def test_all_rows(ends: tuple[Channel, socket.socket]) -> None:
    assert sum(map(len, rows_of(ends, SOUND))) == 80
    assert ends[0].at_rest
    assert ends[1].recv(9) == b"R"


@pytest.mark.parametrize(
    "data",
    [
        chunk(33),  # more than at a time
        chunk(32) + chunk(9),  # of two frames
        chunk(32) + chunk(0),  # too few
        SOUND[:-4] + chunk(1),  # too many
        struct.pack("<I", 0xFFFFFFFE),
        struct.pack("<III", 0xFFFFFFFF, 0xFFFFFFFF, 0),
        struct.pack("<III", 0xFFFFFFFF, 2, 0) + b"{}",
    ],
)
def test_other_rows_are_refused(ends: tuple[Channel, socket.socket], data: bytes) -> None:
    with pytest.raises(AnswerError):
        rows_of(ends, data)
    assert not ends[0].at_rest


@pytest.mark.parametrize("size", [0, 3, 4, 40, len(SOUND) - 4])
def test_an_end_within(ends: tuple[Channel, socket.socket], size: int) -> None:
    with pytest.raises(DecoderGoneError):
        rows_of(ends, SOUND[:size])


def test_an_error_in_place_of_rows(ends: tuple[Channel, socket.socket]) -> None:
    failure = FailureAnswer("PictureError", "no")
    got = rows_of(ends, chunk(32) + struct.pack("<I", 0xFFFFFFFF) + pack_answer(failure))
    assert got[-1] == failure
    assert not ends[0].at_rest


def test_one_byte_at_a_time_is_no_way_round_the_limit(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, other = Channel(ends[0]._socket, 0.5), ends[1]
    stop = threading.Event()

    def drip() -> None:
        other.send(struct.pack("<I", 32))
        while not stop.is_set():
            other.send(b"\x01")
            time.sleep(0.05)

    thread = threading.Thread(target=drip)
    thread.start()
    with pytest.raises(TimeoutError):
        list(channel.rows(Header((1, 40, 5000, 3), np.dtype(np.uint8))))
    stop.set()
    thread.join()
