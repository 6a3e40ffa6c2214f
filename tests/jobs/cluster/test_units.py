"""Which picture of a place becomes which result."""

from pathlib import Path

import pytest

from subpixel.errors import UsageError
from subpixel.jobs.cluster.store import FolderStore
from subpixel.jobs.cluster.units import Unit, chunk_units, plan_units
from subpixel.jobs.outputs import Naming, plan_jobs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place in ("in/a.png", "in/a.jpg", "in/b/a.png", "in/b/c/d.gif", "in/b/note.txt"):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"?")
    return tmp_path


@pytest.mark.parametrize("suffix", [None, ".webp"])
def test_results_have_the_names_that_one_process_gives_them(
    folder: Path, suffix: str | None
) -> None:
    source, target = folder / "in", folder / "out"
    plan = plan_units(FolderStore(source), FolderStore(target), Naming(Path(), suffix=suffix))
    jobs = plan_jobs([source], Naming(target, suffix=suffix)).jobs
    assert {(source / unit.source, target / unit.key) for unit in plan.units} == {
        (job.source, job.target) for job in jobs
    }
    assert [item.path.name for item in plan.omissions] == ["note.txt"]


def test_results_may_not_lie_among_the_pictures(folder: Path) -> None:
    store = FolderStore(folder / "in")
    with pytest.raises(UsageError, match="results need a place of their own"):
        plan_units(store, FolderStore(folder / "b" / ".." / "in"), Naming(Path()))


def test_place_without_pictures_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pictures in"):
        plan_units(FolderStore(tmp_path), FolderStore(tmp_path / "out"), Naming(Path()))
    with pytest.raises(UsageError, match="is no folder"):
        plan_units(FolderStore(tmp_path / "no"), FolderStore(tmp_path / "out"), Naming(Path()))


def test_chunks_hold_each_unit_once() -> None:
    units = [Unit(str(number), str(number)) for number in range(10)]
    chunks = list(chunk_units(units, 4))
    assert [len(chunk) for chunk in chunks] == [4, 4, 2]
    assert [unit for chunk in chunks for unit in chunk] == units
