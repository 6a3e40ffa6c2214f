"""``subpixel upscale``."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import click

from subpixel.cli.cluster import run_on_cluster
from subpixel.cli.feedback import Feedback, open_display, say, summarize
from subpixel.cli.messages import hint_at_output
from subpixel.cli.options.choices import FILE, JSON
from subpixel.cli.options.grouping import SectionedCommand, list_options
from subpixel.cli.options.pictures.cluster import CLUSTER, ClusterOptions
from subpixel.cli.options.pictures.film import FILM, FILM_NAMES
from subpixel.cli.options.pictures.network_choice import StrengthCommand
from subpixel.cli.options.pictures.resuming import RESUMING, Resuming
from subpixel.cli.options.pictures.target_size import TARGET_SIZE, choose_opening_scale
from subpixel.cli.options.pictures.upscaling import (
    CONVENTION,
    ENCODE,
    ENCODE_NAMES,
    LIMITS,
    NETWORK,
    TARGETS,
    VOLUME,
    Limits,
    NetworkOptions,
    TargetOptions,
    Volume,
)
from subpixel.cli.options.untrusted import open_decoders
from subpixel.cli.output import print_json
from subpixel.cli.rounds import watch_folders
from subpixel.convention import UNKNOWN_CONVENTION, Convention
from subpixel.errors import UsageError
from subpixel.jobs.cluster.places import open_store
from subpixel.jobs.cluster.worker import WorkOrder
from subpixel.jobs.film.options import FilmOptions
from subpixel.jobs.journal.picture_run import PictureRun, Resumption, describe_job
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job, JobPlan, plan_jobs
from subpixel.jobs.pictures import (
    PIPE,
    PictureFiles,
    expect_films_used,
    expect_used,
    is_film_job,
    limit_tuning,
    pays_contest,
    upscale_files,
)
from subpixel.jobs.pipes import upscale_pipe
from subpixel.jobs.progress import JobProgress
from subpixel.jobs.results import JobResult
from subpixel.media.image_file import EncodeOptions
from subpixel.network.flatness import Flatness
from subpixel.network.locate import bundled_scales
from subpixel.network.tuning import Tuning
from subpixel.network.tuning_cache import load_tuning
from subpixel.upscaling.size.enlargement import explain_fixed_scale
from subpixel.upscaling.size.target_size import TargetSize
from subpixel.upscaling.upscaler import Upscaler


@dataclass(frozen=True)
class Interpolation:
    """What adaptive came to."""

    flatness: Flatness | None
    share: float
    """Of all pixels, those that were interpolated: 0 … 1."""
    tuned: bool
    """Whether it was on because ``subpixel tune`` found it faster, not because it was asked for."""

    def __str__(self) -> str:
        if self.flatness is None:
            return "nothing was interpolated: even areas that are quite even would differ more"
        why = "; on by subpixel tune (--no-adaptive: off)" if self.tuned else ""
        return (
            f"{self.share:.0%} of the pixels were interpolated: parts that span no more than "
            f"{self.flatness.span} of 255 code values, where the network was measured to be at "
            f"most {self.flatness.bound:.2f} code values away{why}"
        )


class UpscaleCommand(SectionedCommand, StrengthCommand):
    """Its options by what they are for."""

    sections: ClassVar[Mapping[str, Sequence[str]]] = {
        "Where results go": list_options(TARGETS),
        "Long jobs": list_options(RESUMING),
        "How large they become": list_options(TARGET_SIZE),
        "How they are saved": list_options(ENCODE),
        "Films": list_options(FILM),
        "Which network, and how it runs": list_options(NETWORK),
        "Third-party networks, where what is found out by running them is wrong": list_options(
            CONVENTION
        ),
        "Limits": list_options(LIMITS),
    }


@click.command(cls=UpscaleCommand, no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, type=FILE, metavar="INPUT...")
@TARGETS
@RESUMING
@CLUSTER
@TARGET_SIZE
@NETWORK
@CONVENTION
@click.option("--strict", is_flag=True, help="Refuse to write what would lose anything.")
@LIMITS
@ENCODE
@FILM
@VOLUME
@JSON
def command(
    inputs: tuple[Path, ...],
    targets: TargetOptions,
    resuming: Resuming,
    cluster: ClusterOptions,
    size: TargetSize | None,
    network: NetworkOptions,
    convention: Convention,
    strict: bool,
    limits: Limits,
    encode: EncodeOptions,
    film: FilmOptions,
    volume: Volume,
    as_json: bool,
) -> int:
    """Enlarge pictures, films and folders of them.

    \b
    subpixel upscale cat.jpg                   three times as large: cat_x3.jpg
    subpixel upscale cat.jpg -o large.webp     under another name, in another format
    subpixel upscale photos -o larger          a folder, with its subfolders
    subpixel upscale cat.jpg --fit 3840x2160   to a size
    subpixel upscale film.mp4 --preview 10s    the first seconds of a film

    By a factor, or to a size in pixels of the picture upright; where that is not larger, no network
    is used, and that is said. - is a picture from standard input.

    Colours, transparency, bit depth, colour profile and metadata are kept. What the output
    format can't hold is said on stderr, or refused with --strict. A picture that fails is
    reported and the others go on; the exit code is then 1.

    Which network a picture goes through, and why, is said on stderr. 8-bit pictures are computed in
    8-bit integers, where the network has such a form and the processor computes: the same picture
    on every machine. Where `subpixel tune` was run for this network, its setting is used; what is
    named here goes before it.

    Of a folder and its subfolders every picture is taken, told by what the files hold. Left out,
    and counted at the end, are hidden files, thumbnails, and earlier results beside their sources.
    What was done is kept in a journal, and the same command goes on there after any end.

    Of a film all other streams are kept as they are: sound, subtitles, chapters, attachments. What
    the container can't hold is said before the work. A run that was ended goes on where it was.
    With --engine ray a cluster does it, from one folder or URL to another.
    """
    cluster.expect_places(inputs, targets)
    if cluster.is_used:
        cluster.expect_options(resuming, limits)
        network = replace(network, no_tuning=True, threads=network.threads or 1)
        scale = choose_opening_scale(size, bundled_scales(network.first, network.precision))
        upscaler = _open_upscaler(network, scale, None, convention, volume)
        size = _choose_size(upscaler, network.model, size, volume)
        options = JobOptions(
            encode, strict, targets.overwrite, limits.max_memory, size, targets.keep_date
        )
        order = _make_order(inputs[0], targets, upscaler, options, limits, network)
        label = size.label if size else f"x{upscaler.spec.scale}"
        fresh = resuming.resume is False
        return run_on_cluster(order, targets, label, cluster, volume, fresh=fresh, as_json=as_json)
    decoders = open_decoders(limits.untrusted, limits.max_memory)
    files = PictureFiles(
        limits.max_pixels, limits.max_memory, click.get_current_context().with_resource(decoders)
    )
    _expect_third_party(convention, network)
    pipe = targets.plan_pipe(inputs, prints_json=as_json)
    home = resuming.home(inputs, targets)
    resuming.expect_end(prints_json=as_json)
    scale = choose_opening_scale(size, bundled_scales(network.first, network.precision))
    tuning = _load_tuning(network, scale, inputs, files, volume)
    races = tuning is None and not network.no_tuning and pays_contest(inputs, files)
    as_tuned = tuning if tuning or races else False
    upscaler = _open_upscaler(network, scale, as_tuned, convention, volume)
    size = _choose_size(upscaler, network.model, size, volume)

    def make_plan() -> JobPlan:
        if pipe:
            return JobPlan((pipe,))
        naming = targets.naming(size.label if size else f"x{upscaler.spec.scale}")
        skips, watches = targets.skip_existing, resuming.watch
        return plan_jobs(inputs, naming, skip_existing=skips, admits_none=watches)

    plan = make_plan()
    _expect_used(encode, film, plan, targets.suffix, files)
    options = JobOptions(
        encode, strict, targets.overwrite, limits.max_memory, size, targets.keep_date, film
    )
    run = _open_run(home, upscaler, options, resuming)
    plan, resumption = _resume(run, plan, volume)

    def do_round(plan: JobPlan) -> Sequence[JobResult]:
        results, seconds = _run_jobs(upscaler, plan, files, options, volume, targets.suffix, run)
        interpolation = _summarize_adaptive(upscaler, results, network.adaptive)
        if as_json:
            facts = {"model": upscaler.spec, "provider": upscaler.provider}
            facts |= {"adaptive": interpolation, "files": results}
            print_json({**facts, "left_out": plan.omissions, "resumed": resumption})
        elif not volume.quiet:
            lines = [*_describe_tuning(tuning, network, results), *filter(None, [interpolation])]
            if plan.is_several or (sys.stderr.isatty() and not volume.verbose):
                lines += summarize(results, plan, seconds)
            for line in lines:
                say(str(line))
        return results

    if run is not None and resuming.watch:
        watch_folders(inputs, run, make_plan, do_round)
    return 1 if any(result.error for result in do_round(plan)) else 0


def _make_order(
    source: Path,
    targets: TargetOptions,
    upscaler: Upscaler,
    options: JobOptions,
    limits: Limits,
    network: NetworkOptions,
) -> WorkOrder:
    """What the processes of a cluster are told."""
    assert targets.output is not None
    return WorkOrder(
        open_store(source),
        open_store(targets.output),
        upscaler,
        options,
        limits.max_pixels,
        describe_job(upscaler, options).digest,
        upscaler.provider,
        network.threads or 1,
    )


def _open_run(
    home: Path | None, upscaler: Upscaler, options: JobOptions, resuming: Resuming
) -> PictureRun | None:
    """The journal's run, closed when the command ends; None where there is no journal."""
    if home is None:
        return None
    fresh = resuming.resume is False
    run = PictureRun(home, upscaler, options, shard=resuming.shard, fresh=fresh)
    click.get_current_context().call_on_close(run.close)
    return run


