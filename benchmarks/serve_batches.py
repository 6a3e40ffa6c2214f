"""Whether the server should put small pictures of several requests into one run of the network.

Eight pictures of one size, 8-bit RGB in memory to 8-bit RGB in memory, on all cores: one by one,
each core with its own as the server does it now; in a batch for each core; and all in one run
on all cores. The rows take turns, and each figure is the median of the ratios within the rounds.
The results of all rows must be equal, to the bit for networks of integers.

    python benchmarks/serve_batches.py [--rounds 15]
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from interleaved import Cell, Run, Share, in_turns, ratio
from photograph import photograph

from subpixel.runtime.op import Codes
from subpixel.runtime.opening import open_session
from subpixel.runtime.pixels import to_pixels, to_samples
from subpixel.system.processors import cores
from subpixel.zoo.manifest import find_bundled

NETWORKS = ("espcn", "fast", "balanced")
SIDES = (32, 64, 96, 128)
PICTURES, ACROSS = 8, 3

Enlarge = Callable[[Codes], Codes]
"""``(N, H, W, 3)`` pictures, larger."""


def open_network(file: Path, threads: int) -> Enlarge:
    session = open_session(file, device="cpu", threads=threads)
    if session.takes_codes:
        return session.codes
    return lambda codes: to_samples(session(to_pixels(codes)), np.dtype(np.uint8))


def cut_pictures(side: int) -> Codes:
    """The first eight of nine parts of the photograph."""
    photo = photograph(ACROSS * side)
    tops = [(number // ACROSS * side, number % ACROSS * side) for number in range(PICTURES)]
    return np.stack([photo[y : y + side, x : x + side] for y, x in tops])


def time_run(work: Callable[[], Sequence[Codes]]) -> Run:
    started, before = time.perf_counter(), time.process_time()
    work()
    seconds, busy = time.perf_counter() - started, time.process_time() - before
    return Run(seconds, busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def compare(name: str, side: int, rounds: int) -> str:
    file, count = find_bundled(name, 2).path, cores()
    single, whole = open_network(file, 1), open_network(file, count)
    pictures = cut_pictures(side)
    with ThreadPoolExecutor(count) as pool:
        ways: dict[str, Callable[[], Sequence[Codes]]] = {
            "one by one": lambda: list(pool.map(single, np.split(pictures, PICTURES))),
            "a batch a core": lambda: list(pool.map(single, np.array_split(pictures, count))),
            "one batch": lambda: [whole(pictures)],
        }
        results = {way: np.concatenate(run()) for way, run in ways.items()}  # a first run is slow
        cells = in_turns(
            {way: partial(time_run, run) for way, run in ways.items()}, Share(rounds, rounds, 0.0)
        )
    return describe(name, side, cells, results)


def describe(name: str, side: int, cells: dict[str, Cell], results: dict[str, Codes]) -> str:
    usual = cells["one by one"]
    others = [way for way in cells if way != "one by one"]
    gains = " | ".join(
        f"{ratio(usual, cells[way]):.2f} ({_saving(usual, cells[way]):.2f})" for way in others
    )
    equal = all(np.array_equal(results["one by one"], results[way]) for way in others)
    return f"| {name} | {side} | {usual.seconds * 1e3:.1f} | {gains} | {'yes' if equal else 'no'} |"


def _saving(usual: Cell, other: Cell) -> float:
    """How many times as much of the processors' time ``usual`` took."""
    pairs = zip(usual.runs, other.runs, strict=True)
    return statistics.median(a.processor_seconds / b.processor_seconds for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"{PICTURES} pictures, {cores()} cores; times as fast as one by one")
    print("(in brackets: by the time of processors)\n")
    print("| network | side | one by one, ms | a batch a core | one batch | equal |")
    print("|---|---|---|---|---|---|")
    for name in NETWORKS:
        for form in (f"{name}-int8", name):
            for side in SIDES:
                print(compare(form, side, rounds), flush=True)


if __name__ == "__main__":
    main()
