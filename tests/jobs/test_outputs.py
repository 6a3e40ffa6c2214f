from pathlib import Path

import pytest

from subpixel.errors import UsageError
from subpixel.jobs.outputs import Job, plan_jobs

SUFFIXES = frozenset({".jpg", ".png"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.PNG", "notes.txt", "deep/a.jpg"):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "in"


def test_the_default_is_beside_the_input(folder: Path) -> None:
    jobs = plan_jobs([folder / "a.jpg"], None, SUFFIXES, "_x3")
    assert jobs == (Job(folder / "a.jpg", folder / "a_x3.jpg"),)


def test_one_picture_goes_into_the_file_that_is_named(folder: Path) -> None:
    target = folder / "larger.png"
    assert plan_jobs([folder / "a.jpg"], target, SUFFIXES, "_x3") == (
        Job(folder / "a.jpg", target),
    )


def test_a_folder_keeps_its_shape_and_leaves_other_files_alone(folder: Path) -> None:
    out = folder.parent / "out"
    targets = [job.target for job in plan_jobs([folder], out, SUFFIXES, "_x3")]
    assert targets == [out / "a.jpg", out / "b.PNG", out / "deep" / "a.jpg"]


def test_a_second_run_leaves_the_first_ones_results_alone(folder: Path) -> None:
    (folder / "a_x3.jpg").touch()
    sources = [job.source.name for job in plan_jobs([folder], None, SUFFIXES, "_x3")]
    assert sources == ["a.jpg", "b.PNG", "a.jpg"]


def test_two_pictures_never_share_a_target(folder: Path) -> None:
    pictures = [folder / "a.jpg", folder / "deep" / "a.jpg"]
    with pytest.raises(UsageError, match="would both become"):
        plan_jobs(pictures, folder.parent / "out", SUFFIXES, "_x3")
    with pytest.raises(UsageError, match="name a folder"):
        plan_jobs(pictures, folder / "one.png", SUFFIXES, "_x3")


def test_names_that_differ_in_case_alone_are_one_file_on_some_systems(folder: Path) -> None:
    (folder / "A.jpg").touch()
    with pytest.raises(UsageError, match="would both become"):
        plan_jobs([folder], folder.parent / "out", SUFFIXES, "_x3")


def test_the_same_picture_twice_is_one_picture(folder: Path) -> None:
    assert len(plan_jobs([folder / "a.jpg"] * 2, None, SUFFIXES, "_x3")) == 1


def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pictures in"):
        plan_jobs([tmp_path], None, SUFFIXES, "_x3")


def test_an_input_is_never_overwritten(folder: Path) -> None:
    with pytest.raises(UsageError, match="never overwritten"):
        plan_jobs([folder], folder, SUFFIXES, "_x3")
    with pytest.raises(UsageError, match="never overwritten"):
        plan_jobs([folder / "a.jpg"], folder / "a.jpg", SUFFIXES, "_x3")


def test_an_input_is_never_overwritten_through_a_link(folder: Path) -> None:
    link = folder.parent / "link.jpg"
    try:
        link.symlink_to(folder / "a.jpg")
    except OSError:
        pytest.skip("this system lets nobody make symbolic links")
    with pytest.raises(UsageError, match="never overwritten"):
        plan_jobs([folder / "a.jpg"], link, SUFFIXES, "_x3")


def test_a_suffix_of_no_picture_format_is_no_folder(folder: Path) -> None:
    with pytest.raises(UsageError, match="names no picture format"):
        plan_jobs([folder / "a.jpg"], folder / "a.xyz", SUFFIXES, "_x3")


@pytest.mark.parametrize(
    ("letter", "count"), [("a", 251), ("é", 125), ("\U0001f5bc", 62), ("a", 248)]
)
def test_a_name_that_would_be_too_long_is_cut(tmp_path: Path, letter: str, count: int) -> None:
    source = tmp_path / (letter * count + ".jpg")
    source.touch()
    (job,) = plan_jobs([source], None, frozenset({".jpg"}), "_x3")
    job.target.touch()
    assert job.target.name.endswith("_x3.jpg")
    assert source.name.startswith(job.target.name.removesuffix("_x3.jpg"))
    assert 255 - len(letter.encode()) < len(job.target.name.encode()) <= 255
