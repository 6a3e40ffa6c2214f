"""`subpixel upscale` that goes on: after an end, on several machines, in a watched folder."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from journals import result_files
from subpixel.cli.main import run
from subpixel.cli.upscaling import rounds
from subpixel.jobs.journal import watching

FAST = ("--model", "fast-int8", "--scale", "2")

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


def draw(file: Path, value: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((12, 16, 3), value, np.uint8)).save(file)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.png", "b.jpg", "c.webp", "deep/a.png")):
        draw(tmp_path / "in" / name, number)
    return tmp_path / "in"


def upscale(*arguments: str | Path) -> int:
    return run(["upscale", *map(str, arguments), *FAST])


def hashes(folder: Path) -> dict[str, str]:
    names = result_files(folder)
    return {name: sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_a_second_run_does_what_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder.parent / "out"
    assert upscale(folder, "-o", out) == 0
    assert "resumes" not in capsys.readouterr().err
    before = hashes(out)
    (out / "b.jpg").unlink()
    assert upscale(folder, "-o", out) == 0
    said = capsys.readouterr().err
    assert said.startswith("subpixel: resumes: 3 of 4 done\n")
    assert hashes(out) == before
    assert upscale(folder, "-o", out, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["files"] == []
    assert (facts["resumed"]["done"], facts["resumed"]["of"]) == (4, 4)
    assert upscale(folder, "-o", out, "--no-resume", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["files"]) == 4
    assert facts["resumed"]["done"] == 0


def test_beside_the_inputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert upscale(folder) == 0
    first = hashes(folder)
    assert upscale(folder, "--quiet") == 0
    assert capsys.readouterr().err.count("resumes") == 0, "nothing, when nothing is to be said"
    assert hashes(folder) == first
    assert upscale(folder) == 0
    said = capsys.readouterr().err
    assert "resumes: 4 of 4 done" in said
    assert "hidden" not in said, "the journal is none of the user's files"


def test_a_failure_is_tried_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder.parent / "out"
    (folder / "broken.png").write_bytes(b"no picture")
    assert upscale(folder, "-o", out) == 1
    assert upscale(folder, "-o", out) == 1
    assert "resumes: 4 of 5 done" in capsys.readouterr().err
    draw(folder / "broken.png", 9)
    assert upscale(folder, "-o", out) == 0
    assert upscale(folder, "-o", out) == 0
    assert "resumes: 5 of 5 done" in capsys.readouterr().err


def test_other_settings_are_refused_before_work(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder.parent / "out"
    assert upscale(folder, "-o", out) == 0
    before = hashes(out)
    capsys.readouterr()
    assert upscale(folder, "-o", out, "--compression", "9") == 2
    said = capsys.readouterr().err
    assert "encoding was default, is png_compression=9" in said
    assert "--no-resume" in said
    assert said.count("\n") == 1
    assert hashes(out) == before
    assert upscale(folder, "-o", out, "--compression", "9", "--overwrite") == 0
    assert upscale(folder, "-o", out, "--compression", "9") == 0
    assert "resumes: 4 of 4 done" in capsys.readouterr().err


def test_existing_results_are_left_whatever_the_journal_says(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder.parent / "out"
    assert upscale(folder, "-o", out) == 0
    before = hashes(out)
    draw(folder / "a.png", 77)
    assert upscale(folder, "-o", out, "--skip-existing") == 0
    assert hashes(out) == before
    assert upscale(folder, "-o", out) == 0
    changed = hashes(out)
    assert {name for name in before if before[name] != changed[name]} == {"a.png"}
    capsys.readouterr()


def test_another_picture_of_the_same_result_s_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The result of a picture that is gone is spared; the others keep the names that they had."""
    folder, out = tmp_path / "in", tmp_path / "out"
    arguments = (folder, "-o", out, "--format", "webp")
    draw(folder / "p.jpg", 1)
    assert upscale(*arguments) == 0
    (folder / "p.jpg").unlink()
    draw(folder / "p.png", 2)
    before = hashes(out)
    assert upscale(*arguments) == 1
    assert "p.webp exists; use --overwrite" in capsys.readouterr().err
    assert hashes(out) == before
    draw(folder / "p.jpg", 1)
    assert upscale(*arguments) == 0
    both = hashes(out)
    assert both == before | {"p.png.webp": both["p.png.webp"]}
    (folder / "p.jpg").unlink()
    assert upscale(*arguments) == 0
    assert "resumes: 1 of 1 done" in capsys.readouterr().err
    assert hashes(out) == both
    assert upscale(*arguments, "--no-resume") == 0, "which replaces what earlier runs wrote"


def test_what_exists_is_told_by_the_names_that_results_keep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name that a new picture would have is another's by the journal: it has no result yet."""
    folder, out = tmp_path / "in", tmp_path / "out"
    arguments = (folder, "-o", out, "--format", "webp", "--skip-existing")
    draw(folder / "p.png", 1)
    assert upscale(*arguments) == 0
    draw(folder / "p.jpg", 2)
    assert upscale(*arguments) == 0
    assert result_files(out) == {"p.webp", "p.jpg.webp"}
    assert upscale(*arguments) == 0
    assert "left out: 2 pictures whose results exist" in capsys.readouterr().err


