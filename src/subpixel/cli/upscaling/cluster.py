"""``--engine ray``: what is said of a job that a cluster does."""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path

from subpixel.cli.feedback import Display, describe_replaced, open_display, say
from subpixel.cli.options.pictures.upscaling import ENCODE_NAMES, Volume
from subpixel.cli.output import print_json
from subpixel.cli.upscaling.request import UpscaleRequest, label_size
from subpixel.cli.upscaling.tally import JobTally
from subpixel.jobs.cluster.journals import has_journal
from subpixel.jobs.cluster.places import open_store, read_url
from subpixel.jobs.cluster.ray_pool import RayPool
from subpixel.jobs.cluster.run import ClusterRun
from subpixel.jobs.cluster.units import Unit, UnitPlan, plan_units
from subpixel.jobs.cluster.worker import WorkOrder
from subpixel.jobs.folder import describe_omissions
from subpixel.jobs.journal.picture_run import Resumption, describe_job
from subpixel.jobs.outputs import Job
from subpixel.jobs.pictures import expect_used
from subpixel.jobs.progress import MIN_SHARE, format_duration
from subpixel.jobs.results import JobResult

MAX_FAILURES = 1000
"""Failures that --json has the lines of; all are counted, and said on stderr."""


@dataclass
class ClusterCourse:
    """How far a job is, and what came of it."""

    units: int
    clock: Callable[[], float] = time.monotonic
    tally: JobTally = field(default_factory=JobTally)
    failures: list[str] = field(default_factory=list)
    """The lines of the first of them."""
    start: float = 0.0

    def __post_init__(self) -> None:
        self.start = self.clock()

    def take(self, result: JobResult) -> None:
        """What became of one picture."""
        self.tally.take(result)
        if result.error is not None and len(self.failures) < MAX_FAILURES:
            self.failures.append(result.error)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self.clock() - self.start

    @property
    def share(self) -> float:
        """Of the pictures: 0 … 1."""
        return self.tally.done / self.units if self.units else 1.0

    def describe(self) -> str:
        """In a line, such as ``7 of 28, 12 min left``."""
        text = f"{self.tally.done:,} of {self.units:,}"
        if not MIN_SHARE <= self.share < 1:
            return text
        return f"{text}, {format_duration(self.seconds * (1 - self.share) / self.share)} left"


def run_on_cluster(request: UpscaleRequest) -> int:
    """Do what is asked for; the exit code."""
    request.cluster.expect_options(request.resuming, request.limits)
    request = request.on_cluster()
    order = _make_order(request)
    targets, volume, resuming = request.targets, request.volume, request.resuming
    if resuming.resume:
        resuming.expect_journal(order.target.name, has_journal=has_journal(order.target))
    plan = _plan(request, order)
    expect_used(order.options.encode, _name_formats(plan), ENCODE_NAMES)
    with ClusterRun(order, fresh=resuming.resume is False) as run:
        left, resumption, existing = run.begin(plan, skip_existing=targets.skip_existing)
        if resumption.done and not volume.quiet:
            say(str(resumption))
        course = ClusterCourse(len(left))
        deaths = _do_units(run, left, course, order, request) if left else 0
    _report_faults(plan, course)
    if request.as_json:
        _print_facts(order, plan, course, resumption, existing, deaths)
    elif not volume.quiet:
        _summarize(plan, course, existing, deaths)
    return 1 if course.tally.failed else 0


def _make_order(request: UpscaleRequest) -> WorkOrder:
    """What the processes of a cluster are told."""
    assert request.targets.output is not None
    upscaler = request.open_upscaler(None)
    options = request.job_options(request.choose_size(upscaler))
    return WorkOrder(
        open_store(request.inputs[0]),
        open_store(request.targets.output),
        upscaler,
        options,
        request.limits.max_pixels,
        describe_job(upscaler, options).digest,
        upscaler.provider,
        request.network.threads or 1,
    )


def _plan(request: UpscaleRequest, order: WorkOrder) -> UnitPlan:
    """Results are named by their place below the target."""
    targets = replace(request.targets, output=Path(), keep_date=False)
    naming = targets.naming(label_size(order.options.size, order.upscaler))
    return plan_units(order.source, order.target, naming)


def _do_units(
    run: ClusterRun,
    left: Sequence[Unit],
    course: ClusterCourse,
    order: WorkOrder,
    request: UpscaleRequest,
) -> int:
    """Have them done, say so, and return how many actors died."""
    cluster, volume = request.cluster, request.volume
    actors = min(cluster.actors or len(left), len(left))
    with (
        redirect_stdout(sys.stderr),  # Ray prints there that a node was lost
        RayPool(order, cluster.address, actors if cluster.actors else None) as pool,
        open_display(volume, several=True) as display,
    ):
        if not volume.quiet:
            display.say(f"{len(left):,} pictures for {pool.describe()}")
        for result in run.upscale(left, pool):
            course.take(result)
            _tell_result(result, display, volume)
            display.show(course)
        return pool.deaths


def _tell_result(result: JobResult, display: Display, volume: Volume) -> None:
    if result.error is not None:
        display.say(result.error)
        if result.trace and volume.verbose:
            display.say(result.trace.rstrip())
        return
    names = [read_url(path) or path for path in (result.input, result.output) if path]
    replaced = describe_replaced(names[-1], result.replaced)
    if replaced and not volume.quiet:
        display.say(replaced)
    if volume.verbose and result.seconds is not None:
        size = f"{result.width} x {result.height}"
        display.say(f"{' -> '.join(map(str, names))}: {size}, {result.seconds:.2f} s")


def _report_faults(plan: UnitPlan, course: ClusterCourse) -> None:
    """What of the source can't be looked at counts as failed."""
    for fault in plan.faults:
        say(fault.message)
        course.take(JobResult(fault.path, error=fault.message))


def _name_formats(plan: UnitPlan) -> list[Job]:
    """A result of each suffix."""
    keys = {Path(unit.key).suffix: unit.key for unit in plan.units}
    return [Job(Path(key), Path(key)) for key in keys.values()]


def _summarize(plan: UnitPlan, course: ClusterCourse, existing: int, deaths: int) -> None:
    for line in course.tally.describe(course.seconds):
        say(line)
    if deaths:
        say(f"{deaths:,} actors died; others did what they had")
    if existing:
        say(f"left out: {existing:,} whose results exist")
    if plan.omissions:
        say(f"left out: {describe_omissions(plan.omissions)}")


def _print_facts(
    order: WorkOrder,
    plan: UnitPlan,
    course: ClusterCourse,
    resumption: Resumption,
    existing: int,
    deaths: int,
) -> None:
    tally = course.tally
    print_json(
        {
            "model": order.upscaler.spec,
            "provider": order.provider,
            "written": tally.written,
            "settled": tally.settled,
            "failed": tally.failed,
            "failures": course.failures,
            "megapixels": round(tally.megapixels, 6),
            "seconds": round(course.seconds, 3),
            "losses": dict(tally.losses),
            "left_out": len(plan.omissions) + existing,
            "deaths": deaths,
            "resumed": resumption,
        }
    )
