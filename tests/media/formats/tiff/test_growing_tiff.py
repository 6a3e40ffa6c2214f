"""The file that nobody writes, as tifffile reads it."""

import io
from threading import Thread

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from subpixel.media.formats.tiff.growing_tiff import IN_HAND, GrowingTiff, ReaderGoneError
from subpixel.media.picture import Header


def _all_of(tiff: GrowingTiff, size: int) -> bytes:
    """To its end, and it goes on answering there."""
    data = b"".join(iter(lambda: bytes(tiff.read(size)), b""))
    assert tiff.read(size) == b""
    return data


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 300), st.integers(1, 4)),
    st.sampled_from([np.uint8, np.uint16]),
    st.integers(1, 50),
    st.integers(1, 5000),
)
def test_it_is_a_tiff(shape: tuple[int, int, int, int], dtype: type, block: int, size: int) -> None:
    random = np.random.default_rng(0)
    frames = random.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    below = frames.reshape(-1, *shape[2:])
    tiff = GrowingTiff(Header(shape, frames.dtype))

    def feed() -> None:
        for top in range(0, len(below), block):
            tiff.put(below[top : top + block])
        tiff.end()

    feeder = Thread(target=feed)
    feeder.start()
    data = _all_of(tiff, size)
    feeder.join()
    assert len(data) == tiff.seek(0, io.SEEK_END)
    assert np.array_equal(tifffile.imread(io.BytesIO(data)).reshape(below.shape), below)


def test_an_early_end_is_an_end() -> None:
    tiff = GrowingTiff(Header((1, 9, 9, 3), np.dtype(np.uint8)))
    tiff.put(np.zeros((2, 9, 3), np.uint8))
    tiff.end()
    assert len(_all_of(tiff, 7)) == tiff.seek(0, io.SEEK_END) - 7 * 9 * 3


def test_a_reader_that_leaves_lets_the_feeder_go() -> None:
    tiff = GrowingTiff(Header((1, 99, 9, 3), np.dtype(np.uint8)))
    raised: list[BaseException] = []

    def feed() -> None:
        try:
            for _ in range(IN_HAND + 1):  # one more than there is room for: waits
                tiff.put(np.zeros((2, 9, 3), np.uint8))
        except ReaderGoneError as error:
            raised.append(error)

    feeder = Thread(target=feed)
    feeder.start()
    tiff.leave()
    feeder.join(timeout=30)
    assert not feeder.is_alive()
    assert len(raised) == 1
    with pytest.raises(ReaderGoneError):
        tiff.put(np.zeros((2, 9, 3), np.uint8))
