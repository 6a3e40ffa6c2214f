"""A command that is told to end, or killed, leaves nothing half-written and no process behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from subpixel.cli.main import run
from subpixel.nets.architectures.plain import PlainNet

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")

SAID = "subpixel: interrupted; nothing half-written was left behind"
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
PATIENCE = 60.0
"""Seconds until a test gives up waiting for a process."""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    Image.fromarray(np.zeros((2000, 3000, 3), np.uint8)).save(tmp_path / "large.png")
    return tmp_path


def ignore_hangups() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@contextmanager
def running(
    folder: Path, *arguments: str, preexec: Callable[[], None] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "subpixel", *arguments]
    with subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, preexec_fn=preexec
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_writing(process: "subprocess.Popen[str]", folder: Path) -> None:
    """Until it has a file open for writing in ``folder``, with a name or without."""
    descriptors = Path(f"/proc/{process.pid}/fd")
    for _ in range(int(PATIENCE / 0.05)):
        if process.poll() is not None:
            break
        with_names = list(folder.glob(".*.partial"))
        if with_names or any(str(folder) in target for target in links_in(descriptors)):
            return
        time.sleep(0.05)
    pytest.fail("it never wrote")


def links_in(folder: Path) -> Iterator[str]:
    for link in folder.iterdir() if folder.is_dir() else ():
        try:
            yield str(link.readlink())
        except OSError:  # closed meanwhile
            continue


def upscale_slowly(*options: str) -> list[str]:
    return ["upscale", "large.png", "-o", "out/large.png", "--tile", "32", *options]


@pytest.mark.sample(every=5)
@pytest.mark.parametrize("number", CODES)
def test_an_upscale_ends_in_order(large: Path, number: signal.Signals) -> None:
    (large / "out").mkdir()
    with running(large, *upscale_slowly()) as process:
        wait_until_writing(process, large / "out")
        process.send_signal(number)
        assert process.stderr is not None
        error = process.stderr.read()
    assert process.returncode == CODES[number]
    assert error.strip() == SAID
    assert list((large / "out").iterdir()) == []


@pytest.mark.slow
def test_a_file_that_was_there_stays(large: Path) -> None:
    (large / "out").mkdir()
    (large / "out" / "large.png").write_bytes(b"old")
    with running(large, *upscale_slowly("--overwrite")) as process:
        wait_until_writing(process, large / "out")
        process.terminate()
    assert [(p.name, p.read_bytes()) for p in (large / "out").iterdir()] == [("large.png", b"old")]


@pytest.mark.slow
def test_after_a_kill_the_next_run_clears_up(large: Path) -> None:
    (large / "out").mkdir()
    with running(large, *upscale_slowly()) as process:
        wait_until_writing(process, large / "out")
        process.kill()
    Image.new("RGB", (8, 8)).save(large / "small.png")
    assert run(["upscale", str(large / "small.png"), "-o", str(large / "out" / "small.png")]) == 0
    assert [p.name for p in (large / "out").iterdir()] == ["small.png"]


@pytest.mark.slow
def test_a_signal_that_is_ignored_stays_so(large: Path) -> None:
    """As nohup has it."""
    with running(large, *upscale_slowly(), preexec=ignore_hangups) as process:
        wait_until_writing(process, large / "out")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert process.poll() is None


NEVER_ENDS = """
import threading
from subpixel.cli import signals
signals.GRACE = 0.5
with signals.orderly_end():
    while True:
        try:
            print("here", flush=True)
            threading.Event().wait()
        except BaseException:
            pass
"""
"""As a library that doesn't return, below whatever waits for it."""


@pytest.mark.parametrize("number", CODES)
def test_what_never_returns_is_ended_all_the_same(number: signal.Signals) -> None:
    command = [sys.executable, "-c", NEVER_ENDS]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        process.send_signal(number)
        assert process.wait(PATIENCE) == CODES[number]


def children_of(number: int) -> set[int]:
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = status.read_text().rpartition(")")
        except OSError:  # ended meanwhile
            continue
        if rest.split()[1] == str(number):
            found.add(int(status.parent.name))
    return found


def is_alive(number: int) -> bool:
    try:
        _, _, rest = Path(f"/proc/{number}/stat").read_text().rpartition(")")
    except OSError:
        return False
    return rest.split()[0] != "Z"  # waits for nobody but the one who reaps it


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_an_export_takes_its_child_along(tmp_path: Path, number: signal.Signals) -> None:
    torch.save(PlainNet(3).state_dict(), tmp_path / "net.pth")
    with running(tmp_path, "export", "net.pth", "-o", "net.onnx") as process:
        children: set[int] = set()
        for _ in range(int(PATIENCE / 0.05)):
            children = children_of(process.pid)
            if children or process.poll() is not None:
                break
            time.sleep(0.05)
        assert children, "it never started one"
        process.send_signal(number)
        process.wait(PATIENCE)
    time.sleep(2)
    assert not [child for child in children if is_alive(child)]
    assert [p.name for p in tmp_path.iterdir()] == ["net.pth"]
