"""Kill commands at random moments and look at what is left: nothing may be half-written.

    python benchmarks/kill_campaign.py --seed 1 --count 200

Each command runs undisturbed once, which gives its files and the time it takes. Then it is started
anew in a fresh folder and gets SIGTERM, SIGHUP or SIGKILL at a random moment. Afterwards

- a file under a final name has the content of the undisturbed run's, or is not there;
- no child of the command lives two seconds later;
- after SIGTERM and SIGHUP no temporary file is left, and the command ended within ten seconds;
- after one more, undisturbed run nothing but the usual files is there.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil

from subpixel.media.arrays import to_picture
from subpixel.media.image_file import write_picture

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
PATIENCE = 10.0
"""Seconds in which an orderly end has to come."""

CHILDREN_PATIENCE = 2.0


@dataclass(frozen=True)
class Command:
    """A command line to kill."""

    name: str
    arguments: tuple[str, ...]
    prepare: Callable[[Path], None]
    """Puts its inputs into the folder that it runs in."""
    is_exact: bool = True
    """Whether two runs write the same bytes; else only that files can be read is asked."""


def make_pictures(folder: Path) -> None:
    pictures = folder / "in"
    pictures.mkdir()
    random_numbers = np.random.default_rng(0)
    for number, suffix in enumerate((".png", ".jpg", ".webp", ".tif", ".avif", ".gif")):
        pixels = random_numbers.integers(0, 256, (160, 200, 3), np.uint8)
        write_picture(to_picture(pixels), pictures / f"{number}{suffix}")


def make_checkpoint(folder: Path) -> None:
    import torch

    from subpixel.nets.architectures.plain import PlainNet

    torch.manual_seed(0)
    torch.save(PlainNet(3).state_dict(), folder / "net.pth")


def make_network(folder: Path) -> None:
    from subpixel.network.locate import locate

    (folder / "net.onnx").write_bytes(locate("fast", 3).read_bytes())


COMMANDS = (
    Command("upscale", ("upscale", "in", "-o", "out"), make_pictures),
    Command("export", ("export", "net.pth", "-o", "net.onnx"), make_checkpoint),
    Command(
        "quantize",
        ("quantize", "--model", "net.onnx", "-o", "int8.onnx", "--floor-db", "20"),
        make_network,
    ),
    Command("compare", ("compare", "in/0.png", "in/1.jpg", "-o", "sheet.png"), make_pictures),
    Command(
        "tune", ("tune", "--model", "net.onnx", "--seconds", "2"), make_network, is_exact=False
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What one kill left behind."""

    command: str
    signal: str
    after: float
    """Seconds from the start to the signal."""
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
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def files(self) -> dict[str, str]:
        """The sha256 of every file by its place."""
        return {
            str(file.relative_to(self.place)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(self.place.rglob("*"))
            if file.is_file()
        }


def run_undisturbed(command: Command) -> tuple[dict[str, str], float]:
    with TemporaryDirectory() as place:
        run, start = Run(command, Path(place)), time.perf_counter()
        code = run.start().wait()
        if code not in (0, 1):  # 1: a verdict, such as too low a quality
            raise SystemExit(f"{command.name} ends with {code} when nobody kills it")
        return run.files(), time.perf_counter() - start


def kill_once(
    command: Command, expected: dict[str, str], number: signal.Signals, delay: float
) -> Outcome:
    with TemporaryDirectory() as place:
        run = Run(command, Path(place))
        process = run.start()
        time.sleep(delay)
        children = _children_of(process.pid)
        process.send_signal(number)
        faults = _wait(process)
        time.sleep(CHILDREN_PATIENCE)
        faults += [f"the child {child.pid} lives" for child in children if _is_alive(child)]
        faults += _judge_files(run, expected, orderly=number != signal.SIGKILL)
        run.start().wait()
        faults += _judge_names(run.files(), expected)
        return Outcome(command.name, number.name, round(delay, 2), tuple(faults))


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


def _wait(process: "subprocess.Popen[bytes]") -> list[str]:
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return [f"it did not end within {PATIENCE:g} s"]
    return []


def _judge_files(run: Run, expected: dict[str, str], *, orderly: bool) -> list[str]:
    faults = []
    for name, digest in run.files().items():
        if name in expected and run.command.is_exact and digest != expected[name]:
            faults.append(f"{name} is half-written")
        if name not in expected and orderly:
            faults.append(f"{name} is left")
    return faults


def _judge_names(files: dict[str, str], expected: dict[str, str]) -> list[str]:
    """After a further run: drafts must be gone; what a kill left in TMPDIR is the system's."""
    strange = [name for name in files if name not in expected and not name.startswith("tmp/")]
    return [f"{name} is left after a further run" for name in strange]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--only", nargs="*", choices=[command.name for command in COMMANDS])
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    commands = [c for c in COMMANDS if not arguments.only or c.name in arguments.only]
    plain = {command.name: run_undisturbed(command) for command in commands}
    bad: list[Outcome] = []
    counts: Counter[str] = Counter()
    for _ in range(arguments.count):
        command, number = dice.choice(commands), dice.choice(SIGNALS)
        expected, seconds = plain[command.name]
        outcome = kill_once(command, expected, number, dice.uniform(0, seconds))
        counts[f"{command.name} {outcome.signal}"] += 1
        if outcome.faults:
            bad.append(outcome)
            print(f"{outcome.command} {outcome.signal} after {outcome.after} s: {outcome.faults}")
    print(json.dumps(counts, indent=2, sort_keys=True))
    print(f"{len(bad)} of {arguments.count} kills left something behind")
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