def _resume(
    run: PictureRun | None, plan: JobPlan, volume: Volume
) -> tuple[JobPlan, Resumption | None]:
    """What is left of the plan, said where an earlier run has done some."""
    if run is None:
        return plan, None
    left, resumption = run.begin(plan.jobs)
    if not volume.quiet and (resumption.done or resumption.shard):
        say(str(resumption))
    plan = replace(plan, jobs=tuple(left), settled=len(plan.jobs) - len(left))
    return plan, resumption


def _expect_third_party(convention: Convention, network: NetworkOptions) -> None:
    """Raise :class:`UsageError` for options of third-party networks beside a bundled one."""
    if convention == UNKNOWN_CONVENTION or not bundled_scales(network.first, network.precision):
        return
    raise UsageError(
        f"--model {network.model} is bundled, and how its networks take pixels is known; "
        "--input-range, --output-range, --channel-order, --output-order, --layout, --set-input and "
        "--output-name are for third-party files: name one with --model, or leave them out"
    )


def _expect_used(
    encode: EncodeOptions,
    film: FilmOptions,
    plan: JobPlan,
    suffix: str | None,
    files: PictureFiles,
) -> None:
    """Each option of encoding means something for a result's format, a stream's included."""
    jobs = plan.jobs
    expect_films_used(encode, film, jobs, ENCODE_NAMES | FILM_NAMES)
    if encode.changes and len(jobs) == 1 and jobs[0].target == PIPE:
        suffix = suffix or files.look(jobs[0].source).form.suffixes[0]
        jobs = (Job(jobs[0].source, Path(f"{PIPE}{suffix}")),)
    expect_used(encode, jobs, ENCODE_NAMES)


