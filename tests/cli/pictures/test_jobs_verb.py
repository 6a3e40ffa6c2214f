"""`subpixel jobs`, as a user types it."""

import json
from pathlib import Path

import pytest

from subpixel.cli.main import run
from subpixel.jobs.journal.facts import FileFacts, JobFacts
from subpixel.jobs.journal.journal import JOURNAL_FOLDER, Journal
from subpixel.jobs.journal.known_jobs import remember_journal

FACTS = JobFacts("pictures", {"model": "fast", "scale": "2", "size": ""})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    with Journal.open(folder / JOURNAL_FOLDER, FACTS) as journal:
        journal.begin(["a", "b", "c"])
        journal.finish("a", FileFacts(1, 2, "0" * 64))
        journal.fail("b", "broken")
    remember_journal(folder / JOURNAL_FOLDER)
    return folder


def test_known_jobs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs"]) == 0
    said = capsys.readouterr().out
    for word in ("1 of 3", "fast", "x2", "pictures", JOURNAL_FOLDER):
        assert word in said
    assert run(["jobs", "--json"]) == 0
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert job["journal"] == str(home / JOURNAL_FOLDER)
    assert (job["units"], job["done"], job["failed"], job["running"]) == (3, 1, 1, 0)
    assert job["made_of"]["model"] == "fast"


def test_who_is_at_work(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Seen by another process."""
    import subprocess
    import sys

    with Journal.open(home / JOURNAL_FOLDER, FACTS):
        command = [sys.executable, "-m", "subpixel", "jobs", str(home), "--json"]
        answer = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(answer.stdout)["jobs"][0]["running"] == 1
    assert run(["jobs", str(home), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["jobs"][0]["running"] == 0


def test_no_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs"]) == 0
    assert "no jobs are known" in capsys.readouterr().out
    assert run(["jobs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"jobs": []}
    assert run(["jobs", str(tmp_path)]) == 1
    assert f"no journal lies in {tmp_path}" in capsys.readouterr().err
