"""Actors that open, work and die, by a stand-in for Ray that does as it is told."""

import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from subpixel.errors import JobStoppedError, ProviderError
from subpixel.jobs.cluster import ray_pool
from subpixel.jobs.cluster.ray_pool import MAX_DEATHS, RayPool
from subpixel.jobs.cluster.units import Unit, chunk_units
from subpixel.jobs.cluster.worker import UnitOutcome
from subpixel.jobs.results import JobResult


class ActorDeathError(Exception):
    """What Ray raises where an actor is gone."""


@dataclass
class StandIn:
    """What the pool uses of Ray: actors in this process, each in turn."""

    cpus: int = 2
    dies: Callable[[int, str], bool] = lambda actor, key: False
    """Whether an actor dies at a unit; of ``open`` whether it can't open."""
    actors: list["_Actor"] = field(default_factory=list)
    held: int = 0
    """Chunks that were handed out and not answered, at most."""
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(RayActorError=ActorDeathError))

    def is_initialized(self) -> bool:
        return True

    def put(self, value: object) -> object:
        return value

    def kill(self, actor: "_Actor") -> None:
        assert actor.is_dead

    def nodes(self) -> list[dict[str, bool]]:
        return [{"Alive": True}]

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.cpus}

    def remote(self, _worker: type) -> SimpleNamespace:
        def make(_order: object) -> "_Actor":
            self.actors.append(_Actor(self, len(self.actors)))
            return self.actors[-1]

        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=make))


@dataclass
class _Actor:
    ray: StandIn
    number: int
    waiting: list[tuple[Sequence[Unit], Future[list[UnitOutcome]]]] = field(default_factory=list)
    is_dead: bool = False

    @property
    def do(self) -> SimpleNamespace:
        def remote(units: Sequence[Unit]) -> SimpleNamespace:
            future: Future[list[UnitOutcome]] = Future()
            self.waiting.append((units, future))
            self.ray.held = max(self.ray.held, sum(len(a.waiting) for a in self.ray.actors))
            return SimpleNamespace(future=lambda: future)

        return SimpleNamespace(remote=remote)

    def work(self) -> None:
        """The first that waits is done; or the actor dies, and all that wait with it."""
        units, future = self.waiting[0]
        keys = [unit.key for unit in units] or ["open"]
        if any(self.ray.dies(self.number, key) for key in keys):
            self.is_dead = True
            for _, lost in self.waiting:
                lost.set_exception(ActorDeathError("Traceback\nSomeError: out of memory"))
            self.waiting.clear()
            return
        self.waiting.pop(0)
        future.set_result([UnitOutcome(unit, JobResult(Path(unit.source))) for unit in units])


class _Answers:
    """A queue that lets the actors work whenever it is asked and empty."""

    def __init__(self, ray: StandIn) -> None:
        self._ray, self._items = ray, []

    def put(self, item: object) -> None:
        self._items.append(item)

    def get(self, timeout: float) -> object:
        assert timeout
        while not self._items:
            busy = [actor for actor in self._ray.actors if actor.waiting]
            assert busy, "nobody works, and the pool waits"
            for actor in busy:
                actor.work()
        return self._items.pop(0)


ORDER: Any = SimpleNamespace(
    cores=1,
    provider="CPUExecutionProvider",
    source=SimpleNamespace(describe=lambda place: f"in/{place}"),
)


@pytest.fixture
def make_pool(monkeypatch: pytest.MonkeyPatch) -> Callable[[StandIn], RayPool]:
    def make(ray: StandIn) -> RayPool:
        monkeypatch.setattr(ray_pool, "_import_ray", lambda *, is_alone: ray)
        pool = RayPool(ORDER)
        monkeypatch.setattr(pool, "_answers", _Answers(ray))
        return pool

    return make


MakePool = Callable[[StandIn], RayPool]


def _units(count: int) -> list[Unit]:
    return [Unit(f"{number}.png", f"{number}.png") for number in range(count)]


def _keys(outcomes: Iterator[UnitOutcome]) -> list[str]:
    return sorted(outcome.unit.key for outcome in outcomes)


def test_each_unit_is_answered_once(make_pool: MakePool) -> None:
    units = _units(50)
    pool = make_pool(StandIn())
    assert _keys(pool.do(chunk_units(units, 4))) == sorted(unit.key for unit in units)
    assert pool.deaths == 0


def test_no_more_is_asked_for_than_actors_take(make_pool: MakePool) -> None:
    ray, asked = StandIn(cpus=3), 0

    def chunks() -> Iterator[Sequence[Unit]]:
        nonlocal asked
        for chunk in chunk_units(_units(200), 2):
            asked += 1
            yield chunk

    outcomes = make_pool(ray).do(chunks())
    next(outcomes)
    assert asked <= 3 * ray_pool.CHUNKS_AHEAD + 1
    list(outcomes)
    assert ray.held <= 3 * ray_pool.CHUNKS_AHEAD + 3  # and their opening


@pytest.mark.parametrize("number", range(3))
def test_dead_actor_has_its_units_done_by_others(make_pool: MakePool, number: int) -> None:
    units = _units(40)
    ray = StandIn(cpus=3, dies=lambda actor, key: actor == number and key == f"{8 + number}.png")
    pool = make_pool(ray)
    assert _keys(pool.do(chunk_units(units, 4))) == sorted(unit.key for unit in units)
    assert pool.deaths == sum(actor.is_dead for actor in ray.actors)
    assert len(ray.actors) == 3 + pool.deaths


@pytest.mark.parametrize("cpus", [1, 2])
def test_unit_that_kills_is_given_up_and_no_other(make_pool: MakePool, cpus: int) -> None:
    units = _units(20)
    pool = make_pool(StandIn(cpus, dies=lambda actor, key: key == "5.png"))
    outcomes = list(pool.do(chunk_units(units, 4)))
    errors = [outcome.result.error for outcome in outcomes if outcome.result.error]
    assert _keys(iter(outcomes)) == sorted(unit.key for unit in units)
    assert errors == ["in/5.png: 3 processes died at it in turn: SomeError: out of memory"]
    assert pool.deaths == MAX_DEATHS


def test_job_stops_where_no_actor_opens(make_pool: MakePool) -> None:
    pool = make_pool(StandIn(dies=lambda actor, key: key == "open"))
    with pytest.raises(JobStoppedError, match=r"no process of the cluster can work: SomeError"):
        list(pool.do(chunk_units(_units(3), 1)))


def test_machine_that_refuses_is_left_out(make_pool: MakePool) -> None:
    units = _units(30)
    pool = make_pool(StandIn(cpus=4, dies=lambda actor, key: key == "open" and actor == 1))
    assert _keys(pool.do(chunk_units(units, 2))) == sorted(unit.key for unit in units)


def test_nothing_to_do_starts_nobody(make_pool: MakePool) -> None:
    ray = StandIn()
    assert (list(make_pool(ray).do([])), ray.actors) == ([], [])


def test_missing_ray_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ProviderError, match=r"package ray.*extra 'ray'"):
        RayPool(ORDER, address=uuid.uuid4().hex)
