"""One film through a network into a file."""

import time
from fractions import Fraction
from typing import BinaryIO

from subpixel.errors import UsageError
from subpixel.jobs.film.pipeline import run_film
from subpixel.jobs.film.plan import FilmPlan, plan_film
from subpixel.jobs.film.store import SegmentStore, open_segments
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.results import JobReport, JobResult, JobTell
from subpixel.media.film.encoding.muxing import expect_times, read_times, write_film
from subpixel.media.film.frames import film_header
from subpixel.media.film.survey.container import explain_opening, explain_reading
from subpixel.media.formats.boxes.avif import AVIF
from subpixel.media.formats.boxes.heic import HEIC
from subpixel.media.formats.gif.gif import GIF
from subpixel.media.formats.png.png import PNG
from subpixel.media.formats.registry import sniff
from subpixel.media.image_file import DEFAULT_MAX_PIXELS
from subpixel.system.files.atomic import Seal, atomic_file
from subpixel.system.files.inputs import open_input
from subpixel.system.files.targets import make_folder, target_exists
from subpixel.upscaling.upscaler import Upscaler

MATROSKA_TICK = Fraction(1, 1000)
"""Seconds: the times in it are rounded to so much."""

PICTURE_BYTES = 1 << 16
"""That are looked at to see whether a file is a picture, and whether it moves."""

MOVING_SIGNS = ((GIF, b"GIF8"), (PNG, b"acTL"), (AVIF, b"avis"), (HEIC, b"msf1"))
"""What pictures of several frames have in their first bytes, by their format."""


def upscale_film(
    upscaler: Upscaler,
    job: Job,
    options: JobOptions,
    report: JobReport = lambda name, done, total: None,
    seal: Seal = lambda stream: None,
    tell: JobTell = lambda line: None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> JobResult:
    """Upscale one film, as :func:`~subpixel.jobs.pictures.upscale_job` has it done. What it loses,
    and what was taken for granted, is told before the work.

    Segments that an earlier run of the same settings has finished are taken as they are. Raises
    what :func:`~subpixel.jobs.film.plan.plan_film` and
    :func:`~subpixel.jobs.film.pipeline.run_film` do, and
    :class:`~subpixel.errors.PictureError` where the film that was written lacks a frame.
    """
    start = time.perf_counter()
    _expect_moving(job)
    plan = plan_film(upscaler, job, options, max_pixels)
    for note in plan.notes:
        tell(f"{job.source}: {note}")
    for loss in plan.losses:
        tell(f"{job.target}: loses {loss}")
    make_folder(job.target.parent)
    with open_segments(job.target, upscaler, plan) as store:
        _upscale_segments(upscaler, job, options, plan, store, report)
        _write_target(job, options, plan, store, seal)
    return _describe_film_result(upscaler, job, plan, time.perf_counter() - start)


def _expect_moving(job: Job) -> None:
    """Raise :class:`UsageError` where the source is a picture that stands still."""
    with explain_opening(job.source), open_input(job.source) as stream:
        head = stream.read(PICTURE_BYTES)
    form = sniff(head)
    if form is None or any(form is kind and sign in head for kind, sign in MOVING_SIGNS):
        return
    raise UsageError(
        f"{job.source} is a picture ({form.name}), of which no film {job.target} can be made; "
        f"name the result {job.target.stem}{form.suffixes[0]}"
    )


def _upscale_segments(
    upscaler: Upscaler,
    job: Job,
    options: JobOptions,
    plan: FilmPlan,
    store: SegmentStore,
    report: JobReport,
) -> None:
    """Make the segments that are missing."""
    missing = store.missing
    before = plan.count - sum(len(plan.segments[number]) for number in missing)
    report(job.source.name, before, plan.count)
    if missing:
        run_film(
            upscaler,
            plan,
            missing,
            store.keep,
            size=options.size,
            max_memory=options.max_memory,
            before=store.find_last(missing[0] - 1),
            report=lambda done: report(job.source.name, before + done, plan.count),
        )


def _write_target(
    job: Job, options: JobOptions, plan: FilmPlan, store: SegmentStore, seal: Seal
) -> None:
    def check(stream: BinaryIO) -> None:
        with explain_reading(job.target):
            times = read_times(stream)
        is_coarse = plan.muxing.muxer in ("matroska", "webm")
        tick = MATROSKA_TICK if is_coarse else Fraction(0)
        expect_times(job.target, expected, times, tick)
        seal(stream)

    try:
        with atomic_file(job.target, overwrite=options.overwrite, seal=check) as stream:
            expected = write_film(stream, plan.facts, plan.muxing, store.read)
    except FileExistsError as error:
        raise target_exists(job.target) from error


def _describe_film_result(
    upscaler: Upscaler, job: Job, plan: FilmPlan, seconds: float
) -> JobResult:
    width, height = plan.settings.width, plan.settings.height
    if plan.facts.rotation % 180:
        width, height = height, width
    network = upscaler.at_scale(plan.way.scales[0]) if plan.way.scales else None
    return JobResult(
        job.source,
        job.target,
        width=width,
        height=height,
        scales=plan.way.scales,
        note="; ".join(plan.notes) or None,
        seconds=round(seconds, 3),
        megapixels=round(plan.count * width * height / 1e6, 6),
        losses=tuple(map(str, plan.losses)),
        setting=network.settings(film_header(plan.facts)) if network else None,
        frames=plan.count,
    )
