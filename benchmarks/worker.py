"""One way to enlarge, in a process of its own: it gets ready, then works at every side it reads.

    python benchmarks/worker.py PEER FOLDER DEVICE MEMORY

Run by performance.py (:class:`interleaved.Worker`). FOLDER holds the files of networks.py, MEMORY
is the most address space that it may take, in bytes (-1: any). Answers are lines of JSON.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import numpy as np
from interleaved import Run
from launcher import UNIT
from network_files import CHECKED, Files
from peers import ON_DEVICE, PEERS, Engine, Setting
from photograph import photograph, planes

from subpixel.errors import one_line

SAME = ("subpixel", "peer", "tutorial")
"""Kinds of rows that run the reference's network."""


def main() -> None:
    name, folder, device, memory = sys.argv[1:]
    files, answers = Files(Path(folder)), _own_stdout()
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    try:
        peer = (ON_DEVICE | PEERS)[name]
        engine = peer.open(Setting(files, device))
        small = engine.run(engine.prepare(photograph(CHECKED)))
        _say(answers, {"psnr": _psnr(small, files) if peer.kind in SAME else None})
        for run in _runs(engine, map(int, sys.stdin)):
            _say(answers, asdict(run))
    except Exception as error:  # any library's, for its cell
        _say(answers, {"fault": one_line(error) or type(error).__name__})
    os._exit(0)  # libraries that got no memory do not always end in peace


def _own_stdout() -> IO[str]:
    """Standard output for the answers alone: what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _say(answers: IO[str], what: dict[str, Any]) -> None:
    print(json.dumps(what), file=answers, flush=True)


def _psnr(result: Any, files: Files) -> float:  # noqa: ANN401 - whatever the engine gives
    """Luma against what PyTorch computes, both cut to 0 … 1; in dB, at most 120."""
    found = np.asarray(result)
    expected = np.load(files.expected)
    found = planes(found) if found.dtype == np.uint8 else found
    error = np.clip(found.reshape(expected.shape), 0, 1) - np.clip(expected, 0, 1)
    return float(-10 * np.log10(max(np.mean(np.square(error, dtype=np.float64)), 1e-12)))


def _runs(engine: Engine, sides: Iterable[int]) -> Iterator[Run]:
    """One for each; a picture is made anew where its size changes."""
    for _, alike in groupby(sides):
        given = None
        for side in alike:
            given = engine.prepare(photograph(side)) if given is None else given
            yield _timed(engine, given)


def _timed(engine: Engine, given: Any) -> Run:  # noqa: ANN401 - whatever the engine prepared
    processor, began = time.process_time(), time.perf_counter()
    engine.run(given)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    return Run(seconds, processor, _peak())


def _peak() -> int:
    """Bytes. Linux's own account knows this program alone, :mod:`launcher` says why."""
    account = Path("/proc/self/status")
    if not account.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    facts = dict(line.split(":", 1) for line in account.read_text().splitlines())
    return int(facts["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    main()
