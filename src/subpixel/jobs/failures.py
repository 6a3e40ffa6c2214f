"""What went wrong with one picture: a line for people, and where, if that is a fault of ours."""

import traceback
from dataclasses import dataclass

from subpixel.errors import SubpixelError, one_line
from subpixel.jobs.outputs import Job

PIPE_NAMES = frozenset({"-"})
"""Sources that messages call something else."""


@dataclass(frozen=True)
class Failure:
    """Why there is no result of a picture."""

    line: str
    """Names the file."""
    trace: str | None = None
    """Where the error was raised; None for what is no fault of this package."""


def explain_failure(job: Job, error: Exception) -> Failure:
    """Whatever was raised while the picture of a job was in work."""
    if isinstance(error, SubpixelError):
        return Failure(_name_file(job, str(error)))
    if isinstance(error, MemoryError):
        detail = f": {one_line(error)}" if str(error) else ""
        return Failure(f"{job.source}: not enough memory{detail}")
    if isinstance(error, OSError):
        return Failure(f"{job.source}: {error.strerror or one_line(error)}")
    kind, text = type(error).__name__, one_line(error)
    what = kind if text == kind else f"{kind}: {text}"
    return Failure(
        f"{job.source}: {what} (a fault of subpixel; please report it with what -v says)",
        "".join(traceback.format_exception(error)),
    )


def _name_file(job: Job, message: str) -> str:
    is_named = str(job.source) in message or str(job.target) in message
    return message if is_named or str(job.source) in PIPE_NAMES else f"{job.source}: {message}"
