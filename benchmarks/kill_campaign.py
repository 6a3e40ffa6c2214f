"""Kill commands at random moments and look at what is left: nothing may be half-written.

    python benchmarks/kill_campaign.py --seed 1 --count 200

Each command runs undisturbed twice, which gives its files, those of them that are the same each
time, and the time it takes. Then it is started anew in a fresh folder and gets SIGTERM, SIGHUP or
SIGKILL at a random moment, every second time soon after it began to write. Afterwards

- a file under a final name has the content of the undisturbed run's, or is not there; one whose
  content differs from run to run can be read;
- no child of the command lives two seconds later;
- after SIGTERM and SIGHUP no temporary file is left, and the command ended within ten seconds;
- after one more, undisturbed run nothing but the usual files is there.

What is killed when is a function of the seed and the kill's number. What was done stands in the
folder of ``--keep``, a line of JSON each, and is not done again.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from kill_commands import COMMANDS, Command

from subpixel.jobs.journal.journal import JOURNAL_FOLDER

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
PATIENCE = 10.0
"""Seconds in which an orderly end has to come."""

CHILDREN_PATIENCE = 2.0
POLL_SECONDS = 0.002
SOON_SECONDS = 0.3
"""How long after the first sign of writing a kill comes at the latest."""


@dataclass(frozen=True)
class PlainRun:
    """What undisturbed runs of a command are like."""

    files: dict[str, str]
    """sha256 by place; empty for a file that differs from run to run."""
    seconds: float


@dataclass(frozen=True)
class Kill:
    """What is killed, when and how."""

    number: int
    command: str
    signal: str
    share: float
    """Of the time that it takes, or of :data:`SOON_SECONDS`."""
    at_writing: bool
    """Whether the time begins when a file appears."""


@dataclass(frozen=True)
class Outcome:
    """What one kill left behind."""

    kill: Kill
    ended_before: bool
    """Whether it was done before the signal came."""
    faults: tuple[str, ...]


class Run:
    """A command in a folder of its own, with its own caches and temporary folder."""

    def __init__(self, command: Command, place: Path) -> None:
        self.command, self.place = command, place
        self.work, self.temporary = place / "work", place / "tmp"
        for folder in (self.work, self.temporary):
            folder.mkdir()
        command.prepare(self.work)

    def start(self) -> "subprocess.Popen[bytes]":
        environment = os.environ | {
            "TMPDIR": str(self.temporary),
            "XDG_CACHE_HOME": str(self.place / "cache"),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "subpixel", *self.command.arguments],
            cwd=self.work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def names(self) -> set[Path]:
        return {file for file in self.place.rglob("*") if file.is_file()}

    def files(self) -> dict[str, str]:
        """The sha256 of every file by its place; a journal is for folder_kills.py to judge."""
        files = (file for file in sorted(self.names()) if JOURNAL_FOLDER not in file.parts)
        return {str(file.relative_to(self.place)): _hash(file) for file in files}


def _hash(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:  # gone since it was listed
        return ""


def run_undisturbed(command: Command) -> PlainRun:
    """Twice; a file counts as exact where both have the same content."""
    runs = [_run_once(command) for _ in range(2)]
    (first, seconds), (second, _) = runs
    files = {
        name: digest if second.get(name) == digest else ""
        for name, digest in first.items()
        if name in second
    }
    return PlainRun(files, seconds)


def _run_once(command: Command) -> tuple[dict[str, str], float]:
    with TemporaryDirectory() as place:
        run, start = Run(command, Path(place)), time.perf_counter()
        code = run.start().wait()
        if code not in command.codes:
            raise SystemExit(f"{command.name} ends with {code} when nobody kills it")
        return run.files(), time.perf_counter() - start


def draw_kill(seed: int, number: int, names: list[str]) -> Kill:
    """A function of the seed and the number."""
    dice = random.Random(f"{seed}/{number}")
    name, signal_name = dice.choice(names), dice.choice(SIGNALS).name
    return Kill(number, name, signal_name, dice.random(), at_writing=dice.random() < 0.5)


def kill_once(command: Command, plain: PlainRun, kill: Kill) -> Outcome:
    """One kill, and everything that is asked afterwards."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as place:
        run = Run(command, Path(place))
        before = run.names()
        process = run.start()
        _wait_for_moment(run, process, plain, kill, before)
        children = _children_of(process.pid)
        ended = process.poll() is not None
        process.send_signal(signal.Signals[kill.signal])
        faults = _wait_for_end(process)
        _wait_for_children(children)
        faults += [f"the child {child.pid} lives" for child in children if _is_alive(child)]
        orderly = kill.signal != signal.SIGKILL.name
        faults += _judge_files(run, plain, orderly=orderly and not ended)
        run.start().wait()
        faults += _judge_names(run, plain)
        return Outcome(kill, ended, tuple(faults))


