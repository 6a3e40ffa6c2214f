"""A folder of pictures, half of them hostile: the others come out as if they were alone.

    python -m benchmarks.hostile_folder --count 500 --max-memory 600M

The good ones are ordinary pictures in several formats; the hostile ones are mutated files and the
corpus of tests/robustness. `subpixel upscale` goes through the folder once, in a process of its
own, and these must hold:

- it ends by itself with exit code 1;
- every good picture's result is, byte for byte, what that picture gives alone;
- every hostile file is enlarged, left out as no picture, or reported in one line that names it, and
  there are no other lines;
- the process never held more than ``--max-memory``;
- no other file is in the folder of the results.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fixtures"))

import numpy as np
from tests.robustness.corpus.table import hostile_pictures
from tests.robustness.kinds import Case, find_kind

from subpixel.jobs.journal.journal import JOURNAL_FOLDER
from subpixel.media.arrays import to_picture
from subpixel.media.image_file import write_picture
from subpixel.upscaling.upscaler import Upscaler

GOOD_SUFFIXES = (".png", ".jpg", ".webp", ".tif", ".gif", ".bmp", ".ppm", ".avif")
MAX_PIXELS = 2_000_000
"""Larger pictures of the corpus are refused: those that work would take minutes."""

NETWORK = "fast"
SCALE = 2
MEMORY_UNITS = {"M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True)
class FolderRun:
    """What one run of the command came to."""

    code: int
    seconds: float
    peak: int
    """Most bytes that the process, or one that it waited for, held."""
    answer: dict[str, Any]
    """What ``--json`` prints."""
    lines: tuple[str, ...]
    """On stderr."""


@dataclass(frozen=True)
class FolderReport:
    """Whether all that must hold does."""

    good: int
    enlarged: int
    """Of the hostile files."""
    refused: int
    left_out: int
    seconds: float
    peak_mb: int
    faults: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.faults


def make_good(folder: Path, count: int, seed: int) -> list[Path]:
    """Ordinary pictures: soft waves and a little noise, 60 to 160 pixels a side."""
    files = []
    for number in range(count):
        file = folder / f"good-{number:03}{GOOD_SUFFIXES[number % len(GOOD_SUFFIXES)]}"
        write_picture(to_picture(_draw_pixels(np.random.default_rng((seed, number)))), file)
        files.append(file)
    return files


def _draw_pixels(random: np.random.Generator) -> np.ndarray[Any, np.dtype[np.uint8]]:
    height, width = random.integers(60, 160, 2)
    across, down = np.meshgrid(np.linspace(0, 9, width), np.linspace(0, 7, height))
    waves = np.stack([np.sin(across), np.cos(down), np.sin(across + down)], -1)
    noise = random.normal(0, 6, (height, width, 3))
    return np.clip(127.5 * (1 + waves) + noise, 0, 255).astype(np.uint8)


def make_hostile(folder: Path, count: int, seed: int) -> list[Path]:
    """A third from the corpus, as far as it reaches, and mutated pictures."""
    corpus = hostile_pictures()
    some = corpus[:: max(1, len(corpus) // max(1, count // 3))][: count // 3]
    contents = [(file.name, file.build()) for file in some]
    kind = find_kind("pictures")
    drawn = [Case(kind, seed, number).draw() for number in range(count - len(contents))]
    contents += [(seed_.name, seed_.data) for seed_ in drawn]
    files = []
    for number, (name, data) in enumerate(contents):
        file = folder / f"hostile-{number:03}-{name}"
        file.write_bytes(data)
        files.append(file)
    return files


def enlarge_alone(files: Sequence[Path], folder: Path) -> dict[str, str]:
    """The sha256 of what each file gives by itself, by the name of its result."""
    upscaler, digests = Upscaler(NETWORK, scale=SCALE, threads=1, tuning=False), {}
    for file in files:
        result = folder / file.name
        upscaler.file(file, result)
        digests[file.name] = _hash(result)
        result.unlink()
    return digests


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def run_command(source: Path, results: Path, max_memory: str) -> FolderRun:
    """``subpixel upscale`` on a folder."""
    line = [sys.executable, "-m", "subpixel", "upscale", str(source), "-o", str(results)]
    line += ["--model", NETWORK, "--scale", str(SCALE), "--threads", "1", "--no-tuning"]
    line += ["--max-memory", max_memory, "--max-pixels", str(MAX_PIXELS), "--quiet", "--json"]
    start = time.perf_counter()
    with TemporaryDirectory() as place:
        answer, lines = Path(place, "answer"), Path(place, "lines")
        with answer.open("wb") as out, lines.open("wb") as errors:
            process = subprocess.Popen(line, stdout=out, stderr=errors)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        text = answer.read_text()
        said = tuple(lines.read_text("utf-8", "replace").splitlines())
    seconds = time.perf_counter() - start
    content = json.loads(text) if text else {"files": [], "left_out": []}
    return FolderRun(process.returncode, seconds, usage.ru_maxrss * 1024, content, said)


def judge(run: FolderRun, results: Path, alone: dict[str, str], limit: int) -> FolderReport:
    """All that must hold, and what doesn't."""
    files = run.answer["files"]
    errors = {Path(file["input"]).name: file["error"] for file in files if file["error"]}
    left_out = [Path(item["path"]).name for item in run.answer["left_out"]]
    faults = [] if run.code == 1 else [f"exit code {run.code}"]
    faults += _judge_good(results, alone)
    faults += _judge_lines(run.lines, errors)
    faults += [f"{name} is left" for name in _strange_files(results, files)]
    if run.peak > limit:
        faults.append(f"{run.peak >> 20} MB held, and {limit >> 20} MB are allowed")
    enlarged = len(files) - len(errors) - len(alone)
    return FolderReport(
        len(alone),
        enlarged,
        len(errors),
        len(left_out),
        round(run.seconds, 1),
        run.peak >> 20,
        tuple(faults),
    )