def test_a_result_that_is_replaced_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder.parent / "out"
    assert upscale(folder, "-o", out) == 0
    draw(folder / "a.png", 77)
    capsys.readouterr()
    assert upscale(folder, "-o", out) == 0
    said = capsys.readouterr().err
    line = "the earlier result was replaced: its picture has other content"
    assert f"subpixel: {out / 'a.png'}: {line}\n" in said
    assert said.count("was replaced") == 1
    draw(folder / "a.png", 78)
    assert upscale(folder, "-o", out, "-q") == 0
    assert capsys.readouterr().err == ""


def test_shards(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(4):
        draw(folder / f"{number}.png", number)
    out, alone = folder.parent / "out", folder.parent / "alone"
    assert upscale(folder, "-o", alone) == 0
    for part in ("1/3", "2/3", "3/3"):
        assert upscale(folder, "-o", out, "--shard", part) == 0
        assert f"(part {part})" in capsys.readouterr().err
    assert hashes(out) == hashes(alone)
    assert upscale(folder, "-o", out) == 0
    assert "resumes: 8 of 8 done" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", "0/3"], "no part of a job"),
        (["--shard", "4/3"], "no part of a job"),
        (["--shard", "half"], "no part of a job"),
        (["--no-resume", "--skip-existing"], "say opposite things"),
        (["--watch", "--json"], "--json is printed at the end"),
    ],
)
def test_what_does_not_go_together(
    folder: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert upscale(folder, "-o", folder.parent / "out", *options) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (folder.parent / "out").exists()


@pytest.mark.parametrize("place", ["nowhere", "with_other_things", "beside"])
def test_resume_wants_a_journal(
    folder: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is begun without; with one the job goes on."""
    out = folder if place == "beside" else folder.parent / place
    if place == "with_other_things":
        (out / ".subpixel").mkdir(parents=True)
    target = () if place == "beside" else ("-o", out)
    names = result_files(folder.parent)
    assert upscale(folder, *target, "--resume") == 2
    said = capsys.readouterr().err
    assert f"there is none in {out}; leave it out" in said
    assert said.count("\n") == 1
    assert result_files(folder.parent) == names
    assert out.exists() is (place != "nowhere")
    assert upscale(folder, *target) == 0
    assert upscale(folder, *target, "--resume") == 0
    assert "resumes: 4 of 4 done" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--resume"], ["--shard", "1/2"], ["--watch"]])
def test_what_is_for_folders(
    folder: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert upscale(folder / "a.png", *option) == 2
    assert f"{option[0]} is for" in capsys.readouterr().err
    assert not (folder / "a_x2.png").exists()


def test_a_picture_by_itself_has_no_journal(folder: Path) -> None:
    out = folder.parent / "out"
    assert upscale(folder / "a.png", "-o", out) == 0
    assert [file.name for file in out.iterdir()] == ["a.png"]
    assert upscale(folder / "a.png", folder / "b.jpg") == 0
    assert not (folder / ".subpixel").exists()


def wait_for(file: Path) -> None:
    while not file.exists():
        time.sleep(0.01)


@posix
@pytest.mark.skipif(importlib.util.find_spec("watchfiles") is None, reason="needs the extra watch")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_watched_folder(
    folder: Path,
    number: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is there, what comes, what comes in pieces and what is mended; then a signal."""
    for module in (watching, rounds):
        monkeypatch.setattr(module, "SETTLE_SECONDS", 0.4)
    out = folder.parent / "out"

    def bring() -> None:
        wait_for(out / "deep" / "a.png")
        draw(folder / "later" / "d.png", 5)
        wait_for(out / "later" / "d.png")
        whole = (folder / "a.png").read_bytes()
        with (folder / "slow.png").open("wb") as stream:
            for place in range(0, len(whole), 16):
                stream.write(whole[place : place + 16])
                stream.flush()
                time.sleep(0.1)
        wait_for(out / "slow.png")
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=bring, daemon=True)
    thread.start()
    assert upscale(folder, "-o", out, "--watch") == 128 + number
    thread.join()
    said = capsys.readouterr().err
    assert "can't be read" not in said, "what grows is waited for"
    assert said.endswith("subpixel: interrupted; nothing half-written was left behind\n")
    assert result_files(out) == result_files(folder)
    assert upscale(folder, "-o", out) == 0
    assert "resumes: 6 of 6 done" in capsys.readouterr().err


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "subpixel", "upscale", "in", "-o", "out", *FAST, *options]
    return subprocess.Popen(command, cwd=folder.parent, stderr=subprocess.PIPE, text=True)


@posix
@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_a_crowd_of_commands(folder: Path, processes: int) -> None:
    for number in range(60):
        draw(folder / f"{number:02}.png", number)
    for file in folder.rglob("*.png"):  # what is newer is looked at again, which is recorded too
        os.utime(file, (1e9, 1e9))
    assert upscale(folder, "-o", folder.parent / "alone", "-q") == 0
    crowd = [start(folder, "--json") for _ in range(processes)]
    for process in crowd:
        process.communicate(timeout=300)
    assert [process.returncode for process in crowd] == [0] * processes
    assert hashes(folder.parent / "out") == hashes(folder.parent / "alone")
    logs = (folder.parent / "out" / ".subpixel").glob("records-*")
    units = [line for log in logs for line in log.read_text().splitlines() if '{"unit"' in line]
    assert len(units) == 64, "each picture was done once"
