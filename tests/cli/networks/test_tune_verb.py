"""``subpixel tune``, and ``upscale`` after it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from subpixel.cli.main import run
from subpixel.network.flatness import Flatness
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.network.tuning_cache import load_tuning, store_tuning, tuning_key
from subpixel.system.files.hashing import hash_file
from subpixel.zoo.manifest import find_bundled

FAST, INT8 = find_bundled("fast", 2).path, find_bundled("fast-int8", 2).path
QUICK = RunSettings("cpu", "int8", tile=64, threads=2).resolve()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def kept(cache: Path) -> Path:
    """The file of a tuning by hand: int8 first, which takes as long to open."""

    def row(setting: RunSettings, file: Path, seconds: float) -> TunedSettings:
        return TunedSettings(setting, file, hash_file(file), 1 / seconds, seconds, 0.1, 50.0)

    default = row(RunSettings("cpu", "fp32").resolve(), FAST, 1.0)
    quick = replace(row(QUICK, INT8, 0.5), rounds=20)
    file = store_tuning(Tuning(45.0, default, (quick, default)), tuning_key(FAST))
    assert file.is_relative_to(cache)
    return file


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[str, str]:
    """A picture of 8 bits and one of 16."""
    samples = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(samples).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", samples.astype(np.uint16) * 257, photometric="rgb")
    return str(tmp_path / "a.png"), str(tmp_path / "b.tif")


def _settings(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    command = ["upscale", "--model", "fast", "--scale", "2", "--json", "--overwrite"]
    assert run([*command, *arguments]) == 0
    return [file["setting"] for file in json.loads(capsys.readouterr().out)["files"]]


@pytest.mark.usefixtures("kept")
def test_upscale_uses_what_was_found_and_says_so(
    pictures: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    eight, sixteen = _settings(capsys, *pictures)
    assert (eight["precision"], eight["tile"], eight["threads"]) == ("int8", 64, 2)
    assert (sixteen["precision"], sixteen["tile"], sixteen["threads"]) == ("fp32", None, None)
    (plain,) = _settings(capsys, pictures[0], "--no-tuning")
    assert (plain["precision"], plain["tile"]) == ("int8", None)
    (named,) = _settings(capsys, pictures[0], "--tile", "32")
    assert (named["precision"], named["tile"], named["threads"]) == ("int8", 32, 2)
    (named,) = _settings(capsys, pictures[0], "--precision", "fp32", "--threads", "1")
    assert (named["precision"], named["tile"], named["threads"]) == ("fp32", None, 1)


@pytest.fixture
def kept_adaptive(cache: Path) -> Path:
    """A tuning by hand that begins with adaptive."""
    sha256 = hash_file(FAST)
    default = TunedSettings(RunSettings("cpu", "fp32").resolve(), FAST, sha256, 1.0, 1.0, 0.1, 50.0)
    setting = RunSettings("cpu", "fp32", tile=96, batch=2, adaptive=True).resolve()
    flat = replace(default, setting=setting, ratio=1.5, flatness=Flatness(2, 0.75))
    file = store_tuning(Tuning(45.0, default, (flat, default)), tuning_key(FAST))
    assert file.is_relative_to(cache)
    return file


@pytest.mark.usefixtures("kept_adaptive")
def test_upscale_says_that_adaptive_is_on_by_tuning(
    pictures: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    eight, sixteen = pictures
    Image.new("RGB", (200, 200), "grey").save(eight)
    command = ["upscale", "--model", "fast", "--scale", "2", "--overwrite"]
    said = {}
    for orders in ((eight,), (sixteen,), (eight, "--no-tuning"), (eight, "--no-adaptive")):
        assert run([*command, *orders]) == 0
        said[orders[-1]] = capsys.readouterr().err
    assert said.pop(eight) == (
        "subpixel: as tuned: cpu, fp32, tile 96, batch 2, adaptive, 1.5 times as fast as the "
        "default (--no-tuning: the default)\n"
        "subpixel: 100% of the pixels were interpolated: parts that span no more than 2 of 255 "
        "code values, where the network was measured to be at most 0.75 code values away; on by "
        "subpixel tune (--no-adaptive: off)\n"
    )
    assert set(said.values()) == {""}
    assert run([*command, eight, "--adaptive"]) == 0
    assert "on by subpixel tune" not in capsys.readouterr().err
    (setting,) = _settings(capsys, eight)
    assert (setting["batch"], setting["adaptive"]) == (2, True)
    (setting,) = _settings(capsys, eight, "--tile", "64", "--no-adaptive")
    assert (setting["batch"], setting["adaptive"]) == (1, False)


def test_a_damaged_cache_costs_a_line_and_no_picture(
    kept: Path, pictures: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    kept.write_text(kept.read_text()[:-20])
    command = ["upscale", "--model", "fast", "--scale", "2", "--json", pictures[0]]
    assert run(command) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["files"][0]["setting"]["tile"] is None
    assert said.err.startswith(f"subpixel: {kept} is damaged and not used")
    assert said.err.count("\n") == 1


def test_tune_then_upscale(
    cache: Path,
    pictures: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One round for each way, which counts: what is the fastest is this machine's to say."""
    monkeypatch.setattr("subpixel.tune.race.RACE_ROUNDS", 1)
    command = ["tune", "--model", "fast", "--scale", "2", "--device", "cpu", "--seconds", "0"]
    assert run([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    ranked = found["ranked"]
    assert {row["setting"]["precision"] for row in ranked} == {"fp32", "int8"}
    assert {row["setting"]["batch"] for row in ranked} == {1}, "no time for more"
    assert all(float(row["facts"]["psnr"]) >= 45 for row in ranked)
    assert Path(found["kept"]).is_relative_to(cache)
    best = ranked[0]["setting"]
    (used,) = _settings(capsys, pictures[0])
    assert {best["precision"], "fp32"} >= {used["precision"]}  # less work may not be worth it

    assert run([*command, "--floor-db", "90"]) == 0
    said = capsys.readouterr().out
    assert "the floor is 90" in said
    assert str(found["kept"]) in said.replace("\n", "")
    assert _settings(capsys, pictures[0])[0]["precision"] == "fp32"


def test_what_is_measured_in_one_round_replaces_nothing(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kept.read_bytes()
    command = ["tune", "--model", "fast", "--scale", "2", "--device", "cpu", "--seconds", "0"]
    assert run(command) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "(1 round)" in said
    assert (
        "nothing was kept: 1 round can't be told from noise; give it more --seconds; what was "
        "found in 20 rounds stays"
    ) in said
    assert kept.read_bytes() == before


def test_a_surer_result_that_is_replaced_is_named(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("subpixel.tune.race.RACE_ROUNDS", 1)
    command = ["tune", "--model", "fast", "--scale", "2", "--device", "cpu", "--seconds", "0"]
    assert run([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kept"], found["earlier"]) == (str(kept), {"rounds": 20})
    tuning = load_tuning("fast", scale=2)
    assert tuning is not None
    assert tuning.rows[0].rounds == found["ranked"][0]["rounds"] == 1
    store_tuning(replace(tuning, rows=(replace(tuning.rows[0], rounds=7),)), tuning_key(FAST))
    assert run(command) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "measured in 1 round, it replaces a result of 7 rounds" in said
    assert run(command) == 0
    assert "replaces" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.usefixtures("cache")
def test_a_network_without_a_twin_gets_one_made(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.onnx"
    file.write_bytes(FAST.read_bytes())
    truth = np.random.default_rng(0).integers(0, 256, (45, 57, 3), dtype=np.uint8)
    (tmp_path / "truth").mkdir()
    Image.fromarray(truth).save(tmp_path / "truth" / "a.png")
    command = ["tune", "--model", str(file), "--device", "cpu", "--seconds", "0", "--json"]
    command += ["--bench", str(tmp_path / "truth"), "--floor-db", "40", "--task-loss", "1"]
    assert run(command) == 0
    ranked = json.loads(capsys.readouterr().out)["ranked"]
    assert all(abs(row["facts"]["task_loss"]) < 1 for row in ranked)
    (made,) = [row["facts"]["file"] for row in ranked if row["setting"]["precision"] == "int8"]
    assert Path(made).is_relative_to(cache / "networks")
    before = Path(made).stat().st_mtime_ns
    assert run(command) == 0
    assert Path(made).stat().st_mtime_ns == before, "made once"


def test_devices_and_folders_that_are_not_there(tmp_path: Path) -> None:
    assert run(["tune", "--device", "abacus"]) == 2
    assert run(["tune", "--bench", str(tmp_path / "none")]) == 2
