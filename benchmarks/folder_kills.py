"""Kill `subpixel upscale` of a folder at random moments, until it is done: nothing may be lost.

    python benchmarks/folder_kills.py --seed 1 --kills 100 --pictures 200

The folder is gone through undisturbed once, which says what the results are. Then the same command
is started into an empty folder again and again, and gets SIGKILL at a random moment: mostly soon
after it recorded something, sometimes while it starts. After each kill

- a file under a result's name is, byte for byte, that of the undisturbed run;
- every picture that had its result before the kill still has the same file, not a new one.

When all are done, one more run must find nothing to do; then the next folder begins, until there
were enough kills. Counted is how often pictures were recorded: beyond once each, no more often than
there were kills. What was done stands in the file of ``--keep``, a line for each folder, and is not
done again.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from subpixel.jobs.journal.journal import JOURNAL_FOLDER
from subpixel.jobs.journal.record_files import RecordReader
from subpixel.jobs.journal.records import UnitRecord
from subpixel.media.arrays import to_picture
from subpixel.media.image_file import write_picture

STARTING_SHARE = 0.15
"""Of the kills, those that come while the command starts."""

STARTING_SECONDS, WORKING_SECONDS = 3.0, 0.6
"""How long after the start, or after the first record of a run, a kill comes at the latest."""


@dataclass(frozen=True)
class FolderOutcome:
    """What came of one folder."""

    number: int
    kills: int
    pictures: int
    records: int
    """How often pictures were recorded."""
    faults: tuple[str, ...]


def make_folder_of(pictures: int, folder: Path) -> None:
    """PNG and JPEG files of noise, 16 to 80 pixels wide."""
    folder.mkdir()
    dice = np.random.default_rng(0)
    for number in range(pictures):
        shape = (*dice.integers(16, 81, 2), 3)
        picture = to_picture(dice.integers(0, 256, shape, np.uint8))
        write_picture(picture, folder / f"{number:04}{('.png', '.jpg')[number % 2]}")


def start(place: Path, target: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "subpixel", "upscale", "in", "-o", target, "--model", "fast"]
    return subprocess.Popen(
        [*command, "--scale", "2", "--quiet"],
        cwd=place,
        env=os.environ | {"XDG_CACHE_HOME": str(place / "cache")},
        stdin=subprocess.DEVNULL,
    )


def look(folder: Path) -> dict[str, tuple[str, int]]:
    """The sha256 and the number of each result; a draft that lies there is one, too."""
    files = sorted(folder.glob("*")) if folder.is_dir() else []
    return {
        file.name: (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_ino)
        for file in files
        if file.name != JOURNAL_FOLDER
    }


def count_records(folder: Path) -> int:
    """Pictures that are recorded, each as often as it is."""
    place = folder / JOURNAL_FOLDER
    if not place.is_dir():
        return 0
    return sum(isinstance(record, UnitRecord) for record in RecordReader(place).read_new())


def count_recorded_bytes(folder: Path) -> int:
    """The size of all records, which costs nothing to look at."""
    return sum(file.stat().st_size for file in (folder / JOURNAL_FOLDER).glob("records-*"))


def kill_once(place: Path, dice: random.Random) -> bool:
    """Whether the command was killed before its end."""
    before = count_recorded_bytes(place / "out")
    process, begin = start(place, "out"), time.monotonic()
    if dice.random() < STARTING_SHARE:
        time.sleep(dice.random() * STARTING_SECONDS)
    else:
        while process.poll() is None and count_recorded_bytes(place / "out") == before:
            time.sleep(0.01)
            if time.monotonic() - begin > 300:
                raise SystemExit("the command doesn't begin")
        time.sleep(dice.random() * WORKING_SECONDS)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def kill_until_done(
    number: int, seed: int, most: int, place: Path, expected: dict[str, str]
) -> FolderOutcome:
    """One folder, from empty to complete, killed up to ``most`` times."""
    dice, faults, kills = random.Random(f"{seed}/{number}"), list[str](), 0
    results: dict[str, tuple[str, int]] = {}
    while kills < most and len(results) < len(expected):
        if kill_once(place, dice):
            kills += 1
        now = look(place / "out")
        faults += [f"{name} is half-written" for name in now if _differs(name, now, expected)]
        faults += [f"{name} was done again" for name in results if now.get(name) != results[name]]
        results = now
    for _ in range(2):
        if start(place, "out").wait() != 0:
            faults.append("the last run did not succeed")
    last = look(place / "out")
    if {name: digest for name, (digest, _) in last.items()} != expected:
        faults.append("the results differ from those of an undisturbed run")
    faults += [f"{name} was done again" for name in results if last.get(name) != results[name]]
    records = count_records(place / "out")
    if not len(expected) <= records <= len(expected) + kills:
        faults.append(f"{records} records of {len(expected)} pictures after {kills} kills")
    return FolderOutcome(number, kills, len(expected), records, tuple(faults))


def _differs(name: str, now: dict[str, tuple[str, int]], expected: dict[str, str]) -> bool:
    return not name.startswith(".") and now[name][0] != expected.get(name)


def run_folders(seed: int, kills: int, pictures: int, keep: Path) -> list[FolderOutcome]:
    """Folder after folder, until there were so many kills; those before are read."""
    keep.parent.mkdir(parents=True, exist_ok=True)
    lines = keep.read_text().splitlines() if keep.exists() else []
    outcomes = [FolderOutcome(**json.loads(line)) for line in lines]
    with TemporaryDirectory() as first:
        place = Path(first)
        make_folder_of(pictures, place / "in")
        if start(place, "plain").wait() != 0:
            raise SystemExit("the command fails when nobody kills it")
        expected = {name: digest for name, (digest, _) in look(place / "plain").items()}
        while (left := kills - sum(outcome.kills for outcome in outcomes)) > 0:
            outcome = kill_until_done(len(outcomes), seed, left, place, expected)
            (place / "out").rename(place / f"out-{outcome.number}")
            outcomes.append(outcome)
            with keep.open("a") as stream:
                stream.write(json.dumps(asdict(outcome)) + "\n")
            print(outcome, flush=True)
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--keep", type=Path, default=Path("build/kills"))
    arguments = parser.parse_args()
    file = arguments.keep / f"folder-{arguments.seed}-{arguments.pictures}.jsonl"
    outcomes = run_folders(arguments.seed, arguments.kills, arguments.pictures, file)
    kills, bad = sum(o.kills for o in outcomes), sum(len(o.faults) for o in outcomes)
    again = sum(o.records - o.pictures for o in outcomes)
    print(
        f"{kills} kills in {len(outcomes)} folders of {arguments.pictures} pictures: {bad} faults; "
        f"{again} pictures were recorded twice, as they were in work"
    )
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