def _wait_for_moment(
    run: Run, process: "subprocess.Popen[bytes]", plain: PlainRun, kill: Kill, before: set[Path]
) -> None:
    if not kill.at_writing:
        time.sleep(kill.share * plain.seconds)
        return
    end = time.monotonic() + 10 * plain.seconds
    while process.poll() is None and time.monotonic() < end and run.names() <= before:
        time.sleep(POLL_SECONDS)
    time.sleep(kill.share * SOON_SECONDS)


def _children_of(number: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(number).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _is_alive(child: psutil.Process) -> bool:
    try:
        return bool(child.is_running() and child.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait_for_children(children: list[psutil.Process]) -> None:
    """Until all have ended, or the time for it is over."""
    end = time.monotonic() + CHILDREN_PATIENCE
    while any(map(_is_alive, children)) and time.monotonic() < end:
        time.sleep(0.05)


def _wait_for_end(process: "subprocess.Popen[bytes]") -> list[str]:
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return [f"it did not end within {PATIENCE:g} s"]
    return []


def _judge_files(run: Run, plain: PlainRun, *, orderly: bool) -> list[str]:
    faults = []
    for name, digest in run.files().items():
        if name in plain.files and not _is_whole(run.place / name, digest, plain.files[name]):
            faults.append(f"{name} is half-written")
        if name not in plain.files and orderly and not _is_usual(run.command, name):
            faults.append(f"{name} is left")
    return faults


def _is_usual(command: Command, name: str) -> bool:
    """Whether a file that no undisturbed run has is one that may be there; no draft is."""
    is_draft = Path(name).name.startswith(".") or name.endswith(".partial")
    return name.startswith((*command.keeps, *command.varies)) and not is_draft


def _is_whole(file: Path, digest: str, expected: str) -> bool:
    return digest == expected if expected else can_be_read(file)


def can_be_read(file: Path) -> bool:
    """Whether a file whose content may be any is whole, as its suffix tells."""
    data = file.read_bytes()
    try:
        if file.suffix == ".json":
            json.loads(data)
        if file.suffix == ".onnx":
            import onnx

            onnx.checker.check_model(onnx.load_from_string(data))
        if file.suffix == ".html":
            return data.rstrip().endswith(b"</html>")
    except Exception:  # of any reader
        return False
    return bool(data)


def _judge_names(run: Run, plain: PlainRun) -> list[str]:
    """After a further run: drafts must be gone; what a kill left in TMPDIR is the system's."""
    strange = [n for n in run.files() if n not in plain.files and not n.startswith("tmp/")]
    strange = [name for name in strange if not _is_usual(run.command, name)]
    return [f"{name} is left after a further run" for name in strange]


class Record:
    """What was done, in a file: a campaign that was stopped goes on."""

    def __init__(self, folder: Path, seed: int, names: list[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"kills-{seed}-{'-'.join(names)}.jsonl"
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        self.outcomes = [self._parse(line) for line in lines]

    @staticmethod
    def _parse(line: str) -> Outcome:
        values = json.loads(line)
        kill = Kill(**values["kill"])
        return Outcome(kill, values["ended_before"], tuple(values["faults"]))

    def add(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        with self._file.open("a") as stream:
            stream.write(json.dumps(asdict(outcome)) + "\n")


def run_campaign(seed: int, count: int, commands: list[Command], record: Record) -> None:
    """Those kills that are not recorded yet; a command runs undisturbed before its first."""
    plain: dict[str, PlainRun] = {}
    done = {outcome.kill.number for outcome in record.outcomes}
    by_name = {command.name: command for command in commands}
    for number in range(count):
        if number in done:
            continue
        kill = draw_kill(seed, number, list(by_name))
        command = by_name[kill.command]
        if kill.command not in plain:
            plain[kill.command] = run_undisturbed(command)
        outcome = kill_once(command, plain[kill.command], kill)
        record.add(outcome)
        if outcome.faults:
            print(f"{kill}: {outcome.faults}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--only", nargs="*", choices=[command.name for command in COMMANDS])
    parser.add_argument("--keep", type=Path, default=Path("build/kills"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's children would ignore it, rightly
    commands = [c for c in COMMANDS if not arguments.only or c.name in arguments.only]
    names = arguments.only or ["all"]
    record = Record(arguments.keep, arguments.seed, names)
    run_campaign(arguments.seed, arguments.count, commands, record)
    outcomes = [o for o in record.outcomes if o.kill.number < arguments.count]
    counts = Counter(f"{o.kill.command} {o.kill.signal}" for o in outcomes)
    late = sum(outcome.ended_before for outcome in outcomes)
    bad = sum(bool(outcome.faults) for outcome in outcomes)
    print(json.dumps(counts, indent=2, sort_keys=True))
    print(f"{bad} of {len(outcomes)} kills left something behind; {late} came after the end")
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
