"""Caches are counted and removed, and nothing outside of their folder is."""

import sys
from pathlib import Path

import pytest

from subpixel.network.tuning_cache import tuning_folder
from subpixel.runtime.devices import provider_options
from subpixel.serve.vendor import vendor_folder
from subpixel.system.files.cache import (
    CACHES,
    CacheSize,
    cache_folder,
    measure_cache,
    remove_cache,
)
from subpixel.train.data.prepared import sizes_folder
from subpixel.zoo.gallery.store import gallery_folder

GALLERY, TUNING, SESSIONS, JOBS, TRAINING, PAGE = CACHES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "subpixel")
    for name in ("gallery/networks/a.onnx", "gallery/b.json", "tuning/c.json", "networks/d.onnx"):
        file = tmp_path / "subpixel" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(100))
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "photo.jpg").write_bytes(bytes(5000))
    return tmp_path / "subpixel"


def test_each_room_s_folder_is_one_of_a_cache(folder: Path) -> None:
    engines = Path(provider_options("tensorrt", cache_folder())["trt_engine_cache_path"])
    for cache, place in ((GALLERY, gallery_folder()), (TUNING, tuning_folder())):
        assert place in cache.paths
    assert engines == folder / SESSIONS.folders[0]
    assert sizes_folder() == folder / TRAINING.folders[0]
    assert vendor_folder().parent == folder / PAGE.folders[0]


@pytest.mark.usefixtures("folder")
def test_caches_are_measured() -> None:
    assert [measure_cache(cache) for cache in CACHES] == [
        CacheSize(2, 200),
        CacheSize(2, 200),
        CacheSize(0, 0),
        CacheSize(0, 0),
        CacheSize(0, 0),
        CacheSize(0, 0),
    ]


def test_one_is_removed_and_the_others_stay(folder: Path) -> None:
    removal = remove_cache(TUNING)
    assert (removal.space, removal.faults) == (CacheSize(2, 200), ())
    assert sorted(path.name for path in folder.iterdir()) == ["gallery"]
    assert remove_cache(SESSIONS).space == CacheSize()


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_nothing_that_lies_elsewhere_is_removed(folder: Path) -> None:
    precious = folder.parent / "precious"
    (folder / "gallery" / "linked").symlink_to(precious)
    (folder / "gallery" / "photo.jpg").symlink_to(precious / "photo.jpg")
    (folder / "tensorrt").symlink_to(precious)
    (folder / "notes.txt").write_text("somebody's")
    assert measure_cache(SESSIONS) == CacheSize()
    assert remove_cache(GALLERY).faults == ()
    removal = remove_cache(SESSIONS)
    assert removal.space == CacheSize()
    (fault,) = removal.faults
    assert fault == f"{folder / 'tensorrt'} is a link to {precious}; remove it yourself"
    assert (precious / "photo.jpg").stat().st_size == 5000
    assert sorted(path.name for path in folder.iterdir()) == [
        "networks",
        "notes.txt",
        "tensorrt",
        "tuning",
    ]
