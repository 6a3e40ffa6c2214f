"""`subpixel cache` and what `doctor` says of caches and tunings."""

import io
import json
from pathlib import Path

import pytest

from subpixel.cli.main import run
from subpixel.cli.output import format_file_size
from subpixel.network.settings import RunSettings
from subpixel.network.tuning import TunedSettings, Tuning
from subpixel.network.tuning_cache import store_tuning, tuning_key
from subpixel.zoo.manifest import find_bundled


class Person(io.StringIO):
    """Somebody who sits at the terminal and types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "subpixel")
    for name in ("gallery/a.onnx", "tuning/broken.json"):
        (tmp_path / "subpixel" / name).parent.mkdir(parents=True)
        (tmp_path / "subpixel" / name).write_bytes(bytes(1500))
    return tmp_path / "subpixel"


def test_caches_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["folder"] == str(folder)
    assert [(c["name"], c["files"], c["bytes"]) for c in facts["caches"]] == [
        ("gallery", 1, 1500),
        ("tuning", 1, 1500),
        ("sessions", 0, 0),
        ("jobs", 0, 0),
        ("training", 0, 0),
        ("page", 0, 0),
    ]
    assert run(["cache"]) == 0
    assert "1.5 kB" in capsys.readouterr().out


def test_one_cache_is_cleared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cache", "clear", "gallery", "--yes"]) == 0
    assert capsys.readouterr().out == "gallery: 1 file, 1.5 kB freed\n"
    assert [path.name for path in folder.iterdir()] == ["tuning"]
    assert run(["cache", "clear", "--yes"]) == 0
    assert run(["cache", "clear"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to remove"


@pytest.mark.parametrize(("answer", "code", "stays"), [("y\n", 0, False), ("n\n", 1, True)])
def test_a_person_is_asked(
    folder: Path,
    answer: str,
    code: int,
    stays: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", Person(answer))
    assert run(["cache", "clear"]) == code
    assert "gallery (1 file, 1.5 kB), tuning (1 file, 1.5 kB)" in "".join(capsys.readouterr())
    assert (folder / "gallery").exists() == stays


def test_nobody_is_asked_in_a_script(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(["cache", "clear"]) == 2
    assert "say so with --yes" in capsys.readouterr().err
    assert run(["cache", "clear", "everything"]) == 2
    assert (folder / "gallery").exists()


def test_doctor_says_what_tune_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = find_bundled("fast", 3).path
    setting = RunSettings("cpu", "fp32", tile=256).resolve()
    row = TunedSettings(setting, file, "", 1.75, 0.5, 0.1, 60.0)
    stored = store_tuning(Tuning(45.0, row, (row,)), tuning_key(file))
    stored.with_name("ffffffffffffffff-0000000000000000.json").write_bytes(stored.read_bytes())
    assert run(["doctor", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith(f"subpixel: {folder / 'tuning' / 'broken.json'} is damaged")
    facts = json.loads(said.out)
    assert [tuning["current"] for tuning in facts["tunings"]] == [True, False]
    assert facts["tunings"][0]["tuning"]["rows"][0]["ratio"] == 1.75
    names = {cache["name"] for cache in facts["caches"]}
    assert names == {"gallery", "tuning", "sessions", "jobs", "training", "page"}
    assert run(["doctor"]) == 0
    table = capsys.readouterr().out
    for text in ("fast-x3", "cpu, fp32, tile 256", "1.75", "Caches in", "1.5 kB"):
        assert text in table


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (45_240_000, "45.2 MB"), (10**14, "100.0 TB")],
)
def test_bytes_for_people(count: int, text: str) -> None:
    assert format_file_size(count) == text
