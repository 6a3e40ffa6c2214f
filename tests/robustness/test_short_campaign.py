"""Mutated files of every kind, from a fixed seed: a short run of ``python -m tests.robustness``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SEED = 15
WITHOUT_TORCH = ("pictures", "insertions", "networks", "exif", "metadata", "caches")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes by /proc")


def run_campaign(folder: Path, count: int, *kinds: str) -> None:
    """``count`` cases of each kind; whatever they show is in the message."""
    line = [sys.executable, "-m", "tests.robustness", "--seed", str(SEED), "--seconds", "3600"]
    line += ["--count", str(count), "--only", *kinds, "--keep", str(folder)]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    summary = json.loads((folder / f"summary-{SEED}.json").read_text())
    assert not summary["causes"], done.stdout
    assert {name: row["cases"] for name, row in summary["kinds"].items()} == dict.fromkeys(
        kinds, count
    )


def test_mutated_files_are_taken_or_refused(tmp_path: Path) -> None:
    run_campaign(tmp_path, 25, *WITHOUT_TORCH)


@pytest.mark.slow
def test_many_mutated_files_are_taken_or_refused(tmp_path: Path) -> None:
    run_campaign(tmp_path, 300, *WITHOUT_TORCH)


@pytest.mark.slow
def test_mutated_checkpoints_are_taken_or_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run_campaign(tmp_path, 300, "checkpoints")
