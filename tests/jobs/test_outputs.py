from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.errors import UsageError
from subpixel.jobs import outputs
from subpixel.jobs.folder import Omission
from subpixel.jobs.outputs import Job, JobPlan, Naming, plan_jobs, skip_existing


def _plan(inputs: Sequence[Path], output: Path | None = None) -> tuple[Job, ...]:
    return plan_jobs(inputs, Naming(output, "_x3")).jobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.PNG", "notes.txt", "deep/a.jpg"):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "in"


def test_the_default_is_beside_the_input(folder: Path) -> None:
    jobs = _plan([folder / "a.jpg"])
    assert jobs == (Job(folder / "a.jpg", folder / "a_x3.jpg"),)


def test_one_picture_goes_into_the_file_that_is_named(folder: Path) -> None:
    target = folder / "larger.png"
    assert _plan([folder / "a.jpg"], target) == (Job(folder / "a.jpg", target),)


def test_a_folder_keeps_its_shape_and_leaves_other_files_alone(folder: Path) -> None:
    out = folder.parent / "out"
    targets = [job.target for job in _plan([folder], out)]
    assert targets == [out / "a.jpg", out / "b.PNG", out / "deep" / "a.jpg"]


def test_a_second_run_leaves_the_first_ones_results_alone(folder: Path) -> None:
    (folder / "a_x3.jpg").touch()
    sources = [job.source.name for job in _plan([folder])]
    assert sources == ["a.jpg", "b.PNG", "a.jpg"]


def test_two_pictures_never_share_a_target(folder: Path) -> None:
    pictures = [folder / "a.jpg", folder / "deep" / "a.jpg"]
    with pytest.raises(UsageError, match="would both become"):
        _plan(pictures, folder.parent / "out")
    with pytest.raises(UsageError, match="name a folder"):
        _plan(pictures, folder / "one.png")


def test_names_that_differ_in_case_alone_are_one_file_on_some_systems(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "A.jpg").touch()
    monkeypatch.setattr(outputs, "are_distinct", lambda first, second: False)
    with pytest.raises(UsageError, match="would both become"):
        _plan([folder], folder.parent / "out")


