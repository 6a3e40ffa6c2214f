"""What the journal costs: a folder of many small pictures, with it and without, in turns.

    python benchmarks/journal_cost.py --count 10000

The folder's pictures are taken in blocks. All go through one open network into a folder with a
journal, every fourth block into another without one, too, by turns first. Said are the medians,
the journal's size, how long a run takes to see that everything is done, and the process's memory
after each tenth of the way.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from subpixel.cli.upscaling.tally import JobTally
from subpixel.jobs.journal.journal import JOURNAL_FOLDER
from subpixel.jobs.journal.picture_run import PictureRun
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.pictures import PictureFiles, upscale_files
from subpixel.jobs.results import JobResult
from subpixel.media.arrays import to_picture
from subpixel.media.image_file import encode_picture
from subpixel.system.machine_memory import resident
from subpixel.upscaling.upscaler import Upscaler

BLOCK = 100
"""Pictures between two changes of sides."""

DISTINCT = 64


def make_pictures(folder: Path, count: int, side: int) -> list[Path]:
    """Noise, :data:`DISTINCT` of them over and over."""
    folder.mkdir()
    dice = np.random.default_rng(0)
    pixels = dice.integers(0, 256, (DISTINCT, side, side, 3), np.uint8)
    contents = [encode_picture(to_picture(each), folder / "a.png") for each in pixels]
    files = [folder / f"{number:06}.png" for number in range(count)]
    for number, file in enumerate(files):
        file.write_bytes(contents[number % DISTINCT])
    return files


def time_block(work: Callable[[], Iterable[JobResult]], tally: JobTally) -> float:
    """Milliseconds per picture; the results are counted."""
    start, before = time.perf_counter(), tally.done
    for result in work():
        tally.take(result)
    return 1000 * (time.perf_counter() - start) / (tally.done - before)


def measure(count: int, side: int, place: Path) -> dict[str, object]:
    """All figures, by name."""
    sources = make_pictures(place / "in", count, side)
    upscaler, options = Upscaler("fast", scale=2), JobOptions()
    plain = [Job(file, place / "without" / file.name) for file in sources]
    jobs = [Job(file, place / "journal" / file.name) for file in sources]
    run = PictureRun(place / "journal", upscaler, options)
    left, _ = run.begin(jobs)
    times: dict[str, list[float]] = {"without": [], "with": []}
    memory = [resident()]
    tally = JobTally()  # as the command line holds them
    for number, first in enumerate(range(0, count, BLOCK)):
        block = slice(first, first + BLOCK)
        work: dict[str, Callable[[], Iterable[JobResult]]] = {
            "with": partial(run.upscale, left[block], PictureFiles()),
            "without": partial(upscale_files, upscaler, plain[block], PictureFiles(), options),
        }
        both = list(work) if number % 8 else list(reversed(work))
        for name in both if number % 4 == 0 else ["with"]:
            times[name].append(time_block(work[name], tally))
        if (number + 1) % max(1, count // BLOCK // 10) == 0:
            memory.append(resident())
    run.close()
    start = time.perf_counter()
    again = PictureRun(place / "journal", upscaler, options)
    left, resumption = again.begin(jobs)
    seconds = time.perf_counter() - start
    again.close()
    pairs = [pair for pair in zip(plain, jobs, strict=True) if pair[0].target.exists()]
    if left or any(a.target.read_bytes() != b.target.read_bytes() for a, b in pairs):
        raise SystemExit("results differ, or something was left")
    journal = sum(file.stat().st_size for file in (place / "journal" / JOURNAL_FOLDER).iterdir())
    return {
        "pictures": count,
        "side": side,
        "ms without": round(statistics.median(times["without"]), 2),
        "ms with": round(statistics.median(times["with"]), 2),
        "journal bytes per picture": round(journal / count),
        "seconds to see that all is done": round(seconds, 2),
        "done": resumption.done,
        "MB of memory, each tenth": [round(number / 1e6, 1) for number in memory],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=24, help="of a picture, in pixels")
    arguments = parser.parse_args()
    with TemporaryDirectory() as place:
        print(json.dumps(measure(arguments.count, arguments.side, Path(place)), indent=2))


if __name__ == "__main__":
    main()
