"""One picture from standard input, to standard output, or both."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from subpixel.errors import UsageError
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Job
from subpixel.jobs.pictures import PictureFiles, fail_job, upscale_files
from subpixel.jobs.results import JobReport, JobResult
from subpixel.system.files.standard_input import PIPE, expect_piped
from subpixel.upscaling.upscaler import Upscaler

OUTPUT_NAME = "standard output"
"""What messages call it."""


def plan_pipe(inputs: Sequence[Path], output: Path | None, suffix: str | None) -> Job:
    """The one job where :data:`~subpixel.jobs.pictures.PIPE` is among the inputs, or the output.

    What comes from standard input goes to standard output where no ``output`` is named. ``suffix``
    is of the format that the result is to have (None: the one that the output's name says, or the
    input has).

    Raises :class:`UsageError` for several inputs, a folder, and an output without a name.
    """
    if len(inputs) > 1:
        raise UsageError(
            f"{len(inputs)} inputs, and - is a stream of one picture; name one input at a time"
        )
    source = inputs[0]
    if source != PIPE and source.is_dir():
        raise UsageError(f"{source} is a folder, and -o - takes one picture; name one, or a folder")
    target = output or PIPE
    if target != PIPE and (target.is_dir() or not target.suffix):
        example = target / f"photo{suffix or '.png'}"
        raise UsageError(
            f"what standard input gives has no name for a file in {target}; name one, such as "
            f"-o {example}"
        )
    return Job(source, target)


def expect_redirected(job: Job) -> None:
    """Raise :class:`UsageError` where a picture would come from a terminal, or go to one."""
    if job.source == PIPE:
        expect_piped("subpixel upscale - -o larger.jpg < photo.jpg")
    if job.target == PIPE and sys.stdout.isatty():
        raise UsageError(
            "a picture isn't written to a terminal; redirect it (subpixel upscale photo.jpg -o - "
            "> larger.jpg), pipe it on, or name a file with -o"
        )


def upscale_pipe(
    upscaler: Upscaler,
    job: Job,
    suffix: str | None,
    files: PictureFiles,
    options: JobOptions,
    report: JobReport = lambda name, done, total: None,
) -> JobResult:
    """Upscale the picture of a job by :func:`plan_pipe`, and say what became of it.

    A result for standard output is a temporary file first: it comes whole or not at all.
    """
    if job.target != PIPE:
        return _upscale_one(upscaler, job, files, options, report)
    try:
        suffix = suffix or files.look(job.source).form.suffixes[0]
    except Exception as error:
        return fail_job(job, error)
    with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
        file = Path(folder, f"{OUTPUT_NAME}{suffix}")
        result = _upscale_one(upscaler, Job(job.source, file), files, options, report)
        if result.error is not None:
            return replace(result, error=result.error.replace(str(file), OUTPUT_NAME))
        return replace(result, output=PIPE, error=_copy_to_output(file))


def _upscale_one(
    upscaler: Upscaler, job: Job, files: PictureFiles, options: JobOptions, report: JobReport
) -> JobResult:
    return next(upscale_files(upscaler, [job], files, options, report))


def _copy_to_output(file: Path) -> str | None:
    """The file to standard output; what went wrong, or None."""
    try:
        with file.open("rb") as stream:
            shutil.copyfileobj(stream, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        return f"{OUTPUT_NAME}: whoever reads it went before the picture was whole"
    except OSError as error:
        return f"{OUTPUT_NAME} can't be written: {error.strerror or error}"
    return None
