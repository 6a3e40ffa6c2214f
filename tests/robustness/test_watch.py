"""The tool sees what it is there for: faults that are planted."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes by /proc")

EXPECTED = {
    "crash.plan": ["crash", "crash"],
    "die.plan": ["crash", "crash"],
    "exit.plan": ["crash", "crash"],
    "hang.plan": ["hang", "hang"],
    "hang-child.plan": ["hang", "hang"],
    "exception.plan": ["exception", "exception"],
    "memory.plan": ["ok", "memory"],
    "shortage.plan": ["shortage", "shortage"],
    "blame.plan": ["refused", "shortage"],
    "leftover.plan": ["ok", "leftover"],
    "noise.plan": ["ok", "noise"],
    "refused.plan": ["refused"],
    "wait.plan": ["ok"],
}


@pytest.fixture(scope="module")
def planted() -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.robustness.planted"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.slow
def test_each_fault_is_seen(planted: dict[str, Any]) -> None:
    assert planted["seen"] == EXPECTED


@pytest.mark.slow
def test_a_campaign_goes_on_after_what_kills_its_process(planted: dict[str, Any]) -> None:
    row = planted["campaign"]["kinds"]["planted"]
    assert row["cases"] == 12
    assert row["crash"] + row["hang"] > 0
    assert planted["campaign"]["findings"] == sum(c["count"] for c in planted["campaign"]["causes"])


@pytest.mark.slow
def test_files_of_each_cause_are_kept(planted: dict[str, Any]) -> None:
    causes = planted["campaign"]["causes"]
    assert len(planted["kept"]) >= len(causes) - 1  # one file may stand for two causes
    assert all("--only planted --case" in cause["repeat"] for cause in causes)
