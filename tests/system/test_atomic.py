"""A file appears whole or not at all, whatever happens on the way."""

import os
from pathlib import Path

import pytest

from subpixel.errors import SubpixelError
from subpixel.system.atomic import atomic_path, write_bytes


def test_writes_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.bin", b"data")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.bin", b"data")]


def test_nothing_is_seen_before_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    with atomic_path(target) as partial:
        partial.write_bytes(b"data")
        assert not target.exists()
        assert partial.parent == target.parent, "the rename must stay on one file system"
        assert partial.name.endswith(".partial")
    assert target.read_bytes() == b"data"


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, ValueError, OSError])
def test_any_exception_leaves_things_as_they_were(
    tmp_path: Path, problem: type[BaseException]
) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_path(target, overwrite=True) as partial:
            partial.write_bytes(b"half")
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
        with atomic_path(target) as partial:
            partial.write_bytes(b"ours")
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
