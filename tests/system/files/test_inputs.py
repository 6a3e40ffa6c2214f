"""Only ordinary files are opened, and their bytes are those that slices of bytes would be."""

import os
import random
import socket
import stat
import sys
from pathlib import Path

import pytest

from subpixel.system.files import inputs
from subpixel.system.files.inputs import (
    INPUT_BLOCK_BYTES,
    MAX_INPUT_BLOCKS,
    FileBytes,
    open_input,
    pump_file,
)

CONTENT = random.Random(3).randbytes(3 * INPUT_BLOCK_BYTES + 77)

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files in folders")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    return tmp_path / "a.bin"


def _make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def _make_link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def _count_descriptors() -> int:
    """Those of this process; 0 where the system doesn't say."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


@posix
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a named pipe"),
        (_make_link_to_pipe, "a named pipe"),
        (_make_socket, "a socket"),
        (Path.mkdir, "a folder"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
    ],
)
def test_what_is_no_ordinary_file_is_neither_waited_for_nor_opened(
    tmp_path: Path, make: object, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "a.png")
    monkeypatch.setattr(inputs.os, "open", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(OSError, match=f"it is {kind}"):
        open_input(tmp_path / "a.png")


@posix
def test_a_pipe_that_takes_a_file_s_place_between_look_and_opening(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    ordinary = file.stat()
    monkeypatch.setattr(Path, "stat", lambda _path: ordinary)
    before = _count_descriptors()
    with pytest.raises(OSError, match="it is a named pipe"):
        open_input(tmp_path / "pipe")
    assert _count_descriptors() == before


def test_parts_are_those_of_the_bytes(file: Path) -> None:
    source, chance = FileBytes(file), random.Random(5)
    assert len(source) == len(CONTENT)
    for _ in range(300):
        start, stop = (chance.randrange(-10, len(CONTENT) + 10) for _ in range(2))
        assert source[start:stop] == CONTENT[start:stop]
        assert source[start : start + 9] == CONTENT[start : start + 9]
        assert bytes(source.part(7, 900)[2:-3:2]) == CONTENT[9:904:2]
        place = chance.randrange(-len(CONTENT), len(CONTENT))
        assert source[place] == CONTENT[place]
    assert source[:] == CONTENT
    assert bytes(source.part(5, 70_000)) == CONTENT[5:70_005]
    with pytest.raises(IndexError):
        source[len(CONTENT)]


def test_few_blocks_are_held(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as stream:
        stream.truncate(100 * INPUT_BLOCK_BYTES)
    source = FileBytes(tmp_path / "large")
    assert not any(source[n * INPUT_BLOCK_BYTES] for n in range(100))
    assert len(source._blocks) == MAX_INPUT_BLOCKS


def test_a_file_cut_off_meanwhile_is_said(file: Path) -> None:
    source = FileBytes(file)
    assert source[:4] == CONTENT[:4]
    os.truncate(file, 2 * INPUT_BLOCK_BYTES + 5)
    assert (
        source[2 * INPUT_BLOCK_BYTES - 9 : 2 * INPUT_BLOCK_BYTES]
        == CONTENT[2 * INPUT_BLOCK_BYTES - 9 :][:9]
    )
    for part in (lambda: source[2 * INPUT_BLOCK_BYTES + 7], lambda: source[:]):
        with pytest.raises(ValueError, match="cut off while it was read"):
            part()


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_descriptors_are_closed(file: Path) -> None:
    before = _count_descriptors()
    for _ in range(20):
        FileBytes(file)[3]
    assert _count_descriptors() == before


def test_a_pump_gives_all_and_no_file_that_can_be_mapped(file: Path) -> None:
    with pump_file(file) as pipe:
        if sys.platform != "win32":
            assert stat.S_ISFIFO(os.fstat(pipe.fileno()).st_mode)
        assert pipe.readall() == CONTENT


def test_a_pump_ends_when_nobody_reads_on(file: Path) -> None:
    import threading

    with pump_file(file) as pipe:
        assert pipe.read(4) == CONTENT[:4]
    for thread in threading.enumerate():
        if thread.name == "pump":
            thread.join(20)
            assert not thread.is_alive()
