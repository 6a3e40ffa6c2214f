"""`subpixel upscale` of folders: what results are called, what is left out, what stops nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from journals import result_files
from subpixel.cli.main import run

FAST = ("--model", "fast-int8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.jpg", "b.png", "deep/a.webp"):
        (source / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((12, 16, 3), 90, np.uint8)).save(source / name)
    return source


def _upscale(*arguments: str | Path) -> int:
    return run(["upscale", *map(str, arguments), *FAST])


def test_a_suffix_of_ones_own(folder: Path) -> None:
    before = result_files(folder)
    assert _upscale(folder, "--suffix", "-large") == 0
    results = {"a-large.jpg", "b-large.png", "deep/a-large.webp"}
    assert result_files(folder) == before | results
    assert _upscale(folder, "--suffix", "-large", "--overwrite") == 0, "results are no inputs"
    assert result_files(folder) == before | results
    assert _upscale(folder / "a.jpg", "-o", folder.parent / "out", "--suffix", ".big") == 0
    assert result_files(folder.parent / "out") == {"a.big.jpg"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--suffix", "a/b"],
        ["--suffix", ""],
        ["--suffix", "_b", "-o", "x.png", "--model", "fast"],
        ["--skip-existing", "--overwrite"],
        ["--quiet", "--verbose"],
    ],
)
def test_what_does_not_go_together(
    folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = result_files(folder)
    assert _upscale(folder / "a.jpg", *arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert result_files(folder) == before


def test_dates_are_kept_when_asked_for(folder: Path) -> None:
    taken = (1_500_000_000_123_456_700, 1_400_000_000_765_432_100)
    os.utime(folder / "a.jpg", ns=taken)
    assert _upscale(folder / "a.jpg", "--keep-date") == 0
    status = (folder / "a_x3.jpg").stat()
    assert (status.st_atime_ns, status.st_mtime_ns) == taken
    assert _upscale(folder / "a.jpg", "--overwrite") == 0
    assert (folder / "a_x3.jpg").stat().st_mtime_ns != taken[1]


def test_a_job_is_taken_up_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The output folder lies within the input folder, and is none of the inputs."""
    out = folder / "larger"
    assert _upscale(folder, "-o", out) == 0
    results = {"a.jpg", "b.png", "deep/a.webp"}
    assert result_files(out) == results
    (out / "b.png").unlink()
    (out / "a.jpg").write_bytes(b"precious")
    capsys.readouterr()
    assert _upscale(folder, "-o", out, "--skip-existing", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [result["output"] for result in report["files"]] == [str(out / "b.png")]
    assert {(Path(item["path"]).name, item["reason"]) for item in report["left_out"]} == {
        ("a.jpg", "existing"),
        ("a.webp", "existing"),
        ("larger", "output"),
    }
    assert result_files(out) == results
    assert (out / "a.jpg").read_bytes() == b"precious"
    assert _upscale(folder, "-o", out, "--skip-existing") == 0, "nothing to do is no failure"


def test_a_result_that_is_named_is_taken(folder: Path) -> None:
    assert _upscale(folder / "a.jpg") == 0
    assert _upscale(folder / "a_x3.jpg") == 0
    assert "a_x3_x3.jpg" in result_files(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="needs links, and names of 255 bytes")
def test_what_can_not_be_read_or_written_stops_no_other(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "deep" / "up").symlink_to("..")
    long = folder / f"{'n' * 251}.png"
    (folder / "b.png").rename(long)
    too_long = folder / f"{'n' * 300}.png"
    assert _upscale(folder, too_long) == 1
    *faults, summary = capsys.readouterr().err.splitlines()
    assert len(faults) == 3
    assert ["deep/up" in faults[0], "loop.jpg" in faults[1]] == [True, True]
    assert "File name too long" in faults[2]
    assert summary.startswith("subpixel: 3 pictures written")
    assert summary.endswith("; 3 failed")
    assert f"{'n' * 248}_x3.png" in result_files(folder)
    assert _upscale(long, "-o", folder.parent / "out") == 0, "a name of 255 bytes is a good one"
    assert result_files(folder.parent / "out") == {long.name}


def test_files_that_no_format_claims_are_named_at_the_end(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.jpg").rename(folder / "a.jfif")
    (folder / "b.png").rename(folder / "b")
    (folder / "notes.txt").write_text("words")
    (folder / ".hidden.jpg").touch()
    assert _upscale(folder, "-o", folder.parent / "out") == 0
    assert result_files(folder.parent / "out") == {"a.jpg", "b.png", "deep/a.webp"}
    assert capsys.readouterr().err.splitlines()[-1] == (
        "subpixel: left out: 1 hidden file or thumbnail folder, "
        "1 file that no format claims (notes.txt)"
    )


def test_a_folder_of_other_files_says_what_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sound.mp3").write_bytes(b"ID3\3\0")
    assert _upscale(tmp_path) == 2
    error = capsys.readouterr().err
    assert "no pictures in" in error
    assert error.endswith("; left out: 1 file that no format claims: sound (sound.mp3)\n")


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["-o", "q.jpg", "--lossless"], "--lossless means nothing for JPEG; it goes with PNG,"),
        (["-o", "q.png", "--quality", "5"], "--quality means nothing for PNG; it goes with JPEG,"),
        (["-o", "q.jpg", "--compression", "5"], "--compression means nothing for JPEG; it goes"),
        (
            ["-o", "q.webp", "--quality", "5", "--lossless"],
            "--quality means nothing for WebP without loss; it goes with",
        ),
    ],
)
def test_an_option_that_means_nothing_for_any_result_is_refused(
    folder: Path,
    arguments: list[str],
    answer: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder.parent)
    assert _upscale("in/a.jpg", *arguments) == 2
    assert capsys.readouterr().err.startswith(f"subpixel: {answer}")
    assert result_files(folder.parent) == {"in/a.jpg", "in/b.png", "in/deep/a.webp"}


