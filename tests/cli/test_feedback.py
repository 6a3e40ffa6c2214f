"""What a job says: whole lines in a log, above a bar on a terminal, and a summary at the end."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from subpixel.cli.feedback import LOG_INTERVAL, Feedback, LogDisplay
from subpixel.cli.main import run
from subpixel.cli.options.pictures.upscaling import Volume
from subpixel.cli.upscaling.tally import JobTally, summarize
from subpixel.jobs.folder import Omission
from subpixel.jobs.outputs import Job, JobPlan
from subpixel.jobs.progress import JobProgress
from subpixel.jobs.results import JobResult

DONE = JobResult(Path("a.jpg"), Path("out/a.jpg"), 90, 60, seconds=0.5, megapixels=0.0054)
LOSSY = replace(DONE, losses=("bit depth: 16 became 8", "icc: gone"))
FAILED = JobResult(Path("b.jpg"), error="b.jpg can't be read")
LOUD, NORMAL, QUIET = Volume(False, True), Volume(False, False), Volume(True, False)


class Recorder(LogDisplay):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: self.now)
        self.now, self.lines = 0.0, list[str]()

    def say(self, line: str) -> None:
        self.lines.append(line)


def _feedback(volume: Volume, count: int = 4) -> tuple[Feedback, Recorder]:
    display = Recorder()
    jobs = [Job(Path(f"{i}.jpg"), Path(f"out/{i}.jpg")) for i in range(count)]
    return Feedback(display, JobProgress(jobs, clock=lambda: display.now), volume), display


def _tally(*results: JobResult) -> JobTally:
    tally = JobTally()
    for result in results:
        tally.take(result)
    return tally


def test_a_loss_is_said_once_and_a_failure_each_time() -> None:
    feedback, display = _feedback(NORMAL)
    for result in (LOSSY, LOSSY, FAILED, FAILED):
        feedback.take(result)
    first = ["out/a.jpg: lost bit depth: 16 became 8", "out/a.jpg: lost icc: gone"]
    assert display.lines == [*first, *["b.jpg can't be read"] * 2]


def test_more_and_less_is_said_when_asked_for() -> None:
    feedback, display = _feedback(LOUD)
    feedback.take(LOSSY)
    feedback.take(LOSSY)
    assert display.lines[0] == "a.jpg -> out/a.jpg: 90 x 60, 0.50 s"
    assert len(display.lines) == 6
    feedback, display = _feedback(QUIET)
    for result in (LOSSY, DONE, FAILED):
        feedback.take(result)
    assert display.lines == ["b.jpg can't be read"]


def test_a_log_has_few_lines_of_progress() -> None:
    feedback, display = _feedback(NORMAL)
    for second in range(100):
        display.now = float(second)
        feedback.report("0.jpg", second, 400)
    assert len(display.lines) == 99 // LOG_INTERVAL
    assert display.lines[-1] == "1 of 4, 25 min left: 0.jpg"


def test_the_summary_counts() -> None:
    plan = JobPlan((), (Omission(Path("in/.a"), "hidden"), Omission(Path("a_x3.jpg"), "result")))
    lines = list(summarize(_tally(DONE, LOSSY, LOSSY, FAILED), plan, seconds=2.0))
    assert lines == [
        "3 pictures written, 0.0 megapixels in 2.0 s (0.0 megapixels a second); 1 failed",
        "lost: bit depth of 2 pictures, icc of 2 pictures",
        "left out: 1 hidden file or thumbnail folder, 1 earlier result (a_x3.jpg)",
    ]
    large = replace(DONE, megapixels=4321.0)
    assert list(summarize(_tally(large, large), JobPlan(()), 10.0)) == [
        "2 pictures written, 8,642.0 megapixels in 10.0 s (864.2 megapixels a second)"
    ]
    assert list(summarize(_tally(FAILED, FAILED), JobPlan(()), 1.0)) == [
        "0 pictures written, 0.0 megapixels in 1.0 s; 2 failed"
    ]
    single = list(summarize(_tally(DONE), JobPlan(()), 1.0))
    assert single == ["a.jpg -> out/a.jpg: 90 x 60, 0.50 s"]


def test_pictures_of_another_run_are_counted_apart() -> None:
    feedback, display = _feedback(NORMAL, 2)
    feedback.take(replace(DONE, elsewhere=True))
    assert display.lines == []
    assert feedback.progress.count == 1
    results = [DONE, DONE, replace(DONE, elsewhere=True), replace(FAILED, elsewhere=True)]
    (line,) = summarize(_tally(*results), JobPlan(()), 1.0)
    assert line.startswith("2 pictures written, ")
    assert line.endswith("; 1 done already, or by another run; 1 failed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a", "c"):
        Image.fromarray(np.full((20, 30), 40000, np.uint16)).save(source / f"{name}.png")
    (source / "b.png").write_text("words")
    return source


def test_a_job_in_a_log(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = ["upscale", str(folder), "-o", str(folder / "out"), "--model", "fast"]
    assert run(order) == 1
    failure, summary = capsys.readouterr().err.splitlines()
    assert failure.startswith(f"subpixel: {folder / 'b.png'} can't be read")
    assert re.fullmatch(r"subpixel: 2 pictures written, 0.0 megapixels in .*; 1 failed", summary)
    assert run([*order, "--quiet", "--overwrite"]) == 1
    assert capsys.readouterr().err == failure + "\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_job_on_a_terminal_says_whole_lines_above_the_bar(folder: Path) -> None:
    import pty

    order = [sys.executable, "-m", "subpixel", "upscale", "in", "-o", "out", "--model", "fast"]
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "60"}
    with subprocess.Popen(order, cwd=folder.parent, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = _read_all(ours)
    assert process.returncode == 1
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown)
    lines = [line.rpartition("\r")[2] for line in plain.replace("\r\n", "\n").split("\n")]
    assert any(re.search(r"[1-3] of 3", line) for line in plain.split("\r"))
    said = [line for line in lines if "subpixel:" in line]
    assert all(line.startswith("subpixel: ") for line in said)
    assert [line.split()[1] for line in said] == ["in/b.png", "2"]
    assert said[0].endswith(" picture"), "not broken at the terminal's width"


def _read_all(terminal: int) -> str:
    data = b""
    try:
        while part := os.read(terminal, 4096):
            data += part
    except OSError:  # Linux: the other end has gone
        pass
    os.close(terminal)
    return data.decode()
