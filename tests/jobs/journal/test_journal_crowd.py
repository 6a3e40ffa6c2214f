"""Several processes at one job, and kills at any instant: nothing is lost, nothing done twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from journal_worker import LOG, expected_result, make_keys
from subpixel.jobs.journal.journal import JOURNAL_FOLDER
from subpixel.jobs.journal.known_jobs import read_statuses

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")

FIXTURES = Path(__file__).parents[2] / "fixtures"


def start(folder: Path, count: int, seconds: float, *shard: str) -> "subprocess.Popen[bytes]":
    command = [
        sys.executable,
        "-m",
        "journal_worker",
        str(folder),
        str(count),
        str(seconds),
        *shard,
    ]
    paths = os.pathsep.join([str(FIXTURES), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": paths})


def counts(folder: Path, what: str) -> Counter[str]:
    """How often each unit begins, or ends."""
    lines = (folder / LOG).read_text().splitlines()
    return Counter(line.split()[1] for line in lines if line.startswith(what))


def expect_results(folder: Path, count: int) -> None:
    names = {file.name for file in folder.iterdir()} - {LOG, JOURNAL_FOLDER}
    assert names == set(make_keys(count))
    for name in names:
        assert (folder / name).read_bytes() == expected_result(name)


@pytest.mark.parametrize("processes", [2, 4])
def test_a_crowd_does_everything_once(tmp_path: Path, processes: int) -> None:
    crowd = [start(tmp_path, 60, 0.003) for _ in range(processes)]
    assert [process.wait(60) for process in crowd] == [0] * processes
    assert counts(tmp_path, "begins") == dict.fromkeys(make_keys(60), 1)
    expect_results(tmp_path, 60)
    assert start(tmp_path, 60, 0).wait(60) == 0
    assert counts(tmp_path, "begins").total() == 60, "a later run has nothing to do"


def test_shards_make_the_whole(tmp_path: Path) -> None:
    crowd = [start(tmp_path, 40, 0.001, f"{number}/3") for number in (1, 2, 3)]
    assert [process.wait(60) for process in crowd] == [0, 0, 0]
    assert counts(tmp_path, "begins") == dict.fromkeys(make_keys(40), 1)
    expect_results(tmp_path, 40)
    names = {file.name for file in (tmp_path / JOURNAL_FOLDER).glob("records-*")}
    assert len({name.split(".")[0] for name in names}) == 3, "no two shards append to one file"
    (status,) = read_statuses(tmp_path / JOURNAL_FOLDER)
    assert (status.units, status.done, status.running) == (40, 40, 0)


def kill_at_random(folder: Path, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    count = 40
    for _ in range(kills):
        process = start(folder, count, 0.002)
        while not (folder / LOG).exists():
            time.sleep(0.002)
        before = (folder / LOG).stat().st_size
        while process.poll() is None and (folder / LOG).stat().st_size == before:
            time.sleep(0.001)
        time.sleep(dice.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert start(folder, count, 0).wait(60) == 0
    expect_results(folder, count)
    begins = counts(folder, "begins")
    assert all(begins[key] >= 1 for key in make_keys(count))
    assert begins.total() - count <= kills, "a kill costs the unit in work and no more"
    assert max(counts(folder, "ends").values()) == 1, "what has its name isn't done again"


def test_kills_cost_the_unit_in_work(tmp_path: Path) -> None:
    kill_at_random(tmp_path, kills=4, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 7))
def test_many_kills(tmp_path: Path, seed: int) -> None:
    kill_at_random(tmp_path, kills=25, seed=seed)


def test_one_of_a_crowd_is_killed(tmp_path: Path) -> None:
    """The others take over what it was at, while they run."""
    victim, *others = [start(tmp_path, 60, 0.005) for _ in range(3)]
    while not (tmp_path / LOG).exists() or counts(tmp_path, "begins").total() < 10:
        time.sleep(0.002)
    victim.kill()
    victim.wait(60)
    assert [process.wait(60) for process in others] == [0, 0]
    expect_results(tmp_path, 60)
    assert counts(tmp_path, "begins").total() <= 61
    assert max(counts(tmp_path, "ends").values()) == 1
