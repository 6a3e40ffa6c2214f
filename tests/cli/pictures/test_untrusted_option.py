"""``--untrusted``: the same results, and one bad picture stops no other."""

import io
import json
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from journals import result_files
from samples import smooth
from subpixel.cli.main import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="decoders are forked on Linux")


def call(*arguments: object, code: int = 0) -> str:
    """What a command line prints; here, and not in a process of its own."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert run([str(argument) for argument in arguments]) == code
    return printed.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "in"
    place.mkdir()
    Image.fromarray(smooth(3, size=(40, 30))[0]).save(place / "a.jpg", quality=60)
    Image.fromarray(smooth(4, size=(40, 30))[0]).save(place / "b.png")
    return place


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in result_files(folder)}


def test_same_results(folder: Path, tmp_path: Path) -> None:
    call("upscale", folder, "-o", tmp_path / "direct", "-q")
    call("upscale", folder, "-o", tmp_path / "apart", "-q", "--untrusted")
    assert len(results(tmp_path / "apart")) == 2
    assert results(tmp_path / "direct") == results(tmp_path / "apart")


@pytest.mark.slow
def test_a_pipe(folder: Path) -> None:
    command = [sys.executable, "-m", "subpixel", "upscale", "-", "-o", "-", "-q"]
    data = (folder / "a.jpg").read_bytes()
    direct, apart = (
        subprocess.run([*command, *more], input=data, stdout=subprocess.PIPE, check=True).stdout
        for more in ([], ["--untrusted"])
    )
    assert direct == apart


@pytest.mark.slow
def test_a_bad_picture_stops_no_other(folder: Path, tmp_path: Path) -> None:
    (folder / "aa.png").write_bytes((folder / "b.png").read_bytes()[:60])
    noise = np.random.default_rng(3).integers(0, 256, (3000, 3000, 3), np.uint8)
    interlaced = folder / "ab.webp"
    Image.fromarray(noise).save(interlaced, lossless=True, quality=0, method=0)
    limits = ["--untrusted", "--max-pixels", 4_000_000]
    out = call("upscale", folder, "-o", tmp_path / "out", "--json", *limits, code=1)
    errors = {Path(row["input"]).name: row["error"] for row in json.loads(out)["files"]}
    assert errors["a.jpg"] is None
    assert errors["b.png"] is None
    assert "aa.png" in errors["aa.png"]
    assert "are allowed" in errors["ab.webp"]


def test_compare(folder: Path, tmp_path: Path) -> None:
    pair = [folder / "a.jpg", folder / "b.png"]
    call("compare", *pair, "-o", tmp_path / "direct.png")
    call("compare", *pair, "-o", tmp_path / "apart.png", "--untrusted")
    assert (tmp_path / "direct.png").read_bytes() == (tmp_path / "apart.png").read_bytes()


def test_doctor_says_what_is_taken_away() -> None:
    facts = json.loads(call("doctor", "--json"))["untrusted"]
    assert set(facts) == {"forks", "landlock", "seccomp"}
    assert "--untrusted" in call("doctor")
