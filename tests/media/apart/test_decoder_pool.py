"""Decoders that crash, hang or are killed cost their file alone, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from samples import smooth
from subpixel.errors import MemoryLimitError, PictureError, UsageError
from subpixel.media.apart.pool import MAX_IDLE, DecoderLimits, DecoderPool
from subpixel.media.picture import read_source

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="decoders are forked on Linux")

LARGE = (1200, 1600)
"""More pixels than a socket holds: the decoder can't be ahead of who reads."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(7).integers(0, 256, (*LARGE, 3), np.uint8)
    Image.fromarray(noise).save(place / "large.png", compress_level=1)
    Image.fromarray(smooth(3)[0]).save(place / "small.png")
    return place


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    with DecoderPool() as decoders:
        yield decoders


def zygotes() -> list[psutil.Process]:
    """Those of this process; another test may have left a child that ended and nobody asked for."""
    ours = filter(is_alive, psutil.Process().children())
    return [each for each in ours if "subpixel.media.apart.child.zygote" in each.cmdline()]


def decoders() -> set[psutil.Process]:
    """Those that live."""
    return {each for zygote in zygotes() for each in zygote.children() if is_alive(each)}


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not come true within 20 s")


def expect_works(pool: DecoderPool, folder: Path) -> None:
    assert np.array_equal(read_source(pool.open(folder / "small.png")).frames, smooth(3))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGXCPU])
def test_a_signal_in_the_middle(pool: DecoderPool, folder: Path, number: int) -> None:
    before = decoders()
    file = pool.open(folder / "large.png")
    (decoder,) = decoders() - before
    rows = file.chunks()
    assert len(next(rows)) == 32
    os.kill(decoder.pid, number)
    with pytest.raises(PictureError, match=rf"large\.png ended with signal {int(number)} \("):
        list(rows)
    expect_works(pool, folder)
    assert np.array_equal(read_source(file).frames.shape, (1, *LARGE, 3))  # by a new one


def test_a_decoder_that_dies_while_it_waits(pool: DecoderPool, folder: Path) -> None:
    before = decoders()
    file = pool.open(folder / "small.png")
    (decoder,) = decoders() - before
    os.kill(decoder.pid, signal.SIGKILL)
    with pytest.raises(PictureError, match=r"small\.png ended with signal 9"):
        read_source(file)


def test_a_decoder_that_hangs_is_stopped(folder: Path) -> None:
    with DecoderPool(DecoderLimits(seconds=1)) as pool:
        expect_works(pool, folder)
        before = decoders()
        file = pool.open(folder / "large.png")
        (decoder,) = decoders() - before
        os.kill(decoder.pid, signal.SIGSTOP)
        with pytest.raises(PictureError, match=r"large\.png was stopped: .* within 1 s"):
            read_source(file)
        wait_for(lambda: not decoder.is_running())
        expect_works(pool, folder)


def test_who_reads_slowly_is_no_hanging_decoder(folder: Path) -> None:
    with DecoderPool(DecoderLimits(seconds=2)) as pool:
        rows = pool.open(folder / "large.png").chunks()
        first = next(rows)
        time.sleep(2.5)
        assert len(first) + sum(map(len, rows)) == LARGE[0]


@pytest.mark.slow
def test_memory_is_limited(folder: Path) -> None:
    small = DecoderPool(DecoderLimits(memory=1 << 20))
    with small as pool, pytest.raises((MemoryLimitError, PictureError), match="large"):
        read_source(pool.open(folder / "large.png"))
    with DecoderPool(DecoderLimits(memory=256 << 20)) as pool:
        read_source(pool.open(folder / "large.png"))


def test_the_zygote_is_replaced(folder: Path) -> None:
    with DecoderPool() as pool:
        file = pool.open(folder / "small.png")
        (zygote,) = [each for each in zygotes() if file is not None][-1:]
        os.kill(zygote.pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(zygote))
        with pytest.raises(PictureError, match=r"small\.png"):
            read_source(file)
        expect_works(pool, folder)
        assert np.array_equal(read_source(file).frames, smooth(3))


@pytest.mark.slow
def test_many_files_leave_nothing(folder: Path) -> None:
    with DecoderPool() as pool:
        for _ in range(MAX_IDLE + 1):
            expect_works(pool, folder)
        zygote = max(zygotes(), key=psutil.Process.create_time)
        files = psutil.Process().num_fds(), zygote.num_fds()
        for number in range(60):
            file = pool.open(folder / ("small.png" if number % 3 else "large.png"))
            next(iter(file.chunks()))
        assert (psutil.Process().num_fds(), zygote.num_fds()) == files
        wait_for(lambda: len(zygote.children()) <= MAX_IDLE)
        assert zygote.num_threads() == 1
        family = [zygote, *zygote.children()]
    assert not any(map(is_alive, family))


def test_several_threads(folder: Path) -> None:
    failures = []

    def read() -> None:
        try:
            for _ in range(6):
                expect_works(pool, folder)
        except BaseException as error:
            failures.append(error)

    with DecoderPool() as pool:
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures


ABANDONED = """
import os, sys, time
from subpixel.media.apart.pool import DecoderPool
pool = DecoderPool()
rows = pool.open(sys.argv[1]).chunks()
next(rows)
print("ready", flush=True)
time.sleep(600)
"""


def test_all_end_with_their_parent(folder: Path) -> None:
    command = [sys.executable, "-c", ABANDONED, str(folder / "large.png")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) == 2
        parent.kill()
    wait_for(lambda: not any(map(is_alive, family)))


def test_a_file_that_changes_is_named(pool: DecoderPool, folder: Path, tmp_path: Path) -> None:
    changing = tmp_path / "a.png"
    changing.write_bytes((folder / "small.png").read_bytes())
    file = pool.open(changing)
    changing.write_bytes((folder / "small.png").read_bytes() + b"x")
    with pytest.raises(PictureError, match=r"a\.png has changed"):
        read_source(file)


def test_a_relative_name(pool: DecoderPool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert read_source(pool.open("small.png")).height == 12
    with pytest.raises(PictureError, match=r"^none\.png can't be read: No such file"):
        pool.open("none.png")


def test_a_closed_pool_says_so(folder: Path) -> None:
    pool = DecoderPool()
    file = pool.open(folder / "small.png")
    pool.close()
    pool.close()
    with pytest.raises(UsageError, match="closed"):
        read_source(file)


def test_rows_end_with_their_pool(folder: Path) -> None:
    pool = DecoderPool()
    first, second = (pool.open(folder / "large.png").chunks() for _ in range(2))
    assert len(next(first)) == len(next(second)) == 32
    pool.close()
    with pytest.raises(PictureError, match=r"large\.png ended"):
        list(first)
    second.close()


def test_limits_are_checked() -> None:
    with pytest.raises(UsageError, match="memory is 0"):
        DecoderLimits(memory=0)
    with pytest.raises(UsageError, match="time is -1"):
        DecoderLimits(seconds=-1)
