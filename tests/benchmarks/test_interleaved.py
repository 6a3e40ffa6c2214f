"""Rows take turns, and one that dies is a cell, not the end."""

import sys
import time
from pathlib import Path

import pytest
from interleaved import Cell, Failed, Run, Share, Worker, in_turns, ratio, run_command

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")

WORKER = """
import json, sys, time
print(json.dumps({"psnr": 50.0}), flush=True)
for line in sys.stdin:
    if line == "1\\n":
        print(json.dumps({"seconds": 2.0, "processor_seconds": 3.0, "peak": 4}), flush=True)
    elif line == "2\\n":
        print(json.dumps({"fault": "can't allocate memory: you tried 99 bytes"}), flush=True)
    elif line == "3\\n":
        time.sleep(60)
    else:
        sys.exit("a last word")
"""


def _run(seconds: float) -> Run:
    return Run(seconds, seconds, 0)


def test_turns_go_round() -> None:
    order = []

    def row(name: str) -> Run:
        order.append(name)
        return _run(1.0)

    cells = in_turns({name: lambda name=name: row(name) for name in "ab"}, Share(3, 3, 0.0))
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert [len(cell.runs) for cell in cells.values()] == [3, 3]


def test_who_fails_has_no_more_turns() -> None:
    def fails() -> Run:
        raise Failed("out of memory")

    cells = in_turns({"a": lambda: _run(1.0), "b": fails}, Share(2, 2, 0.0))
    assert cells["b"] == Cell((), "out of memory")
    assert not cells["b"]
    assert len(cells["a"].runs) == 2


def test_rounds_end_with_the_time() -> None:
    cells = in_turns({"a": lambda: _run(1.0)}, Share(2, 1000, 0.0))
    assert len(cells["a"].runs) == 2
    assert Share(2, 5, 60.0).goes_on(4, time.monotonic())
    assert not Share(2, 5, 60.0).goes_on(5, time.monotonic())


def test_a_ratio_is_taken_round_by_round() -> None:
    """A machine that becomes ten times as slow is so for both."""
    a = Cell((_run(2.0), _run(20.0), _run(2.2)))
    b = Cell((_run(1.0), _run(10.0), _run(1.0)))
    assert ratio(a, b) == 2.0
    assert ratio(Cell((_run(3.0),)), b) == 3.0


@POSIX
def test_a_worker_works_when_asked() -> None:
    with Worker([sys.executable, "-c", WORKER]) as worker:
        assert worker.ready(30.0) == 50.0
        assert worker.run(1, 30.0) == worker.run(1, 30.0) == Run(2.0, 3.0, 4)


@POSIX
@pytest.mark.parametrize(
    ("side", "limit", "said"),
    [(2, 30.0, "^out of memory$"), (3, 0.2, r"^over 0\.2 s$"), (4, 30.0, "^a last word$")],
)
def test_a_worker_that_dies_says_why(side: int, limit: float, said: str) -> None:
    with Worker([sys.executable, "-c", WORKER]) as worker:
        worker.ready(30.0)
        with pytest.raises(Failed, match=said):
            worker.run(side, limit)
        with pytest.raises(Failed):
            worker.run(side, limit)


@POSIX
def test_whole_processes(tmp_path: Path) -> None:
    mine = bytes(range(256)) * 2**20
    run = run_command([sys.executable, "-c", "open('here', 'w').close()"], tmp_path)
    assert (tmp_path / "here").exists()
    assert 2**20 < run.peak < len(mine), "the caller's memory is not the command's"
    with pytest.raises(Failed, match=r"^why$"):
        run_command([sys.executable, "-c", "raise SystemExit('why')"], tmp_path)
    with pytest.raises(Failed, match=r"^over 0\.1 s$"):
        run_command([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, 0.1)
