"""Workers as actors of Ray, a network in each, on all machines of a cluster.

The driver hands units out one chunk after the other and holds what is in work, nothing else: no
picture passes it, nor Ray's object store. What an actor had that dies, alone or with its machine,
is done by others; what it had finished of it is told by its records.
"""

import logging
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from subpixel.errors import JobStoppedError, ProviderError, one_line
from subpixel.jobs.cluster.units import Unit
from subpixel.jobs.cluster.worker import UnitOutcome, UnitWorker, WorkOrder
from subpixel.jobs.results import JobResult
from subpixel.system.extras import explain_missing

CHUNKS_AHEAD = 2
"""Chunks that an actor has: one in work, one that waits for it."""

MAX_DEATHS = 3
"""How many actors may die at one unit before it counts as the cause."""

MAX_REFUSALS = 8
"""How many actors in a row may die before they are open, until the job stops."""

GROWTH_SECONDS = 10.0
"""Between two looks whether the cluster has grown."""

STORE_BYTES = 100 << 20
"""Of Ray's object store on a machine where it is started for a job: no pictures go through it."""

LOOPBACK_SWITCH = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""0: Ray takes the address of loopback, not of the network, as that of this machine."""


@dataclass
class _Chunk:
    """Units that are handed out together."""

    units: Sequence[Unit]
    deaths: int = 0
    """Actors that died at it."""


@dataclass(eq=False)
class _Hand:
    """An actor, and what it was told to do."""

    actor: Any
    chunks: list[_Chunk] = field(default_factory=list)
    """In the order in which it does them."""


@dataclass(frozen=True)
class _Answer:
    """What came of a chunk; of None, whether the actor has opened its network."""

    hand: _Hand
    chunk: _Chunk | None
    outcomes: "Future[list[UnitOutcome]]"


class RayPool:
    """Actors that work by one order; a context manager, which leaves the cluster at its end.

    ``address`` is that of a cluster (None: what ``RAY_ADDRESS`` says, else Ray is started on this
    machine alone, for this job). ``actors``: how many work (None: as many as there are cores for,
    also as machines come and go). Usage statistics are not sent, unless the environment says so.

    Raises :class:`ProviderError` where Ray is missing or there is no cluster at the address.
    """

    def __init__(
        self, order: WorkOrder, address: str | None = None, actors: int | None = None
    ) -> None:
        address = address or os.environ.get("RAY_ADDRESS")
        self._ray = _import_ray(is_alone=address is None)
        self._order, self._actors = order, actors
        self._hands, self._places = set[_Hand](), deque[_Hand]()
        self._left, self._answers = deque[_Chunk](), queue.SimpleQueue[_Answer]()
        self._refusals, self._look_time = 0, 0.0
        self.deaths = 0
        """How many actors have died."""
        self._is_joined = not self._ray.is_initialized()
        if self._is_joined:
            _join_cluster(self._ray, address)
        self._worker = self._ray.remote(UnitWorker).options(
            num_cpus=order.cores, num_gpus=_count_gpus(order), max_restarts=0
        )
        self._shared = self._ray.put(order)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._is_joined:
            self._ray.shutdown()

    @property
    def size(self) -> int:
        """How many actors work, or will as soon as they have opened their network."""
        return self._actors or max(1, self._count_room())

    def describe(self) -> str:
        """For people: how many actors on how many machines."""
        cores = [node["Resources"].get("CPU", 0) for node in self._ray.nodes() if node["Alive"]]
        nodes = sum(count >= self._order.cores for count in cores)
        size = self.size
        return f"{size:,} actor{'s' * (size != 1)} on {nodes:,} node{'s' * (nodes != 1)}"

    def do(self, chunks: Iterable[Sequence[Unit]]) -> Iterator[UnitOutcome]:
        """What became of each unit; raises :class:`JobStoppedError` where no actor can work."""
        source = (_Chunk(units) for units in chunks)
        while True:
            self._hand_out(source)
            if not self._left and not any(hand.chunks for hand in self._hands):
                first = next(source, None)
                if first is None:
                    return
                self._left.append(first)
            self._grow()
            yield from self._wait()

    def _grow(self) -> None:
        """As many actors as there shall be, also after deaths and as machines come."""
        now = time.monotonic()
        if self._hands and now - self._look_time < GROWTH_SECONDS:
            return
        self._look_time = now
        for _ in range(self.size - len(self._hands)):
            hand = _Hand(self._worker.remote(self._shared))
            self._hands.add(hand)
            self._ask(hand, None)

    def _count_room(self) -> int:
        """How many actors the cluster has room for."""
        resources, gpus = self._ray.cluster_resources(), _count_gpus(self._order)
        room = int(resources.get("CPU", 0) // self._order.cores)
        return min(room, int(resources.get("GPU", 0) // gpus)) if gpus else room

    def _hand_out(self, source: Iterator[_Chunk]) -> None:
        while self._places:
            hand = self._places[0]
            if hand in self._hands:
                chunk = self._left.popleft() if self._left else next(source, None)
                if chunk is None:
                    return
                hand.chunks.append(chunk)
                self._ask(hand, chunk)
            self._places.popleft()

    def _ask(self, hand: _Hand, chunk: _Chunk | None) -> None:
        """The answer comes by itself: to ask for it would cost more, the more actors there are."""
        answer = hand.actor.do.remote(chunk.units if chunk else [])
        answer.future().add_done_callback(
            lambda outcomes: self._answers.put(_Answer(hand, chunk, outcomes))
        )

    def _wait(self) -> Iterator[UnitOutcome]:
        """For the next answer, or the time to look whether the cluster has grown."""
        try:
            answer = self._answers.get(timeout=GROWTH_SECONDS)
        except queue.Empty:
            return
        if answer.hand not in self._hands:  # it was buried with an earlier answer
            return
        try:
            outcomes = answer.outcomes.result()
        except self._ray.exceptions.RayActorError as error:
            yield from self._bury(answer.hand, answer.chunk, error)
        else:
            yield from self._take(answer, outcomes)

    def _take(self, answer: _Answer, outcomes: Sequence[UnitOutcome]) -> Iterator[UnitOutcome]:
        hand = answer.hand
        if answer.chunk is None:  # it is open
            self._refusals = 0
            self._places.extend([hand] * CHUNKS_AHEAD)
            return
        hand.chunks.remove(answer.chunk)
        self._places.append(hand)
        yield from outcomes

    def _bury(self, hand: _Hand, chunk: _Chunk | None, error: Exception) -> Iterator[UnitOutcome]:
        """An actor is dead: what it had goes to others, and another takes its place."""
        self._hands.remove(hand)
        self._ray.kill(hand.actor)  # it may be out of reach, and go on
        self.deaths += 1
        if chunk is None:
            self._refuse(error)
            return
        self._look_time = 0.0
        current, *waiting = hand.chunks
        self._left.extend(waiting)
        yield from self._share(current, error)

    def _refuse(self, error: Exception) -> None:
        """An actor couldn't open its network; after several in a row none will."""
        self._refusals += 1
        if self._refusals >= min(MAX_REFUSALS, self.size):
            raise JobStoppedError(f"no process of the cluster can work: {_read_reason(error)}")

    def _share(self, chunk: _Chunk, error: Exception) -> Iterator[UnitOutcome]:
        """What an actor was at when it died, each unit for itself: one of them may be why."""
        deaths = chunk.deaths + 1
        if deaths >= MAX_DEATHS and len(chunk.units) == 1:
            unit = chunk.units[0]
            name = self._order.source.describe(unit.source)
            line = f"{name}: {deaths} processes died at it in turn: {_read_reason(error)}"
            yield UnitOutcome(unit, JobResult(Path(name), error=line))
            return
        self._left.extend(_Chunk([unit], deaths) for unit in chunk.units)


