"""Folders that appear whole or not at all, and replace nothing that is somebody else's."""

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