def _choose_size(
    upscaler: Upscaler, model: str, size: TargetSize | None, volume: Volume
) -> TargetSize | None:
    """None where the network's own enlargement is meant; what a file of one scale does is said."""
    own = upscaler.spec.scale
    if size is None or size.factor is None:
        return size
    if size.factor == own:
        return None
    if len(upscaler.scales) == 1 and not volume.quiet:
        line = explain_fixed_scale(model, own, size.factor)
        if line:
            say(line)
    return size


def _load_tuning(
    network: NetworkOptions,
    scale: int | None,
    inputs: Sequence[Path],
    files: PictureFiles,
    volume: Volume,
) -> Tuning | None:
    """What was tuned for the network, as far as it is worth it for these inputs."""
    if network.no_tuning:
        return None
    warn = (lambda line: None) if volume.quiet else say
    tuning = load_tuning(network.tuned, scale=scale, warn=warn)
    return limit_tuning(tuning, inputs, files) if tuning else None


def _open_upscaler(
    network: NetworkOptions,
    scale: int | None,
    tuning: Tuning | bool | None,
    convention: Convention,
    volume: Volume,
) -> Upscaler:
    upscaler = Upscaler(
        network.model,
        scale=scale,
        denoise=network.denoise,
        device=network.device,
        precision=network.precision,
        tile=network.tile,
        threads=network.threads,
        adaptive=network.adaptive,
        tuning=tuning,
        convention=convention,
        alpha=network.alpha,
    )
    if upscaler.remark and not volume.quiet:
        say(f"{network.model}: taken as {upscaler.remark}")
    return upscaler


