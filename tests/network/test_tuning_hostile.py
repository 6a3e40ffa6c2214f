"""Whatever lies in the folder of tunings: a line is said, and pictures are as without it."""

import copy
import dataclasses
import hashlib
import json
import math
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subpixel.graph.metadata import load_model, read_spec, with_spec
from subpixel.network import tuning_cache
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.network.tuning_cache import list_tunings, load_tuning, store_tuning, tuning_key
from subpixel.system.files.hashing import hash_file
from subpixel.upscaling.upscaler import Upscaler
from subpixel.zoo.manifest import find_bundled

FAST, INT8 = find_bundled("fast", 2).path, find_bundled("fast-int8", 2).path
OTHER_NETWORK = find_bundled("balanced-int8", 2).path


def _row(setting: RunSettings, file: Path) -> TunedSettings:
    return TunedSettings(setting, file, hash_file(file), 1.0, 1.0, 0.1, math.inf)


DEFAULT = _row(RunSettings("cpu", "fp32").resolve(), FAST)
QUICK = _row(RunSettings("cpu", "int8", tile=256).resolve(), INT8)
FOUND = Tuning(45.0, DEFAULT, (QUICK, DEFAULT))

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**4000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FAST_SETTINGS = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: folder)
    key = tuning_key(FAST)
    monkeypatch.setattr(tuning_cache, "tuning_key", lambda file: key)
    yield folder
    for place in (folder, folder / "tuning"):
        if place.is_dir() and not place.is_symlink():
            place.chmod(0o755)


def _load() -> tuple[Tuning | None, list[str]]:
    lines: list[str] = []
    tuning = load_tuning(FAST, warn=lines.append)
    assert all("\n" not in line for line in lines)
    return tuning, lines


def _store(tuning: object) -> Path:
    """A file whose key and checksum are right, whatever it holds."""
    file = store_tuning(FOUND, tuning_cache.tuning_key(FAST))
    content = json.loads(file.read_bytes())
    digest = hashlib.sha256(json.dumps(tuning).encode()).hexdigest()
    file.write_text(json.dumps({**content, "sha256": digest, "tuning": tuning}))
    return file


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401
    if not isinstance(value, (dict, list)):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    inner = [place for key, item in items for place in _places(item, (*path, key))]
    return [path, *inner] if path else inner


GOOD = json.loads(json.dumps(dataclasses.asdict(FOUND), default=str))


@FAST_SETTINGS
@given(st.data(), ANYTHING)
@pytest.mark.usefixtures("cache")
def test_any_value_anywhere_is_ignored_or_a_tuning_of_this_network(
    data: st.DataObject, value: object
) -> None:
    tuning = copy.deepcopy(GOOD)
    *path, last = data.draw(st.sampled_from(_places(tuning)))
    place = tuning
    for key in path:
        place = place[key]
    place[last] = value
    _store(tuning)
    loaded, lines = _load()
    if loaded is None or len(loaded.rows) < len(tuning["rows"]):
        assert len(lines) >= 1
    for row in loaded.rows if loaded else ():
        assert row.file in (FAST, INT8)
        assert 0 <= row.ratio < math.inf
        assert 0 <= row.opening < math.inf
    list_tunings()


@FAST_SETTINGS
@given(st.binary(max_size=200) | ANYTHING.map(lambda value: json.dumps(value).encode()))
@pytest.mark.usefixtures("cache")
def test_any_bytes_are_ignored_with_one_line(data: bytes) -> None:
    file = _store(GOOD)
    file.write_bytes(data)
    assert (_load()[0], len(_load()[1])) == (None, 1)
    assert len(list_tunings()[1]) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,
        b'{"key":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"key": ' + b"9" * 10_000 + b"}",
        b"\xff\xfe{}",
        b'"' + b"a" * (5 << 20) + b'"',
        b"",
    ],
    ids=["open", "deep", "digits", "utf-8", "huge", "empty"],
)
@pytest.mark.usefixtures("cache")
def test_bombs_are_ignored_with_one_line(content: bytes) -> None:
    _store(GOOD).write_bytes(content)
    loaded, lines = _load()
    assert loaded is None
    assert len(lines) == 1
    assert len(lines[0]) < 600


@pytest.mark.usefixtures("cache")
def test_a_pipe_or_a_folder_in_a_files_place_is_ignored() -> None:
    file = _store(GOOD)
    for make in (os.mkfifo, Path.mkdir) if hasattr(os, "mkfifo") else (Path.mkdir,):
        file.rmdir() if file.is_dir() else file.unlink()
        make(file)
        loaded, lines = _load()
        assert loaded is None
        assert len(lines) == 1


