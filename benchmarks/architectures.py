"""Every architecture of spandrel and spandrel_extra_arches: does it export, and for which sizes?

    python benchmarks/architectures.py                        # what is missing, then the page
    python benchmarks/architectures.py --only SwinIR hat-x2 --again
    python benchmarks/architectures.py --only nothing         # the page alone

A small network of random weights for each entry of architectures.toml goes through the whole of
`subpixel export`: its checkpoint is written, recognised, exported in the ways there are, and
compared with PyTorch on the grid of pictures. Each is a process of its own with a time limit; its
result joins docs/architectures.json, and what is there is not measured again: the run may be
stopped, and go on elsewhere. From it docs/architectures.md is written. Needs the extra
`extra-architectures`; hours on two cores.
"""

import argparse
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from architecture_page import page
from architecture_row import Row, read, read_rows, write, write_rows
from random_networks import Configuration, configurations

from subpixel.nets.export.child_process import EXPORT_TIME_LIMIT

ROOT = Path(__file__).parent.parent
ROWS = ROOT / "docs" / "architectures.json"
PAGE = ROOT / "docs" / "architectures.md"

TIME_LIMIT = 900.0
"""Seconds for one network, all its attempts and proofs together."""


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument(
        "--only", nargs="+", metavar="NAME", help="these networks, or those of these architectures"
    )
    options.add_argument("--again", action="store_true", help="also those already measured")
    options.add_argument("--jobs", type=int, default=1, help="how many at a time")
    options.add_argument("--time-limit", type=float, default=TIME_LIMIT, help="seconds for each")
    options.add_argument(
        "--attempt-limit",
        type=float,
        default=EXPORT_TIME_LIMIT,
        help="seconds for each of its exports",
    )
    options.add_argument("--rows", type=Path, default=ROWS, help="file of what was measured")
    options.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    given = options.parse_args()
    chosen = [c for c in configurations() if _wanted(c, given.only)]
    done = {row.name for row in _rows(given.rows)}
    waiting = [c for c in chosen if given.again or c.name not in done]
    measure(waiting, given.rows, given.jobs, given.time_limit, given.attempt_limit)
    rows = _rows(given.rows)
    given.page.write_text(page(rows), "utf-8")
    print(f"{given.page}: {len(rows)} of {len(configurations())} networks")


def _wanted(configuration: Configuration, only: Sequence[str] | None) -> bool:
    return only is None or bool({configuration.name, configuration.architecture} & {*only})


def _rows(file: Path) -> list[Row]:
    """What was measured to its end, in the order of the configurations."""
    rows = {row.name: row for row in read_rows(file) if row.done}
    return [rows[c.name] for c in configurations() if c.name in rows]


def measure(
    waiting: Sequence[Configuration],
    rows: Path,
    jobs: int,
    time_limit: float,
    attempt_limit: float,
) -> None:
    """One row each, ``jobs`` at a time, said as they come and kept in the file ``rows``."""
    count, lock = itertools.count(1), Lock()

    def one(configuration: Configuration) -> None:
        with TemporaryDirectory() as folder:
            row = _row(configuration, Path(folder) / "row.json", time_limit, attempt_limit)
        with lock:
            others = [other for other in read_rows(rows) if other.name != row.name]
            write_rows([*others, row], rows)
        print(f"[{next(count)}/{len(waiting)}] {row.name}: {_told(row)}", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        _finish(pool.map(one, waiting))


def _finish(results: Iterable[None]) -> None:
    for _ in results:
        pass


def _row(configuration: Configuration, out: Path, time_limit: float, attempt_limit: float) -> Row:
    """Measure one; where its process is stopped or dies, the row says so."""
    began = time.monotonic()
    out.unlink(missing_ok=True)
    command = [sys.executable, str(Path(__file__).with_name("architecture_row.py"))]
    with subprocess.Popen(
        [*command, configuration.name, str(out), str(attempt_limit)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(timeout=time_limit)
            fault = f"the process ended: {_last(said)}" if process.returncode else None
        except subprocess.TimeoutExpired:
            fault = f"stopped after {time_limit:g} s"
            os.killpg(process.pid, signal.SIGKILL)  # the exporter's own process, too
    if fault:
        row = read(out) if out.exists() else Row(configuration.name, configuration.architecture, {})
        write(row.stopped(fault, time.monotonic() - began), out)
    return read(out)


def _last(said: str) -> str:
    return next(iter(reversed(said.strip().splitlines())), "without a word")[:200]


def _told(row: Row) -> str:
    why = row.fault or (row.pytorch.fault if row.pytorch else "it takes a mask")
    how = row.published.way if row.published else why
    return f"{how} ({row.seconds:.0f} s, {row.megabytes} MB)"


if __name__ == "__main__":
    main()
