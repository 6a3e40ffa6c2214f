"""``subpixel upscale`` on this machine: planned, resumed, done, and reported."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from subpixel.cli.feedback import Feedback, open_display, say
from subpixel.cli.messages import hint_at_output
from subpixel.cli.options.pictures.film import FILM_NAMES
from subpixel.cli.options.pictures.upscaling import ENCODE_NAMES
from subpixel.cli.options.untrusted import open_decoders
from subpixel.cli.output import ValueSpool, print_json_fields
from subpixel.cli.upscaling.remarks import describe_tuning, summarize_adaptive
from subpixel.cli.upscaling.request import UpscaleRequest, label_size
from subpixel.cli.upscaling.rounds import watch_folders
from subpixel.cli.upscaling.tally import JobTally, summarize
from subpixel.jobs.journal.picture_run import PictureRun, Resumption
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job, JobPlan, plan_jobs, skip_existing
from subpixel.jobs.pictures import (
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
from subpixel.network.tuning import Tuning
from subpixel.network.tuning_cache import load_tuning
from subpixel.system.files.standard_input import PIPE
from subpixel.upscaling.upscaler import Upscaler


def run_here(request: UpscaleRequest) -> int:
    """Do what is asked for; the exit code."""
    files = _open_files(request)
    request.expect_third_party()
    pipe = request.targets.plan_pipe(request.inputs, prints_json=request.as_json)
    home = request.resuming.home(request.inputs, request.targets)
    request.resuming.expect_end(prints_json=request.as_json)
    tuning = _load_tuning(request, files)
    races = tuning is None and not request.network.no_tuning and pays_contest(request.inputs, files)
    upscaler = request.open_upscaler(tuning if tuning or races else False)
    options = request.job_options(request.choose_size(upscaler))
    work = _LocalWork(request, files, pipe, tuning, upscaler, options)
    plan = work.make_plan()
    work.expect_used(plan)
    run = _open_run(home, request, upscaler, options)
    return work.do(plan, run)


def _open_files(request: UpscaleRequest) -> PictureFiles:
    limits = request.limits
    decoders = open_decoders(limits.untrusted, limits.max_memory)
    return PictureFiles(
        limits.max_pixels, limits.max_memory, click.get_current_context().with_resource(decoders)
    )


def _load_tuning(request: UpscaleRequest, files: PictureFiles) -> Tuning | None:
    """What was tuned for the network, as far as it is worth it for these inputs."""
    network = request.network
    if network.no_tuning:
        return None
    warn = (lambda line: None) if request.volume.quiet else say
    tuning = load_tuning(network.tuned, scale=request.opening_scale, warn=warn)
    return limit_tuning(tuning, request.inputs, files) if tuning else None


def _open_run(
    home: Path | None, request: UpscaleRequest, upscaler: Upscaler, options: JobOptions
) -> PictureRun | None:
    """The journal's run, closed when the command ends; None where there is no journal."""
    if home is None:
        return None
    resuming = request.resuming
    fresh = resuming.resume is False
    shard, watches = resuming.shard, resuming.watch
    run = PictureRun(home, upscaler, options, shard=shard, fresh=fresh, watches=watches)
    click.get_current_context().call_on_close(run.close)
    return run


