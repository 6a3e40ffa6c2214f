"""A folder of good and hostile pictures: a small run of ``benchmarks/hostile_folder.py``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_folder import FolderRun, judge

MEGABYTES = 1 << 20
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="judges memory by Linux' figures")
def test_good_pictures_are_not_harmed_by_hostile_ones() -> None:
    """In a process of its own: what it measures is the largest of all of a process's children."""
    command = [sys.executable, "-m", "benchmarks.hostile_folder", "--count", "40"]
    run = subprocess.run(
        [*command, "--max-memory", "600M"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    report = json.loads(run.stdout)
    assert report["faults"] == []
    assert run.returncode == 0
    assert report["good"] == 20
    assert report["refused"] > 5


def _run(tmp_path: Path, **changes: object) -> FolderRun:
    (tmp_path / "good.png").write_bytes(b"right")
    files = [
        {"input": "in/good.png", "output": "out/good.png", "error": None},
        {"input": "in/bad.png", "output": None, "error": "in/bad.png is damaged"},
    ]
    plain = {"code": 1, "seconds": 1.0, "peak": 100, "lines": ("subpixel: in/bad.png is damaged",)}
    answer = {"files": files, "left_out": []}
    return FolderRun(**{**plain, "answer": answer, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"code": 0}, "exit code 0"),
        ({"lines": ()}, "bad.png is named in 0 lines"),
        ({"lines": ("Traceback",)}, "a line too many"),
        ({"peak": 9 * MEGABYTES}, "9 MB held"),
    ],
)
def test_what_does_not_hold_is_said(tmp_path: Path, changes: dict[str, object], fault: str) -> None:
    report = judge(_run(tmp_path, **changes), tmp_path, _digests(tmp_path), MEGABYTES)
    assert any(fault in line for line in report.faults)


def _digests(folder: Path) -> dict[str, str]:
    import hashlib

    (folder / "good.png").write_bytes(b"right")
    return {"good.png": hashlib.sha256(b"right").hexdigest()}


def test_all_that_holds_is_no_fault(tmp_path: Path) -> None:
    assert judge(_run(tmp_path), tmp_path, _digests(tmp_path), MEGABYTES)


def test_another_result_and_a_file_too_many_are_faults(tmp_path: Path) -> None:
    digests = _digests(tmp_path)
    run = _run(tmp_path)
    (tmp_path / "good.png").write_bytes(b"wrong")
    (tmp_path / "good.png.draft").write_bytes(b"half")
    faults = " ".join(judge(run, tmp_path, digests, MEGABYTES).faults)
    assert "another than alone" in faults
    assert "good.png.draft is left" in faults