def _judge_good(results: Path, alone: dict[str, str]) -> list[str]:
    faults = []
    for name, digest in alone.items():
        file = results / name
        if not file.is_file():
            faults.append(f"{name} was not enlarged")
        elif _hash(file) != digest:
            faults.append(f"{name} is another than alone")
    return faults


def _judge_lines(lines: Sequence[str], errors: dict[str, str]) -> list[str]:
    """One line for each error, which names its file, and no other."""
    faults = [f"a line too many: {line}" for line in lines if not _is_of_one(line, errors)]
    for name in errors:
        count = sum(name in line for line in lines)
        if count != 1:
            faults.append(f"{name} is named in {count} lines: {errors[name]}")
    return faults


def _is_of_one(line: str, names: dict[str, str]) -> bool:
    return line.startswith("subpixel: ") and any(name in line for name in names)


def _strange_files(results: Path, files: Sequence[dict[str, Any]]) -> list[str]:
    expected = {Path(file["output"]).name for file in files if file["output"]}
    others = (file for file in results.rglob("*") if JOURNAL_FOLDER not in file.parts)
    return sorted(file.name for file in others if file.name not in expected)


def try_folder(count: int, max_memory: str, seed: int = 0) -> FolderReport:
    """Make the folder, go through it, and judge."""
    with TemporaryDirectory() as place:
        source, results, single = (Path(place, name) for name in ("in", "out", "alone"))
        for folder in (source, single):
            folder.mkdir()
        alone = enlarge_alone(make_good(source, count - count // 2, seed), single)
        make_hostile(source, count // 2, seed)
        limit = int(max_memory[:-1]) * MEMORY_UNITS[max_memory[-1]]
        return judge(run_command(source, results, max_memory), results, alone, limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--max-memory", default="600M", help="600M, 2G")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    report = try_folder(arguments.count, arguments.max_memory, arguments.seed)
    print(json.dumps(asdict(report), indent=1))
    raise SystemExit(not report)


if __name__ == "__main__":
    main()
