"""Each file of the corpus has the outcome that it must have, within time and memory."""

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.robustness.corpus.table import TABLES

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = {
    "pictures": ("selfish-400.jpg", "texts-40.png", "circle-2.tif", "resolution.png"),
    "networks": ("plain.onnx", "loop.onnx", "device.onnx", "fact-00-scale.onnx"),
}  # fmt: skip

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes by /proc")


@functools.cache
def outcomes(table: str, *names: str) -> dict[str, Any]:
    """What came of the files of a table that are named, or of all."""
    command = [sys.executable, "-m", "tests.robustness.corpus.check", table, *names]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def expect_right(table: str, ends: dict[str, Any]) -> None:
    allowed = {file.name: file.outcomes for file in TABLES[table]()}
    wrong = {name: end for name, end in ends.items() if not _is_right(end, allowed[name])}
    assert not wrong, json.dumps(wrong, indent=1)


def _is_right(end: dict[str, Any], allowed: tuple[str, ...]) -> bool:
    """A hang that is allowed is a fault that is allowed."""
    return end["word"] in allowed and (not end["faults"] or end["word"] == "hang")


@pytest.mark.sample(every=7)
@pytest.mark.parametrize("table", SAMPLE)
def test_some_hostile_files_do_no_harm(table: str) -> None:
    ends = outcomes(table, *SAMPLE[table])
    assert set(ends) == set(SAMPLE[table])
    expect_right(table, ends)


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_hostile_files_do_no_harm(table: str) -> None:
    if table == "checkpoints":
        pytest.importorskip("torch")
    ends = outcomes(table)
    assert len(ends) == len(TABLES[table]())
    expect_right(table, ends)


@pytest.mark.parametrize("table", ["pictures", "networks"])
def test_names_are_unique_and_purposes_told(table: str) -> None:
    files = TABLES[table]()
    assert len({file.name for file in files}) == len(files)
    assert all(file.purpose and file.outcomes for file in files)
