"""Networks of earlier calls stay open, as long as they are what would be opened now."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest

from networks import sub_pixel_network
from subpixel import upscale
from subpixel.errors import NetworkError
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.network.tuning_cache import store_tuning, tuning_key
from subpixel.system.files.hashing import hash_file
from subpixel.upscaling import recent
from subpixel.upscaling.recent import RecentUpscalers, UpscalerRequest
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

FAST, INT8 = find_bundled("fast", 2).path, find_bundled("fast-int8", 2).path
PICTURE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache"


def _tune(setting: RunSettings, file: Path) -> None:
    row = TunedSettings(setting, file, hash_file(file), 2.0, 0.5, 0.1, 50.0)
    store_tuning(Tuning(45.0, row, (row,)), tuning_key(FAST))


def _count_openings(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    opened: list[UpscalerRequest] = []
    really = UpscalerRequest.open

    def count(request: UpscalerRequest) -> Upscaler:
        opened.append(request)
        return really(request)

    monkeypatch.setattr(UpscalerRequest, "open", count)
    return lambda: len(opened)


def test_a_call_again_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_RECENT", RecentUpscalers())
    openings = _count_openings(monkeypatch)
    expected = Upscaler("fast", scale=2, device="cpu")(PICTURE)
    for _ in range(3):
        assert np.array_equal(upscale(PICTURE, model="fast", scale=2), expected)
    assert openings() == 1
    upscale(PICTURE, model="fast", scale=2, tile=32)
    assert openings() == 2


def test_threads_that_call_at_one_time_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    openings = _count_openings(monkeypatch)
    kept = RecentUpscalers()
    with ThreadPoolExecutor(8) as pool:
        upscalers = set(pool.map(lambda _: kept.get(UpscalerRequest("fast", 2)), range(16)))
    assert len(upscalers) == openings() == 1


def test_no_more_than_a_few_stay_open() -> None:
    kept = RecentUpscalers(capacity=2)
    first, second, third = (UpscalerRequest("fast", scale) for scale in (2, 3, 4))
    upscalers = [kept.get(first), kept.get(second)]
    assert kept.get(first) is upscalers[0]
    kept.get(third)
    assert kept.get(first) is upscalers[0], "it was asked for later than the second"
    assert kept.get(second) is not upscalers[1]


@pytest.mark.slow
def test_a_network_that_changes_is_opened_anew(tmp_path: Path) -> None:
    file, kept = tmp_path / "mine.onnx", RecentUpscalers()
    onnx.save(sub_pixel_network(3, 2), file)
    os.utime(file, ns=(0, 0))
    assert kept.get(UpscalerRequest(file)).spec.scale == 2
    onnx.save(sub_pixel_network(3, 4), file)
    assert kept.get(UpscalerRequest(file)).spec.scale == 4
    file.unlink()
    with pytest.raises(NetworkError, match="no such file"):
        kept.get(UpscalerRequest(file))


@pytest.mark.slow
def test_a_name_is_of_the_folder_that_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = RecentUpscalers()
    for scale in (2, 3):
        folder = tmp_path / str(scale)
        folder.mkdir()
        onnx.save(sub_pixel_network(3, scale), folder / "mine.onnx")
        monkeypatch.chdir(folder)
        assert kept.get(UpscalerRequest("mine.onnx")).spec.scale == scale


def test_what_tune_finds_is_used_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """And again what it finds later; `tuning=False` turns it off."""
    monkeypatch.setattr(recent, "_RECENT", RecentUpscalers())
    small = upscale(PICTURE, model="fast", scale=2)
    _tune(RunSettings("cpu", "fp32").resolve(), FAST)
    plain = Upscaler(FAST)(PICTURE)
    assert not np.array_equal(small, plain)
    assert np.array_equal(upscale(PICTURE, model="fast", scale=2), plain)
    assert np.array_equal(Upscaler("fast", scale=2)(PICTURE), plain)
    assert np.array_equal(upscale(PICTURE, model="fast", scale=2, tuning=False), small)
    _tune(RunSettings("cpu", "int8").resolve(), INT8)
    assert np.array_equal(upscale(PICTURE, model="fast", scale=2), small)