@dataclass(frozen=True)
class _LocalWork:
    """All that the rounds of a job have in common."""

    request: UpscaleRequest
    files: PictureFiles
    pipe: Job | None
    tuning: Tuning | None
    upscaler: Upscaler
    options: JobOptions

    def make_plan(self) -> JobPlan:
        """Of the pictures that are there now."""
        if self.pipe:
            return JobPlan((self.pipe,))
        targets = self.request.targets
        naming = targets.naming(label_size(self.options.size, self.upscaler))
        watches = self.request.resuming.watch
        return plan_jobs(self.request.inputs, naming, admits_none=watches)

    def settle(self, plan: JobPlan, run: PictureRun | None) -> JobPlan:
        """With the names that results have by the journal, and without what is to be skipped."""
        if run is not None:
            plan = replace(plan, jobs=tuple(run.keep_names(plan.jobs)))
        return skip_existing(plan) if self.request.targets.skip_existing else plan

    def expect_used(self, plan: JobPlan) -> None:
        """Each option of encoding means something for a result's format, a stream's included."""
        jobs, encode = plan.jobs, self.options.encode
        expect_films_used(encode, self.options.film, jobs, ENCODE_NAMES | FILM_NAMES)
        if encode.changes and len(jobs) == 1 and jobs[0].target == PIPE:
            suffix = self.request.targets.suffix
            suffix = suffix or self.files.look(jobs[0].source).form.suffixes[0]
            jobs = (Job(jobs[0].source, Path(f"{PIPE}{suffix}")),)
        expect_used(encode, jobs, ENCODE_NAMES)

    def do(self, plan: JobPlan, run: PictureRun | None) -> int:
        """All of it, by the journal where there is one; the exit code."""
        plan, resumption = self._resume(self.settle(plan, run), run)

        def do_round(plan: JobPlan) -> Sequence[Path]:
            with ValueSpool() as files:
                failed, tally, seconds = self._upscale_all(plan, run, files)
                self._report(plan, tally, seconds, files, resumption)
            return failed

        if run is not None and self.request.resuming.watch:
            watch_folders(
                self.request.inputs, run, lambda: self.settle(self.make_plan(), run), do_round
            )
        return 1 if do_round(plan) else 0

    def _resume(self, plan: JobPlan, run: PictureRun | None) -> tuple[JobPlan, Resumption | None]:
        """What is left of the plan, said where an earlier run has done some."""
        if run is None:
            return plan, None
        left, resumption = run.begin(plan.jobs)
        if not self.request.volume.quiet and (resumption.done or resumption.shard):
            say(str(resumption))
        plan = replace(plan, jobs=tuple(left), settled=len(plan.jobs) - len(left))
        return plan, resumption

    def _upscale_all(
        self, plan: JobPlan, run: PictureRun | None, files: ValueSpool
    ) -> tuple[Sequence[Path], JobTally, float]:
        """The inputs that failed, what came of all, said as it came, and the seconds that it took;
        what became of each goes to ``files`` where it will be asked for."""
        progress, tally, failed = JobProgress(plan.jobs), JobTally(), list[Path]()

        def take(result: JobResult) -> None:
            tally.take(result)
            if result.error is not None:
                failed.append(result.input)
            if self.request.as_json:
                files.append(result)

        is_long = plan.is_several or any(map(is_film_job, plan.jobs))
        with open_display(self.request.volume, several=is_long) as display:
            feedback = Feedback(display, progress, self.request.volume)
            for fault in plan.faults:
                display.say(fault.message)
                take(JobResult(fault.path, error=fault.message))
            for result in self._upscale(plan, feedback, run):
                clear = _hint_at_second(result, plan)
                take(clear)
                feedback.take(clear)
        return failed, tally, progress.seconds

    def _upscale(
        self, plan: JobPlan, feedback: Feedback, run: PictureRun | None
    ) -> Iterator[JobResult]:
        upscaler, files, options = self.upscaler, self.files, self.options
        report, tell = feedback.report, feedback.tell
        if run is not None:
            yield from run.upscale(plan.jobs, files, report, tell)
        elif len(plan.jobs) == 1 and PIPE in (plan.jobs[0].source, plan.jobs[0].target):
            suffix = self.request.targets.suffix
            yield upscale_pipe(upscaler, plan.jobs[0], suffix, files, options, report)
        else:
            yield from upscale_files(upscaler, plan.jobs, files, options, report, tell)

    def _report(
        self,
        plan: JobPlan,
        tally: JobTally,
        seconds: float,
        files: ValueSpool,
        resumption: Resumption | None,
    ) -> None:
        """As JSON, or in lines."""
        network, volume = self.request.network, self.request.volume
        interpolation = summarize_adaptive(self.upscaler, tally.settings, network.adaptive)
        if self.request.as_json:
            facts = {"model": self.upscaler.spec, "provider": self.upscaler.provider}
            facts |= {"adaptive": interpolation, "files": files}
            print_json_fields({**facts, "left_out": plan.omissions, "resumed": resumption})
        elif not volume.quiet:
            lines = [*describe_tuning(self.tuning, network, tally.settings)]
            lines += map(str, filter(None, [interpolation]))
            if plan.is_several or (sys.stderr.isatty() and not volume.verbose):
                lines += summarize(tally, plan, seconds)
            for line in lines:
                say(line)


def _hint_at_second(result: JobResult, plan: JobPlan) -> JobResult:
    """With what was probably meant by a second picture, where there isn't one."""
    if result.error is None or len(plan.jobs) != 2 or result.input != plan.jobs[1].source:
        return result
    names = [job.source for job in plan.jobs]
    return replace(result, error=result.error + hint_at_output(*names))
