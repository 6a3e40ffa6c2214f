"""A cluster's job in one process: the journal of a folder and that behind a URL, after any end."""

import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cluster_jobs import (
    LocalPool,
    journal_objects,
    kill_driver,
    make_order,
    recorded_units,
    run_job,
    stored_hashes,
    upload,
    write_pictures,
)
from subpixel.errors import JobStoppedError, ProviderError, UsageError
from subpixel.jobs.cluster import journals
from subpixel.jobs.cluster.recorder import UrlRecorder
from subpixel.jobs.cluster.run import ClusterRun
from subpixel.jobs.cluster.store import FolderStore, Store
from subpixel.jobs.cluster.units import plan_units
from subpixel.jobs.cluster.worker import UnitWorker
from subpixel.jobs.journal.picture_run import PictureRun
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Naming, plan_jobs
from subpixel.jobs.pictures import PictureFiles, upscale_files
from subpixel.media.image_file import write_picture
from subpixel.media.picture import Picture
from subpixel.system.files import atomic
from subpixel.upscaling.upscaler import Upscaler

pytest.importorskip("fsspec", reason="needs the extra ray")

from subpixel.jobs.cluster.url_store import UrlStore

COUNT = 6


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler("espcn", scale=2, threads=1, tuning=False)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def hashes(
    pictures: Path, upscaler: Upscaler, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Of the results of one process without a cluster or a journal."""
    target = tmp_path_factory.mktemp("alone")
    jobs = plan_jobs([pictures], Naming(target)).jobs
    assert not any(r.error for r in upscale_files(upscaler, jobs, PictureFiles(), JobOptions()))
    return stored_hashes(FolderStore(target))


@pytest.fixture(params=["folder", "url"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return FolderStore(tmp_path / "out")
    return UrlStore.open(f"memory://{uuid.uuid4().hex}/out")


@pytest.fixture
def bucket(pictures: Path) -> UrlStore:
    store = UrlStore.open(f"memory://{uuid.uuid4().hex}/in")
    upload(pictures, store)
    return store


@pytest.mark.slow
def test_results_are_those_of_one_process(
    bucket: UrlStore, target: Store, upscaler: Upscaler, hashes: dict[str, str]
) -> None:
    trial = run_job(make_order(bucket, target, upscaler))
    assert (trial.errors, sorted(trial.computed)) == ([], sorted(hashes))
    assert stored_hashes(target) == hashes


def test_second_run_computes_nothing(pictures: Path, target: Store, upscaler: Upscaler) -> None:
    order = make_order(FolderStore(pictures), target, upscaler)
    run_job(order)
    again = run_job(order)
    assert (again.resumption.done, again.computed, again.results) == (COUNT, [], [])


def test_no_result_of_a_picture_that_is_gone_is_replaced(
    target: Store, upscaler: Upscaler, tmp_path: Path
) -> None:
    """As of a folder: :mod:`test_kept_names`."""
    order = make_order(FolderStore(tmp_path / "in"), target, upscaler)
    jpeg, png = tmp_path / "in" / "p.jpg", tmp_path / "in" / "p.png"
    jpeg.parent.mkdir()
    write_picture(Picture(np.zeros((1, 9, 9, 3), np.uint8)), jpeg)
    assert run_job(order, suffix=".webp").computed == ["p.webp"]
    write_picture(Picture(np.full((1, 9, 9, 3), 9, np.uint8)), jpeg, overwrite=True)
    (changed,) = run_job(order, suffix=".webp").results
    assert changed.replaced == "its picture has other content"
    first = stored_hashes(target)
    jpeg.rename(png)
    write_picture(Picture(np.full((1, 9, 9, 3), 99, np.uint8)), png, overwrite=True)
    (error,) = run_job(order, suffix=".webp").errors
    assert "p.webp exists; use --overwrite" in error
    assert stored_hashes(target) == first
    write_picture(Picture(np.full((1, 9, 9, 3), 9, np.uint8)), jpeg)
    assert run_job(order, suffix=".webp").computed == ["p.png.webp"]
    jpeg.unlink()
    assert run_job(order, suffix=".webp").computed == []


def test_killed_driver_goes_on(
    pictures: Path, target: Store, upscaler: Upscaler, hashes: dict[str, str]
) -> None:
    order = make_order(FolderStore(pictures), target, upscaler)
    before = kill_driver(order, 2)
    after = run_job(order)
    assert len(before) == 3
    assert sorted(before + after.computed) == sorted(
        hashes
    )  # each once, that of the last moment too
    assert stored_hashes(target) == hashes


def test_records_behind_a_url_are_gathered(
    pictures: Path, upscaler: Upscaler, hashes: dict[str, str]
) -> None:
    target = UrlStore.open(f"memory://{uuid.uuid4().hex}/out")
    order = make_order(FolderStore(pictures), target, upscaler)
    kill_driver(order, 2)
    assert sum("unit" in name for name in journal_objects(target)) == 3
    run_job(order)
    assert not any("unit" in name for name in journal_objects(target))
    assert set(recorded_units(target)) == set(hashes)


def test_packs_are_written_as_the_job_goes(
    pictures: Path, upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "PACK_UNITS", 2)
    target = UrlStore.open(f"memory://{uuid.uuid4().hex}/out")
    kill_driver(make_order(FolderStore(pictures), target, upscaler), 5)
    assert sum("unit" in name for name in journal_objects(target)) == 2  # the last two of six
    assert len(journal_objects(target)) == 2 + 3  # the beginning, and two packs


def test_worker_that_dies_between_record_and_result_has_done_nothing(
    pictures: Path,
    target: Store,
    upscaler: Upscaler,
    hashes: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = make_order(FolderStore(pictures), target, upscaler)
    with monkeypatch.context() as patch:
        move = atomic._move_into_place

        def die(draft: object, file: Path, **values: bool) -> None:
            if file.suffix == ".png":
                raise ZeroDivisionError
            move(draft, file, **values)

        patch.setattr(atomic, "_move_into_place", die)
        patch.setattr("fsspec.implementations.memory.MemoryFileSystem.put_file", _die)
        assert len(run_job(order).errors) == COUNT
    assert stored_hashes(target) == {}
    assert set(recorded_units(target)) == set(hashes)
    assert sorted(run_job(order).computed) == sorted(hashes)
    assert stored_hashes(target) == hashes


def _die(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def test_answer_that_was_lost_is_found_again(
    pictures: Path, target: Store, upscaler: Upscaler, hashes: dict[str, str]
) -> None:
    """An actor had done a unit and died before it said so: another is told to do it again."""
    order = make_order(FolderStore(pictures), target, upscaler)

    class ForgetfulPool:
        size = 1

        def do(self, chunks):  # noqa: ANN001, ANN202
            for units in chunks:
                UnitWorker(order).do(units)
                yield from UnitWorker(order).do(units)

    with ClusterRun(order) as run:
        left, _, _ = run.begin(plan_units(order.source, order.target, Naming(Path())))
        results = list(run.upscale(left, ForgetfulPool()))
    assert [result.error for result in results] == [None] * COUNT
    assert len(recorded_units(target)) == COUNT
    assert stored_hashes(target) == hashes
    assert run_job(order).computed == []


@pytest.mark.parametrize("pack", [1, 1000])
def test_two_drivers_at_once_do_no_picture_again(
    pictures: Path,
    target: Store,
    upscaler: Upscaler,
    hashes: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    pack: int,
) -> None:
    monkeypatch.setattr(journals, "PACK_UNITS", pack)
    order = make_order(FolderStore(pictures), target, upscaler)
    pool = LocalPool(order)
    with ClusterRun(order) as run:
        left, _, _ = run.begin(plan_units(order.source, order.target, Naming(Path())))
        early = list(run.upscale(left[:2], pool))
        other = run_job(order)
        late = list(run.upscale(left[2:], pool))
    assert [result.error for result in [*early, *late]] == [None] * COUNT
    assert sorted(pool.done + other.computed) == sorted(hashes)
    assert stored_hashes(target) == hashes


def test_changed_picture_is_done_again_and_no_other(
    tmp_path: Path, target: Store, upscaler: Upscaler
) -> None:
    write_pictures(tmp_path / "in", 4)
    order = make_order(FolderStore(tmp_path / "in"), target, upscaler)
    run_job(order)
    pixels = np.full((1, 12, 13, 3), 90, np.uint8)
    write_picture(Picture(pixels), tmp_path / "in/part1/p1.png", overwrite=True)
    assert run_job(order).computed == ["part1/p1.png"]
    assert run_job(order).computed == []


def test_result_that_is_gone_is_made_again(pictures: Path, upscaler: Upscaler) -> None:
    target = UrlStore.open(f"memory://{uuid.uuid4().hex}/out")
    order = make_order(FolderStore(pictures), target, upscaler)
    run_job(order)
    target.remove(["part0/p0.png"])
    target.write("part1/p1.png", b"damaged")
    again = run_job(order)
    assert again.computed == ["part0/p0.png"]
    assert [error.split(";")[0] for error in again.errors] == [f"{target.url}/part1/p1.png exists"]


def test_foreign_file_is_left_alone(pictures: Path, target: Store, upscaler: Upscaler) -> None:
    with target.deliver("part0/p2.png") as file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"somebody's")
    order = make_order(FolderStore(pictures), target, upscaler)
    trial = run_job(order)
    assert len(trial.computed) == COUNT - 1
    assert [error.startswith(target.describe("part0/p2.png")) for error in trial.errors] == [True]
    options = JobOptions(overwrite=True)
    assert run_job(make_order(order.source, target, upscaler, options)).computed == ["part0/p2.png"]


def test_results_of_other_settings_are_not_replaced(
    pictures: Path, target: Store, upscaler: Upscaler
) -> None:
    order = make_order(FolderStore(pictures), target, upscaler)
    run_job(order)
    other = make_order(order.source, target, Upscaler("espcn", scale=3, threads=1, tuning=False))
    with pytest.raises(UsageError) as caught:
        run_job(other)
    assert str(caught.value).startswith(f"{target.name} holds results that were made otherwise")
    assert len(run_job(other, fresh=True).computed) == COUNT


def test_bad_picture_fails_by_its_name_and_no_other(
    bucket: UrlStore, target: Store, upscaler: Upscaler
) -> None:
    bucket.write("part0/bad.png", b"no picture")
    trial = run_job(make_order(bucket, target, upscaler))
    assert len(trial.computed) == COUNT
    assert len(trial.errors) == 1
    assert f"{bucket.url}/part0/bad.png" in trial.errors[0]
    assert "/tmp" not in trial.errors[0].replace(target.name, "")


def test_journal_that_cant_be_written_ends_the_job(
    pictures: Path, upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = UrlStore.open(f"memory://{uuid.uuid4().hex}/out")
    monkeypatch.setattr(UrlRecorder, "record", _refuse)
    with pytest.raises(JobStoppedError, match="no more room"):
        run_job(make_order(FolderStore(pictures), target, upscaler))
    assert stored_hashes(target) == {}


def _refuse(*_: object) -> None:
    raise JobStoppedError("no more room")


def test_machine_that_computes_otherwise_is_refused(
    pictures: Path, target: Store, upscaler: Upscaler
) -> None:
    order = replace(make_order(FolderStore(pictures), target, upscaler), digest="another")
    with pytest.raises(ProviderError, match="would compute other pixels"):
        UnitWorker(order)


def test_folder_goes_on_with_a_cluster_and_without(
    pictures: Path, tmp_path: Path, upscaler: Upscaler, hashes: dict[str, str]
) -> None:
    target = FolderStore(tmp_path / "out")
    order = make_order(FolderStore(pictures), target, upscaler)
    kill_driver(order, 2)
    run = PictureRun(target.folder, upscaler, JobOptions())
    left, resumption = run.begin(plan_jobs([pictures], Naming(target.folder)).jobs)
    assert (resumption.done, len(left)) == (3, COUNT - 3)
    list(run.upscale(left[:2], PictureFiles()))
    run.close()
    assert len(run_job(order).computed) == 1
    assert stored_hashes(target) == hashes