def test_names_that_differ_in_case_alone_are_two_files_where_the_file_system_says_so(
    tmp_path: Path,
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.jpg", "A.jpg", "é.jpg", "e\u0301.jpg"):
        (source / name).touch()
    names = sorted(file.name for file in source.iterdir())
    assert [job.target.name for job in _plan([source], tmp_path / "out")] == names
    assert list(tmp_path.iterdir()) == [source], "what was tried out is gone"


def test_the_same_picture_twice_is_one_picture(folder: Path) -> None:
    assert len(_plan([folder / "a.jpg"] * 2)) == 1


def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pictures in"):
        _plan([tmp_path])


@pytest.mark.parametrize("output", ["/dev/null", "notes"])
def test_what_is_no_folder_takes_no_pictures(folder: Path, output: str) -> None:
    (folder / "notes").write_text("mine")
    naming = Naming(folder / output)
    with pytest.raises(UsageError, match="is no folder, and its name has no suffix"):
        plan_jobs([folder], naming)


def test_an_input_is_never_overwritten(folder: Path) -> None:
    with pytest.raises(UsageError, match="never overwritten"):
        _plan([folder], folder)
    with pytest.raises(UsageError, match="never overwritten"):
        _plan([folder / "a.jpg"], folder / "a.jpg")


def test_an_input_is_never_overwritten_through_a_link(folder: Path) -> None:
    link = folder.parent / "link.jpg"
    try:
        link.symlink_to(folder / "a.jpg")
    except OSError:
        pytest.skip("this system lets nobody make symbolic links")
    with pytest.raises(UsageError, match="never overwritten"):
        _plan([folder / "a.jpg"], link)


def test_a_suffix_of_no_picture_format_is_no_folder(folder: Path) -> None:
    with pytest.raises(UsageError, match="names no picture format"):
        _plan([folder / "a.jpg"], folder / "a.txt")


STEMS = st.text(st.sampled_from("aAé_x3.2 "), min_size=1, max_size=6).filter(
    lambda stem: not stem.startswith(".") and stem.strip(". ") != ""
)
FILES = st.sets(st.tuples(STEMS, st.sampled_from([".jpg", ".JPG", ".png", ".webp"])), min_size=1)
NAMINGS = st.builds(
    lambda mark, marks_all, suffix, beside: (mark, marks_all, suffix, beside),
    st.sampled_from(["_x3", "-large", ".big"]),
    st.booleans(),
    st.sampled_from([None, ".webp", ".png"]),
    st.booleans(),
)


def _plan_unless_refused(inputs: Sequence[Path], naming: Naming) -> JobPlan | None:
    """None where an input or another result would be overwritten; names of other cases differ."""
    with pytest.MonkeyPatch.context() as patch, suppress(UsageError):
        patch.setattr(outputs, "are_distinct", lambda first, second: True)
        return plan_jobs(inputs, naming)
    return None


@pytest.mark.slow
@given(files=FILES, naming=NAMINGS)
def test_any_names_get_a_place_each_and_spare_the_inputs(
    files: set[tuple[str, str]], naming: tuple[str, bool, str | None, bool]
) -> None:
    """By the names alone: nothing lies on the disk."""
    mark, marks_all, suffix, beside = naming
    inputs = sorted(Path("/nowhere/in") / (stem + end) for stem, end in files)
    output = None if beside else Path("/nowhere/out")
    plan = _plan_unless_refused(inputs, Naming(output, mark, marks_all, suffix))
    if plan is None:
        return
    assert [job.source for job in plan.jobs] == inputs
    targets = [job.target for job in plan.jobs]
    assert len(set(targets)) == len(targets)
    assert not set(targets) & set(inputs)
    for job in plan.jobs:
        assert job.target.parent == (job.source.parent if beside else output)
        assert job.target.suffix == (suffix or job.source.suffix)
        assert job.target.name.startswith(job.source.stem)
        assert (mark in job.target.name[len(job.source.stem) :]) == (beside or marks_all)


def test_two_names_that_a_new_suffix_makes_one_stay_two(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.webp", "b.jpg"):
        (tmp_path / name).touch()
    plan = plan_jobs([tmp_path], Naming(tmp_path / "out", suffix=".webp"))
    assert [job.target.name for job in plan.jobs] == [
        "a.webp",
        "a.png.webp",
        "b.jpg.webp",
        "b.webp",
    ]


def test_what_a_suffix_does_not_tell_the_content_does(tmp_path: Path) -> None:
    (tmp_path / "a.jfif").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0")
    (tmp_path / "b").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    (tmp_path / "c.jpg_original").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0")
    (tmp_path / "c.jpg").touch()
    plan = _plan([tmp_path], tmp_path / "out")
    names = [(job.source.name, job.target.name) for job in plan]
    assert names == [
        ("a.jfif", "a.jpg"),
        ("b", "b.png"),
        ("c.jpg", "c.jpg"),
        ("c.jpg_original", "c.jpg_original.jpg"),
    ]
    assert _plan([tmp_path / "b"])[0].target == tmp_path / "b_x3.png"


def test_results_may_go_into_the_folder_of_their_inputs(folder: Path) -> None:
    naming = Naming(folder, "-large", marks_all=True)
    names = [job.target.relative_to(folder).as_posix() for job in plan_jobs([folder], naming).jobs]
    assert names == ["a-large.jpg", "b-large.PNG", "deep/a-large.jpg"]


def test_what_exists_can_be_left_out(folder: Path) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (out / "a.jpg").touch()
    plan = skip_existing(plan_jobs([folder], Naming(out)))
    assert [job.source for job in plan.jobs] == [folder / "b.PNG", folder / "deep" / "a.jpg"]
    assert Omission(folder / "a.jpg", "existing") in plan.omissions
    everything = skip_existing(plan_jobs([folder / "a.jpg"], Naming(out)))
    assert everything.jobs == ()


def test_the_same_file_by_two_ways_is_one_picture(folder: Path) -> None:
    around = folder / "deep" / ".." / "a.jpg"
    assert _plan([around, folder]) == (
        Job(around, around.with_stem("a_x3")),
        *_plan([folder])[1:],
    )


def test_a_name_that_is_too_long_stops_no_plan(folder: Path) -> None:
    long = folder / f"{'n' * 300}.jpg"
    assert _plan([long, folder / "a.jpg"])[1].source == folder / "a.jpg"


@pytest.mark.parametrize(
    ("letter", "count"), [("a", 251), ("é", 125), ("\U0001f5bc", 62), ("a", 248)]
)
def test_a_name_that_would_be_too_long_is_cut(tmp_path: Path, letter: str, count: int) -> None:
    source = tmp_path / (letter * count + ".jpg")
    source.touch()
    (job,) = _plan([source])
    job.target.touch()
    assert job.target.name.endswith("_x3.jpg")
    assert source.name.startswith(job.target.name.removesuffix("_x3.jpg"))
    assert 255 - len(letter.encode()) < len(job.target.name.encode()) <= 255
    assert _plan([tmp_path]) == (job,), "and is known for a result"


def test_names_that_are_cut_alike_stay_apart(tmp_path: Path) -> None:
    """Also after a second run, which takes none of the first one's results for an input."""
    names = [f"{'n' * 249}{letter}.jpg" for letter in "abc"]
    for name in names:
        (tmp_path / name).touch()
    plan = _plan([tmp_path])
    ends = [job.target.name.lstrip("n") for job in plan]
    assert ends == ["_x3.jpg", "~2_x3.jpg", "~3_x3.jpg"]
    for job in plan:
        job.target.touch()
    assert _plan([tmp_path]) == plan
