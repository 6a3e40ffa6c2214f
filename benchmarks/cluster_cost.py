"""What a picture costs the driver of a cluster, as nodes and pictures grow: on this machine alone.

    python benchmarks/cluster_cost.py --nodes 1 2 4 --units 4000 --planned 100000

Nodes are simulated; their actors do nothing, so what is measured is the handing out. Memory is
what the process holds more after than before. Prints one line of JSON for each measurement.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

from subpixel.jobs.cluster import ray_pool
from subpixel.jobs.cluster.run import MAX_CHUNK
from subpixel.jobs.cluster.store import FolderStore
from subpixel.jobs.cluster.units import Unit, UnitPlan, chunk_units, plan_units
from subpixel.jobs.cluster.worker import UnitOutcome
from subpixel.jobs.folder import SourceFile
from subpixel.jobs.journal.facts import FileFacts, JobFacts
from subpixel.jobs.journal.journal import Journal
from subpixel.jobs.outputs import Naming
from subpixel.jobs.results import JobResult

FOLDER_UNITS = 1000


class IdleWorker:
    """Answers at once."""

    def __init__(self, order: object) -> None:
        pass

    def do(self, units: Sequence[Unit]) -> list[UnitOutcome]:
        return [UnitOutcome(unit, JobResult(Path(unit.source), Path(unit.key))) for unit in units]


class ManyPictures(FolderStore):
    """A place that lists so many pictures, which aren't there."""

    count = 0

    def list_sources(self, _results: object, _mark: str) -> Iterator[SourceFile]:
        for number in range(self.count):
            place = Path(f"album-{number // FOLDER_UNITS:05d}", f"photo-{number:09d}.jpg")
            yield SourceFile(self.folder / place, place, ".jpg")


def measure_plan(count: int) -> UnitPlan:
    store = ManyPictures(Path("/photos"))
    object.__setattr__(store, "count", count)
    before, start = _held(), _seconds()
    plan = plan_units(store, FolderStore(Path("/larger")), Naming(Path()))
    _say("plan", count, before, start)
    return plan


def measure_journal(plan: UnitPlan, folder: Path) -> None:
    """Records of all, written and read again."""
    facts = JobFacts("pictures", {"version": "0"})
    with Journal.open(folder, facts) as journal:
        before, start = _held(), _seconds()
        journal.begin([unit.key for unit in plan.units])
        for unit in plan.units:
            one = FileFacts(10**6, time.time_ns(), os.urandom(32).hex())
            journal.finish(unit.key, one, one, is_durable=False)
        _say("journal written", len(plan.units), before, start)
    size = sum(file.stat().st_size for file in folder.iterdir())
    before, start = _held(), _seconds()
    with Journal.open(folder, facts):
        _say("journal read", len(plan.units), before, start, file_bytes_each=size / len(plan.units))


def measure_pool(nodes: int, units: Sequence[Unit]) -> None:
    from ray.cluster_utils import Cluster

    start = time.perf_counter()
    place = {"object_store_memory": 80 << 20, "node_ip_address": "127.0.0.1"}
    head = {"num_cpus": 0, "include_dashboard": False, **place}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(nodes):
        cluster.add_node(num_cpus=1, **place)
    order: Any = SimpleNamespace(cores=1, provider="CPUExecutionProvider")
    with ray_pool.RayPool(order, cluster.address) as pool:
        up = time.perf_counter() - start
        outcomes = pool.do(chunk_units(units, MAX_CHUNK))
        next(outcomes)
        first = time.perf_counter() - start
        held, before = _held(), _seconds()
        count = 1 + sum(1 for _ in outcomes)
        assert count == len(units)
        cluster_mb = _cluster_bytes() / 1e6
        _say(f"{nodes} nodes", count, held, before, up_s=up, first_s=first, cluster_mb=cluster_mb)
    cluster.shutdown()


def _cluster_bytes() -> int:
    """Of all processes that Ray has started here: what each has for itself."""
    processes = psutil.Process().children(recursive=True)
    return sum(process.memory_full_info().uss for process in processes)


def _held() -> int:
    return psutil.Process().memory_info().rss


def _seconds() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system


def _say(what: str, count: int, before: int, start: float, **more: float) -> None:
    seconds, held = _seconds() - start, _held() - before
    facts = {
        "what": what,
        "count": count,
        "cpu_us_each": round(1e6 * seconds / count, 1),
        "held_mb": round(held / 1e6, 1),
        "held_bytes_each": round(held / count),
        **{name: round(value, 1) for name, value in more.items()},
    }
    print(json.dumps(facts), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--units", type=int, default=4000)
    parser.add_argument("--planned", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path("build/cluster-cost"))
    arguments = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ[ray_pool.LOOPBACK_SWITCH] = "0"
    os.environ.update(RAY_worker_niceness="0")
    ray_pool.UnitWorker = IdleWorker  # type: ignore[misc,assignment]
    names = [f"album/photo-{number:09d}.jpg" for number in range(arguments.units)]
    units = [Unit(name, name) for name in names]
    for nodes in arguments.nodes:
        measure_pool(nodes, units)
    plan = measure_plan(arguments.planned)
    measure_journal(plan, arguments.folder)


if __name__ == "__main__":
    main()
