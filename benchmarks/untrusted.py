"""What decoding apart costs: milliseconds more for each file, in turns with decoding directly.

    python benchmarks/untrusted.py --count 100

Small pictures of several formats are opened (their header, metadata and compression), read, and
upscaled. Each is done directly and apart one after the other, in an order that alternates; the
figure is the median of the differences, by the clock and in processor time of all processes. What
a pool takes to start, once, is said too.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from subpixel import Upscaler
from subpixel.media.apart.pool import DecoderPool
from subpixel.media.image_file import open_picture, write_picture
from subpixel.media.photograph import photograph
from subpixel.media.picture import Picture, read_source
from subpixel.media.reading import PictureFile

SUFFIXES = (".jpg", ".png", ".webp", ".tif", ".avif", ".gif")
SIDE = 128

Opening = Callable[[Path], PictureFile]


@dataclass(frozen=True)
class Cost:
    """One file, done once."""

    milliseconds: float
    processor: float
    """Milliseconds of all processes together."""


def measure(work: Callable[[Opening, Path], None], opening: Opening, file: Path) -> Cost:
    """``work`` with one file."""
    before, start = processor_seconds(), time.perf_counter()
    work(opening, file)
    seconds = time.perf_counter() - start
    return Cost(1e3 * seconds, 1e3 * (processor_seconds() - before))


def processor_seconds() -> float:
    """Of this process and of the zygote, its ended decoders included."""
    own = time.process_time()
    for child in psutil.Process().children():
        times = child.cpu_times()
        own += times.user + times.system + times.children_user + times.children_system
    return own


def make_files(folder: Path, count: int) -> list[Path]:
    """Parts of the photograph that is shipped."""
    rgb, files = photograph(), []
    for number in range(count):
        top, left = np.random.default_rng(number).integers(
            0, [rgb.shape[0] - SIDE, rgb.shape[1] - SIDE]
        )
        part = np.ascontiguousarray(rgb[top : top + SIDE, left : left + SIDE])
        files.append(folder / f"{number}{SUFFIXES[number % len(SUFFIXES)]}")
        write_picture(Picture(part[None]), files[-1])
    return files


def report(name: str, direct: Sequence[Cost], apart: Sequence[Cost]) -> str:
    """A line of the table."""
    pairs = list(zip(direct, apart, strict=True))
    clock = sorted(b.milliseconds - a.milliseconds for a, b in pairs)
    processor = sum(b.processor - a.processor for a, b in pairs) / len(pairs)
    usual = statistics.median(cost.milliseconds for cost in direct)
    high = clock[int(0.9 * len(clock))]
    return f"{name:8} {usual:10.1f} {statistics.median(clock):12.1f} {high:14.1f} {processor:20.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="files")
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as place:
        print_table(Path(place), count)


def print_table(folder: Path, count: int) -> None:
    files, upscaler = make_files(folder, count), Upscaler()

    def open_one(opening: Opening, file: Path) -> None:
        opening(file).compression()

    def read_one(opening: Opening, file: Path) -> None:
        read_source(opening(file))

    def upscale_one(opening: Opening, file: Path) -> None:
        upscaler.file(opening(file), folder / f"out{file.suffix}", overwrite=True)

    start = time.perf_counter()
    with DecoderPool() as pool:
        pool.open(files[0])
        print(f"a pool starts in {time.perf_counter() - start:.2f} s, once; {count} files each")
        print("           direct ms   median more   9 of 10 below   processor ms more")
        works = {"open": open_one, "read": read_one, "upscale": upscale_one}
        for name, work in works.items():
            costs: dict[bool, list[Cost]] = {False: [], True: []}
            for number, file in enumerate([files[0], *files]):  # the first one warms up
                for apart in (False, True) if number % 2 else (True, False):
                    opening = pool.open if apart else open_picture
                    costs[apart].append(measure(work, opening, file))
            print(report(name, costs[False][1:], costs[True][1:]))


if __name__ == "__main__":
    main()
