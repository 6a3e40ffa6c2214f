"""A file appears whole or not at all, whatever happens on the way."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from subpixel.errors import SubpixelError
from subpixel.system.files import atomic
from subpixel.system.files.atomic import atomic_file, remove_stale_drafts, write_bytes

NEEDS_POSIX = pytest.mark.skipif(os.name == "nt", reason="needs POSIX permissions and pipes")


@pytest.fixture(autouse=True, params=["unnamed", "named"])
def draft(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways, whatever the system here can do."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no files without names")
    return str(request.param)


def test_writes_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.bin", b"data")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.bin", b"data")]


def test_nothing_is_seen_before_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    with atomic_file(target) as stream:
        stream.write(b"data")
        assert not target.exists()
    assert target.read_bytes() == b"data"


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, ValueError, OSError])
def test_any_exception_leaves_things_as_they_were(
    tmp_path: Path, problem: type[BaseException]
) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_file(target, overwrite=True) as stream:
            stream.write(b"half")
            raise problem

    with pytest.raises(problem):
        interrupted()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.bin", b"old")]


def test_overwrites_only_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(SubpixelError, match="exists"):
        write_bytes(target, b"new")
    assert target.read_bytes() == b"old"
    write_bytes(target, b"new", overwrite=True)
    assert target.read_bytes() == b"new"


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"

    def overtaken() -> None:
        with atomic_file(target) as stream:
            stream.write(b"ours")
            target.write_bytes(b"theirs")

    with pytest.raises(FileExistsError):
        overtaken()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.bin", b"theirs")]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_bytes(tmp_path / "a.bin", b"data")
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real.bin", tmp_path / "link.bin"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_bytes(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


@pytest.mark.parametrize("place", ["missing/a.bin", "file/a.bin"])
def test_a_place_that_takes_no_file(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SubpixelError, match="can't be written") as error:
        write_bytes(tmp_path / place, b"data")
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SubpixelError, match="can't be written"):
        write_bytes(tmp_path / "folder", b"data", overwrite=True)
    assert list((tmp_path / "folder").iterdir()) == []
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_name_as_long_as_may_be(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("n" * 251 + ".bin"), b"data")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_a_file_system_that_refuses(tmp_path: Path) -> None:  # noqa: ARG001
    with pytest.raises(SubpixelError, match="can't be written"):
        write_bytes(Path("/proc/a.bin"), b"data")


def test_a_draft_has_no_name_or_a_hidden_one(tmp_path: Path, draft: str) -> None:
    with atomic_file(tmp_path / "a.bin") as stream:
        stream.write(b"data")
        names = [p.name for p in tmp_path.iterdir()]
        assert len(names) == (draft == "named")
        assert all(atomic.DRAFT_NAME.fullmatch(name) for name in names)


def test_what_is_written_can_be_read_and_changed(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a.bin") as stream:
        stream.write(b"data")
        stream.seek(0)
        assert stream.read() == b"data"
        stream.seek(1)
        stream.write(b"o")
    assert (tmp_path / "a.bin").read_bytes() == b"dota"


def test_where_links_to_unnamed_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "OPEN_FILES", tmp_path)  # there, but leads nowhere
    for overwrite in (False, True):
        write_bytes(tmp_path / "a.bin", b"data", overwrite=overwrite)
        assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.bin", b"data")]
    with pytest.raises(SubpixelError, match="exists"):
        write_bytes(tmp_path / "a.bin", b"new")


@NEEDS_POSIX
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_what_replaces_a_file_has_its_permissions(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    target.chmod(mode)
    write_bytes(target, b"new", overwrite=True)
    assert stat.S_IMODE(target.stat().st_mode) == mode


@NEEDS_POSIX
@pytest.mark.parametrize("is_admitted", [True, False])
def test_what_replaces_a_file_has_its_owner_where_the_system_admits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draft: str, is_admitted: bool
) -> None:
    target, asked = tmp_path / "a.bin", list[tuple[int, int]]()
    target.write_bytes(b"old")
    target.chmod(0o640)
    owner = (target.stat().st_uid, target.stat().st_gid)
    if os.geteuid() == 0:
        owner = (1234, 2345)
        os.chown(target, *owner)
    whole = os.fchown

    def change(descriptor: int, user: int, group: int) -> None:
        asked.append((user, group))
        if not is_admitted:
            raise PermissionError(1, "Operation not permitted")
        whole(descriptor, user, group)

    monkeypatch.setattr(os, "fchown", change)
    write_bytes(target, b"new", overwrite=True)
    assert draft
    assert asked == [owner]
    assert target.read_bytes() == b"new"
    status = target.stat()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert ((status.st_uid, status.st_gid) == owner) == (is_admitted or os.geteuid() != 0)


@NEEDS_POSIX
def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_bytes(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def make_socket(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(file))


@NEEDS_POSIX
@pytest.mark.parametrize("make", [os.mkfifo, make_socket, Path.mkdir])
def test_what_is_no_file_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    make(Path("a.bin"))
    kind = stat.S_IFMT(Path("a.bin").stat().st_mode)
    with pytest.raises(SubpixelError, match="can't be written: it is a") as error:
        write_bytes(Path("a.bin"), b"data", overwrite=True)
    assert "name a file" in str(error.value)
    assert stat.S_IFMT(Path("a.bin").stat().st_mode) == kind


PROGRAM = """
import os, sys, time
from pathlib import Path
from subpixel.system.files.atomic import atomic_file
if sys.argv[2] == "named" and hasattr(os, "O_TMPFILE"):
    del os.O_TMPFILE
with atomic_file(Path(sys.argv[1])) as stream:
    stream.write(b"half")
    stream.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


@NEEDS_POSIX
def test_only_drafts_of_dead_processes_are_removed(tmp_path: Path, draft: str) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "a.bin"), draft]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        (tmp_path / ".hidden.partial").write_bytes(b"somebody else's")
        remove_stale_drafts(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1 + (draft == "named"), "it is alive"
        process.kill()
    assert len(list(tmp_path.iterdir())) == 1 + (draft == "named")
    write_bytes(tmp_path / "b.bin", b"")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".hidden.partial", "b.bin"]