def _loop(folder: Path) -> None:
    folder.symlink_to(folder)


def _file(folder: Path) -> None:
    folder.write_text("no folder")


def _closed(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0)
    if os.access(folder, os.R_OK):
        pytest.skip("the superuser may read anything")


@pytest.mark.parametrize("make", [_loop, _file, _closed])
@pytest.mark.parametrize("place", [".", "tuning"])
def test_a_folder_that_cant_be_read_is_said_once_and_pictures_go_on(
    make: Callable[[Path], None], place: str, cache: Path
) -> None:
    folder = cache / place
    folder.parent.mkdir(exist_ok=True)
    make(folder)
    picture = np.zeros((9, 8, 3), np.uint8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        larger = Upscaler(FAST)(picture)
    assert len(caught) == 1
    assert "can't be read" in str(caught[0].message)
    assert np.array_equal(larger, Upscaler(FAST, tuning=False)(picture))
    assert len(list_tunings()[1]) == 1


def test_permission_refused_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for anybody but the superuser."""
    _store(GOOD)

    def refuse(_folder: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    loaded, lines = _load()
    assert loaded is None
    assert lines == [
        f"{cache / 'tuning'} can't be read (Permission denied); what tune found is not used"
    ]


def _copy_to(file: Path, source: Path = INT8) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(source.read_bytes())
    return file


def _link_out(cache: Path) -> Path:
    link = cache / "networks" / "made.onnx"
    link.parent.mkdir(parents=True)
    link.symlink_to(_copy_to(cache.parent / "elsewhere.onnx"))
    return link


def _with_other_facts(cache: Path) -> Path:
    model = load_model(INT8)
    spec = read_spec(model)
    assert spec is not None
    file = _copy_to(cache / "networks" / "made.onnx")
    onnx.save(with_spec(model, dataclasses.replace(spec, scale=3)), file)
    return file


def _without_facts(cache: Path) -> Path:
    model = load_model(INT8)
    del model.metadata_props[:]
    file = _copy_to(cache / "networks" / "made.onnx")
    onnx.save(model, file)
    return file


@pytest.mark.parametrize(
    "choose",
    [
        lambda cache: _copy_to(cache.parent / "elsewhere.onnx"),
        lambda cache: _copy_to(cache / "networks" / ".." / ".." / "elsewhere.onnx"),
        lambda cache: _copy_to(cache / "networks" / "deeper" / "made.onnx"),
        _link_out,
        lambda cache: OTHER_NETWORK,
        lambda cache: _copy_to(cache / "networks" / "made.onnx", OTHER_NETWORK),
        _with_other_facts,
        _without_facts,
        lambda cache: FAST,
    ],
    ids=["elsewhere", "dots", "deeper", "link", "other", "its-copy", "facts", "none", "precision"],
)
def test_a_file_that_is_no_form_of_the_network_is_refused(
    choose: Callable[[Path], Path], cache: Path
) -> None:
    file = choose(cache)
    row = dataclasses.replace(QUICK, file=file, sha256=hash_file(file))
    store_tuning(Tuning(45.0, DEFAULT, (row, DEFAULT)), tuning_cache.tuning_key(FAST))
    loaded, lines = _load()
    assert loaded == Tuning(45.0, DEFAULT, (DEFAULT,))
    assert len(lines) == 1
    assert "not used" in lines[0]


def test_a_form_that_tune_made_is_used(cache: Path) -> None:
    row = dataclasses.replace(QUICK, file=_copy_to(cache / "networks" / "made.onnx"))
    store_tuning(Tuning(45.0, DEFAULT, (row, DEFAULT)), tuning_cache.tuning_key(FAST))
    assert _load() == (Tuning(45.0, DEFAULT, (row, DEFAULT)), [])


@pytest.mark.parametrize("change", [{"tile": 1}, {"tile": 3}], ids=str)
@pytest.mark.usefixtures("cache")
def test_a_setting_that_this_network_cant_have_is_said_and_not_used(change: dict[str, int]) -> None:
    row = dataclasses.replace(QUICK, setting=dataclasses.replace(QUICK.setting, **change))
    store_tuning(Tuning(45.0, DEFAULT, (row, DEFAULT)), tuning_cache.tuning_key(FAST))
    picture = np.zeros((9, 8, 3), np.uint8)
    least = r"tile is \d+; for this network it is at least"
    with pytest.warns(UserWarning, match=least):
        larger = Upscaler(FAST)(picture)
    assert np.array_equal(larger, Upscaler(FAST, tuning=False)(picture))
