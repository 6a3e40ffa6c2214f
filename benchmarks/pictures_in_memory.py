"""Pictures in memory, from 64×64 to 100 megapixels, every peer of peers.py in turns.

Up to 512×512 every row's process stays, stopped between its turns; above, where so many would not
fit into memory, each turn has a process of its own, which warms up on a small picture. A row is
given up at a size where the size before says that it would take longer than its share of time.
"""

import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from interleaved import Cell, Failed, Run, Share, Worker, in_turns
from peers import PEERS

START_LIMIT = 180.0
"""Seconds in which a row must be ready: torch.compile calls a C++ compiler."""

CEILINGS_AT = 512
"""The size in whose rounds the machine's own limits are measured."""


@dataclass(frozen=True)
class Size:
    """How a size is measured."""

    side: int
    share: Share
    """No row begins a turn when twice these seconds are over."""
    limit: float
    """Seconds that one run of one row may take."""
    stays: bool = False
    """Whether the rows' processes stay from turn to turn, and for the next size."""
    warm: bool = True
    """Whether a run of this size comes before the one that counts."""


SIZES = (
    Size(64, Share(5, 25, 8.0), 20.0, stays=True),
    Size(256, Share(5, 15, 20.0), 20.0, stays=True),
    Size(512, Share(5, 15, 60.0), 20.0, stays=True),
    Size(1024, Share(2, 3, 60.0), 30.0),
    Size(2048, Share(1, 2, 90.0), 60.0, warm=False),
    Size(8192, Share(1, 1, 120.0), 120.0, warm=False),
    Size(10000, Share(1, 1, 30.0), 60.0, warm=False),
)


CEILINGS = frozenset(name for name, peer in PEERS.items() if peer.kind == "ceiling")

Turn = Callable[[str, Size], Run]
"""One turn of the row of that name; raises :class:`Failed`."""


@dataclass
class Course:
    """The rows, and how fast and how exact they turned out to be so far."""

    names: Sequence[str] = tuple(PEERS)
    pace: dict[str, float] = field(default_factory=dict)
    """Seconds per pixel."""
    psnr: dict[str, float] = field(default_factory=dict)
    """Luma against PyTorch's, in dB."""

    def rows(self, size: Size) -> list[str]:
        """Those that are measured at a size."""
        return [n for n in self.names if size.side == CEILINGS_AT or n not in CEILINGS]

    def fault(self, name: str, size: Size) -> str | None:
        """Why the row can't be measured at a size: it would take too long."""
        expected = self.pace.get(name, 0.0) * size.side**2
        return f"about {expected:.0f} s: not run" if expected > size.limit else None


@dataclass(frozen=True)
class Bounds:
    """What a row's process gets."""

    folder: Path
    device: str
    memory: int
    """Bytes of address space."""


def measure(sizes: Sequence[Size], bounds: Bounds, course: Course) -> dict[int, dict[str, Cell]]:
    """By side and row."""
    staying = [size for size in sizes if size.stays]
    others = [size for size in sizes if not size.stays]
    found = _by_staying_workers(staying, bounds, course) if staying else {}
    return found | {size.side: _measured(size, _anew(bounds), course) for size in others}


def _by_staying_workers(
    sizes: Sequence[Size], bounds: Bounds, course: Course
) -> dict[int, dict[str, Cell]]:
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_worker(name, bounds)) for name in course.names}
        faults = _made_ready(workers, course)

        def turn(name: str, size: Size) -> Run:
            if name in faults:
                raise Failed(faults[name])
            return workers[name].run(size.side, size.limit)

        return {size.side: _measured(size, turn, course) for size in sizes}


def _made_ready(workers: Mapping[str, Worker], course: Course) -> dict[str, str]:
    """Why some of them aren't, by row."""
    faults = {}
    for name, worker in workers.items():
        try:
            psnr = worker.ready(START_LIMIT)
        except Failed as failed:
            faults[name] = str(failed)
        else:
            course.psnr |= {name: psnr} if psnr is not None else {}
    return faults


def _anew(bounds: Bounds) -> Turn:
    """Turns that each have a process of their own."""

    def turn(name: str, size: Size) -> Run:
        with _worker(name, bounds) as worker:
            worker.ready(START_LIMIT)
            if size.warm:
                worker.run(size.side, 2 * size.limit)
            return worker.run(size.side, size.limit)

    return turn


def _measured(size: Size, turn: Turn, course: Course) -> dict[str, Cell]:
    print(f"{size.side} x {size.side} in memory", file=sys.stderr, flush=True)
    rows = course.rows(size)
    cells = {name: Cell(fault=course.fault(name, size)) for name in rows}
    if size.stays:  # what is done once for a size is not counted
        cells |= _in_turns(turn, size, _left(cells), Share(1, 1, 0.0))
    cells |= _in_turns(_in_time(turn, size), size, _left(cells), size.share)
    course.pace |= {name: cell.seconds / size.side**2 for name, cell in cells.items() if cell}
    return cells


def _left(cells: Mapping[str, Cell]) -> list[str]:
    return [name for name, cell in cells.items() if cell.fault is None]


def _in_turns(turn: Turn, size: Size, names: Collection[str], share: Share) -> dict[str, Cell]:
    return in_turns({name: partial(turn, name, size) for name in names}, share)


def _in_time(turn: Turn, size: Size) -> Turn:
    until = time.monotonic() + 2 * size.share.seconds

    def in_time(name: str, size: Size) -> Run:
        if time.monotonic() > until:
            raise Failed("not run: no time left")
        return turn(name, size)

    return in_time


def _worker(name: str, bounds: Bounds) -> Worker:
    script = Path(__file__).with_name("worker.py")
    what = [name, str(bounds.folder), bounds.device, str(bounds.memory)]
    return Worker([sys.executable, str(script), *what])