@pytest.mark.slow
def test_a_stream_takes_the_options_of_its_format(folder: Path) -> None:
    order = [sys.executable, "-m", "subpixel", "upscale", "-", "-o", "-", *FAST, "--lossless"]
    data = (folder / "a.jpg").read_bytes()
    done = subprocess.run(order, input=data, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"subpixel: --lossless means nothing for JPEG; it goes with")
    for wrong in (["--keep-date"], ["--skip-existing"], ["--suffix", "b"]):
        done = subprocess.run([*order[:-1], *wrong], input=data, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (2, b"")


def test_an_option_that_means_something_for_one_result_is_taken(folder: Path) -> None:
    assert (
        _upscale(folder, "-o", folder.parent / "out", "--quality", "5", "--compression", "9") == 0
    )


def test_the_effect_of_tuning_is_said_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from subpixel.cli.upscaling import local
    from subpixel.network.settings import RunSettings
    from subpixel.network.tuning import TunedSettings, Tuning
    from subpixel.zoo.manifest import find_bundled

    file = find_bundled("fast-int8", 3).path
    setting = RunSettings("cpu", "int8", tile=64).resolve()
    quick = TunedSettings(setting, file, "", 2.14, 0.1, 0.1, 60.0)
    plain = TunedSettings(RunSettings("cpu", "int8").resolve(), file, "", 1.0, 1.0, 0.1, 60.0)
    tuning = Tuning(45.0, plain, (quick, plain))
    monkeypatch.setattr(local, "load_tuning", lambda *_, **__: tuning)
    said = "subpixel: as tuned: cpu, int8, tile 64, 2.1 times as fast as the default ("
    for order, count in (([], 1), (["--quiet"], 0), (["--no-tuning"], 0)):
        assert _upscale(folder, "--overwrite", *order) == 0
        lines = capsys.readouterr().err.splitlines()
        assert sum(line.startswith(said) for line in lines) == count