def _import_ray(*, is_alone: bool) -> Any:  # noqa: ANN401 - a module
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if is_alone:  # Ray on loopback, also on Linux: nobody else needs to reach it
        os.environ.setdefault(LOOPBACK_SWITCH, "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise explain_missing(error) from error
    return ray


def _join_cluster(ray: Any, address: str | None) -> None:  # noqa: ANN401
    with _keep_signals():
        _initialize(ray, address)


def _initialize(ray: Any, address: str | None) -> None:  # noqa: ANN401
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=STORE_BYTES,
            )
    except (OSError, RuntimeError, ValueError) as error:  # ConnectionError among them
        where = f"at {address}" if address else "on this machine"
        raise ProviderError(f"no cluster of Ray {where}: {one_line(error)}") from error


@contextmanager
def _keep_signals() -> Iterator[None]:
    """Ray takes SIGTERM, or Ctrl-Break, for itself."""
    number = getattr(signal, "SIGBREAK", signal.SIGTERM)
    handler = signal.getsignal(number)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, handler)


def _count_gpus(order: WorkOrder) -> int:
    """Of Ray's count, for one actor."""
    return 1 if order.provider.startswith(("CUDA", "Tensorrt", "TensorRT")) else 0


def _read_reason(error: Exception) -> str:
    """What an actor died of: the last line of a traceback, where it holds one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    tail = next((line for line in reversed(lines) if "Error: " in line), None)
    return (tail or " ".join(lines))[:600]