def _run_jobs(
    upscaler: Upscaler,
    plan: JobPlan,
    files: PictureFiles,
    options: JobOptions,
    volume: Volume,
    suffix: str | None,
    run: PictureRun | None,
) -> tuple[Sequence[JobResult], float]:
    """What became of each picture, said as it came, and the seconds that all took; ``suffix`` is
    what names the format of a result in standard output."""
    progress, results = JobProgress(plan.jobs), []
    is_long = plan.is_several or any(map(is_film_job, plan.jobs))
    with open_display(volume, several=is_long) as display:
        feedback = Feedback(display, progress, volume)
        for fault in plan.faults:
            display.say(fault.message)
            results.append(JobResult(fault.path, error=fault.message))
        for result in _upscale(upscaler, plan, files, options, feedback, suffix, run):
            results.append(_hint_at_output(result, plan))
            feedback.take(results[-1])
    return results, progress.seconds


def _upscale(
    upscaler: Upscaler,
    plan: JobPlan,
    files: PictureFiles,
    options: JobOptions,
    feedback: Feedback,
    suffix: str | None,
    run: PictureRun | None,
) -> Iterator[JobResult]:
    if run is not None:
        yield from run.upscale(plan.jobs, files, feedback.report, feedback.tell)
    elif len(plan.jobs) == 1 and PIPE in (plan.jobs[0].source, plan.jobs[0].target):
        yield upscale_pipe(upscaler, plan.jobs[0], suffix, files, options, feedback.report)
    else:
        yield from upscale_files(
            upscaler, plan.jobs, files, options, feedback.report, feedback.tell
        )


def _hint_at_output(result: JobResult, plan: JobPlan) -> JobResult:
    """With what was probably meant by a second picture, where there isn't one."""
    names = [job.source for job in plan.jobs]
    if result.error is None or len(names) != 2 or result.input != names[1]:
        return result
    return replace(result, error=result.error + hint_at_output(*names))


def _describe_tuning(
    tuning: Tuning | None, network: NetworkOptions, results: Sequence[JobResult]
) -> list[str]:
    """What `subpixel tune` did for these pictures, in a line for each setting."""
    settings = {result.setting for result in results}
    choices = (tuning.choose(network.settings, deep=d) for d in (False, True)) if tuning else ()
    return [
        f"as tuned: {row.setting.label}, {row.ratio:.1f} times as fast as the default "
        "(--no-tuning: the default)"
        for row in dict.fromkeys(choices)
        if row is not None and row.setting in settings and row.ratio > 1
    ]


def _summarize_adaptive(
    upscaler: Upscaler, results: Sequence[JobResult], adaptive: bool | None
) -> Interpolation | None:
    """None where no picture was computed adaptively; ``adaptive`` is what was asked for."""
    if not any(result.setting and result.setting.adaptive for result in results):
        return None
    return Interpolation(upscaler.flatness, upscaler.tally.share, tuned=adaptive is None)
