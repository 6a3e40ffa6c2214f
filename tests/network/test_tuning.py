"""What was tuned is found again under the same key, and under no other."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.errors import ProviderError, SubpixelError, UsageError
from subpixel.network import tuning_cache
from subpixel.network.flatness import Flatness
from subpixel.network.locate import locate_precision
from subpixel.network.opening import open_network
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.network.tuning_cache import (
    TUNING_PACKAGES,
    TuningKey,
    load_tuning,
    store_tuning,
    tuning_key,
)
from subpixel.spec import Precision
from subpixel.system.files.hashing import hash_file
from subpixel.zoo.manifest import find_bundled

FAST, INT8 = find_bundled("fast", 2).path, find_bundled("fast-int8", 2).path


def _row(
    setting: RunSettings,
    file: Path = FAST,
    ratio: float = 1.0,
    opening: float = 0.1,
    flatness: Flatness | None = None,
) -> TunedSettings:
    sha256 = hash_file(file)
    return TunedSettings(
        setting, file, sha256, ratio, 1 / ratio, opening, math.inf, flatness=flatness
    )


DEFAULT = _row(RunSettings("cpu", "fp32").resolve())
QUICK = _row(RunSettings("cpu", "int8", tile=256, threads=2, batch=4).resolve(), INT8, ratio=3.0)
FLAT = _row(
    dataclasses.replace(QUICK.setting, adaptive=True), INT8, ratio=2.9, flatness=Flatness(1, 0.5)
)
OTHER = _row(RunSettings("openvino", "fp32", tile=384).resolve(), ratio=1.5, opening=1.1)
FOUND = Tuning(45.0, DEFAULT, (FLAT, QUICK, OTHER, DEFAULT))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setattr(tuning_cache, "available_devices", lambda: ("cpu", "openvino"))
    return tmp_path / "cache"


def no_complaint(line: str) -> None:
    pytest.fail(line)


@pytest.mark.usefixtures("cache")
def test_what_was_found_is_found_again() -> None:
    assert load_tuning("fast", scale=2, warn=no_complaint) is None
    store_tuning(FOUND, tuning_key(FAST))
    assert load_tuning("fast", scale=2, warn=no_complaint) == FOUND
    assert load_tuning(FAST, warn=no_complaint) == FOUND
    assert load_tuning("fast", scale=3, warn=no_complaint) is None, "another network"


CHANGES = {
    "model": lambda key: "0" * 64,
    "versions": lambda key: {**key.versions, "onnxruntime": "99.0"},
    "devices": lambda key: (*key.devices, "abacus"),
    "options": lambda key: {**key.options, "cuda": {"use_tf32": "1"}},
    "processor": lambda key: "an abacus",
    "graphics": lambda key: ("a large one",),
    "cores": lambda key: key.cores + 1,
    "processors": lambda key: -1,
    "format": lambda key: key.format + 1,
}


@pytest.mark.parametrize("part", [field.name for field in dataclasses.fields(TuningKey)])
def test_any_part_of_the_key_that_changes_makes_it_stale(
    part: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tuning_key(FAST)
    store_tuning(FOUND, key)
    changed = dataclasses.replace(key, **{part: CHANGES[part](key)})
    monkeypatch.setattr(tuning_cache, "tuning_key", lambda file: changed)
    assert load_tuning(FAST, warn=no_complaint) is None
    # nor where a file of another key bears its name
    (file,) = cache.rglob("*.json")
    file.rename(file.with_name(f"{key.model[:16]}-{changed.digest[:16]}.json"))
    assert load_tuning(FAST, warn=no_complaint) is None


def test_what_was_kept_before_batches_and_adaptive_is_stale_and_no_error(cache: Path) -> None:
    """As it was written then: neither in the settings nor in the key."""
    key = tuning_key(FAST)
    kept = json.loads(store_tuning(FOUND, key).read_bytes())
    for row in (kept["tuning"]["default"], *kept["tuning"]["rows"]):
        del row["flatness"], row["setting"]["batch"], row["setting"]["adaptive"]
    del kept["key"]["format"]
    kept["sha256"] = hashlib.sha256(json.dumps(kept["tuning"]).encode()).hexdigest()
    digest = hashlib.sha256(json.dumps(kept["key"], sort_keys=True).encode()).hexdigest()
    (file,) = cache.rglob("*.json")
    old = file.with_name(f"{key.model[:16]}-{digest[:16]}.json")
    file.unlink()
    for name in (old, file):
        name.write_text(json.dumps(kept, indent=1))
        assert load_tuning(FAST, warn=no_complaint) is None


@pytest.mark.parametrize("package", TUNING_PACKAGES)
@pytest.mark.usefixtures("cache")
def test_a_package_of_another_version_or_gone_makes_it_stale(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_tuning(FOUND, tuning_key(FAST))
    real = tuning_cache.package_version
    for version in ("99.0", None if real(package) else "1.0"):
        monkeypatch.setattr(
            tuning_cache,
            "package_version",
            lambda name, v=version: v if name == package else real(name),
        )
        assert load_tuning(FAST, warn=no_complaint) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"rows"', '"columns"'),
        lambda text: text.replace('"ratio": 3.0', '"ratio": 3.1'),
        lambda text: text.replace('"device": "openvino"', '"device": "abacus"'),
    ],
)
@pytest.mark.usefixtures("cache")
def test_a_damaged_file_is_left_alone_with_a_line(damage: Callable[[str], str]) -> None:
    file = store_tuning(FOUND, tuning_key(FAST))
    text = file.read_text()
    assert damage(text) != text
    file.write_text(damage(text))
    complaints: list[str] = []
    assert load_tuning(FAST, warn=complaints.append) is None
    assert len(complaints) == 1
    assert "damaged and not used" in complaints[0]
    assert "\n" not in complaints[0]


def test_a_network_made_for_it_that_has_changed_is_not_used(cache: Path) -> None:
    made = cache / "networks" / "made.onnx"
    made.parent.mkdir(parents=True)
    made.write_bytes(INT8.read_bytes())
    quick = dataclasses.replace(QUICK, file=made)
    store_tuning(dataclasses.replace(FOUND, rows=(quick, OTHER, DEFAULT)), tuning_key(FAST))
    assert load_tuning(FAST, warn=no_complaint)
    for damage in (lambda: made.write_bytes(b"else"), made.unlink):
        damage()
        complaints: list[str] = []
        found = load_tuning(FAST, warn=complaints.append)
        assert found is not None
        assert found.rows == (OTHER, DEFAULT)
        assert [line.partition(" is gone")[0] for line in complaints] == [str(made)]


def test_writers_at_one_time_leave_one_whole_file(cache: Path) -> None:
    key = tuning_key(FAST)
    versions = [dataclasses.replace(FOUND, floor_db=float(i)) for i in range(20)]
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda one: (store_tuning(one, key), load_tuning(FAST, warn=no_complaint)), versions
            )
        )
    assert all(tuning in versions for _, tuning in found)
    assert len([file for file in cache.rglob("*") if file.is_file()]) == 1


def test_a_cache_that_cant_be_written_is_an_error(cache: Path) -> None:
    cache.write_text("a file where a folder should be")
    with pytest.raises(SubpixelError, match="can't be made"):
        store_tuning(FOUND, tuning_key(FAST))


@given(
    st.sampled_from(["auto", "cpu", "openvino", "cuda"]),
    st.sampled_from([None, "fp32", "int8", "bf16"]),
    st.sampled_from([None, 0, 100]),
    st.sampled_from([None, 1, 7]),
    st.sampled_from([None, False, True]),
    st.booleans(),
)
def test_what_is_named_goes_before_what_was_found(
    device: str,
    precision: Precision | None,
    tile: int | None,
    threads: int | None,
    adaptive: bool | None,
    deep: bool,
) -> None:
    row = FOUND.choose(RunSettings(device, precision, tile, threads, adaptive=adaptive), deep=deep)
    if row is None:
        assert (
            device == "cuda"
            or precision == "bf16"
            or (precision == "int8" and deep)
            or ((device, precision) == ("openvino", "int8"))
        )
        return
    setting = row.setting
    assert device in ("auto", setting.device)
    assert precision in (None, setting.precision)
    assert tile in (None, setting.tile)
    assert threads in (None, setting.threads)
    assert adaptive in (None, setting.adaptive)
    assert setting.batch == 1 or tile is None, "batches were measured in tiles of another size"
    assert setting.precision == "fp32" or not deep
    assert hash_file(row.file) == row.sha256


def test_deep_pictures_stay_in_fp32_and_whole() -> None:
    assert FOUND.choose() == FLAT
    assert FOUND.choose(RunSettings(adaptive=False)) == QUICK
    exact = dataclasses.replace(FLAT, setting=dataclasses.replace(OTHER.setting, adaptive=True))
    found = dataclasses.replace(FOUND, rows=(exact, *FOUND.rows))
    assert found.choose() == exact
    assert found.choose(deep=True) == OTHER
    wished = found.choose(RunSettings(adaptive=True), deep=True)
    assert wished is not None
    assert wished.setting == exact.setting
    assert wished.flatness is None, "it was measured in another setting"


def test_little_work_is_not_worth_a_long_opening() -> None:
    rows = dataclasses.replace(FOUND, rows=(OTHER, DEFAULT))
    # 1.0 s longer to open, a third of a second less for a megapixel
    assert rows.limit_opening(2.9).choose() == DEFAULT
    assert rows.limit_opening(3.1).choose() == OTHER


def test_precisions_are_computed_or_refused() -> None:
    assert open_network(INT8, RunSettings("cpu", "int8")).spec.precision == "int8"
    for setting, file in ((RunSettings("cpu", "bf16"), FAST), (RunSettings("cpu", "fp32"), INT8)):
        with pytest.raises(ProviderError, match=f"would compute {file.name} in"):
            open_network(file, setting)


def test_a_bundled_network_has_a_file_of_its_own_for_int8() -> None:
    assert locate_precision("fast", 2, "int8") == locate_precision("fast-int8", 2, "int8") == INT8
    assert locate_precision("fast", 2, "fp32") == locate_precision("fast", 2, None) == FAST
    with pytest.raises(UsageError, match="make an int8 file of it with subpixel quantize"):
        locate_precision(FAST, None, "int8")
