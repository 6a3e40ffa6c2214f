"""Folders that appear whole or not at all, and replace nothing that is somebody else's."""

import subprocess
import sys
from pathlib import Path

import pytest

from subpixel.errors import SubpixelError, TargetExistsError
from subpixel.system.files.folders import expect_free_folder, whole_folder


def find_strangers(folder: Path) -> str | None:
    return None if (folder / "mark").exists() else "it holds no mark"


def contents(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("exists", [False, True])
def test_a_new_or_empty_folder_is_written(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "below" / "target"
    if exists:
        target.mkdir(parents=True)
    with whole_folder(target, find_strangers) as draft:
        (draft / "mark").touch()
        assert not exists or not contents(target)
    assert contents(tmp_path) == {"below", "below/target", "below/target/mark"}


def test_nothing_is_left_of_what_failed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "mark").write_text("old")

    def write() -> None:
        with whole_folder(target, find_strangers, overwrite=True) as draft:
            (draft / "mark").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert contents(tmp_path) == {"target", "target/mark"}
    assert (target / "mark").read_text() == "old"


def test_its_own_is_replaced_on_request_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "mark").touch()
    (target / "old").touch()
    with pytest.raises(TargetExistsError, match="--overwrite"):
        expect_free_folder(target, find_strangers, overwrite=False)
    with whole_folder(target, find_strangers, overwrite=True) as draft:
        (draft / "new").touch()
    assert contents(tmp_path) == {"target", "target/new"}


def test_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    with whole_folder(link, find_strangers) as draft:
        (draft / "mark").touch()
    assert link.is_symlink()
    assert contents(tmp_path / "real") == {"mark"}


def test_what_is_somebody_else_s_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    for overwrite in (False, True):
        with pytest.raises(SubpixelError, match=r"is not replaced.*no mark"):
            expect_free_folder(tmp_path, find_strangers, overwrite=overwrite)
    with pytest.raises(SubpixelError, match="no folder"):
        expect_free_folder(tmp_path / "photo.jpg", find_strangers, overwrite=True)
    assert contents(tmp_path) == {"photo.jpg"}


def test_a_folder_that_comes_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "target"

    def write() -> None:
        with whole_folder(target, find_strangers) as draft:
            (draft / "mark").touch()
            target.mkdir()
            (target / "theirs").touch()

    with pytest.raises(SubpixelError, match="is not replaced"):
        write()
    assert contents(tmp_path) == {"target", "target/theirs"}


def test_a_folder_that_can_t_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(SubpixelError, match="can't be written"),
        whole_folder(tmp_path / "file" / "target", find_strangers),
    ):
        pass


KILLED = """
import os, signal, sys
from pathlib import Path
from subpixel.system.files.folders import whole_folder
with whole_folder(Path(sys.argv[1]), lambda folder: None, overwrite=True) as draft:
    (draft / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders can't be locked there")
def test_what_a_killed_process_left_goes_with_the_next_run(tmp_path: Path) -> None:
    """That of one that lives stays."""
    target = tmp_path / "target"
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
    assert done.returncode == -9
    (stale,) = tmp_path.iterdir()
    with whole_folder(tmp_path / "other", find_strangers) as alive:
        with whole_folder(target, find_strangers) as draft:
            (draft / "mark").touch()
        assert not stale.exists()
        assert alive.exists()
    assert contents(tmp_path) == {"other", "target", "target/mark"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_with_a_draft_s_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").touch()
    link = tmp_path / f".{'0' * 16}.partial"
    link.symlink_to(tmp_path / "real")
    with whole_folder(tmp_path / "target", find_strangers):
        pass
    assert (tmp_path / "real" / "file").exists()
