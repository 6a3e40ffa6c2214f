"""``--watch``: round after round, each of the pictures that have come since."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from subpixel.jobs.journal.picture_run import PictureRun
from subpixel.jobs.journal.watching import (
    RELIST_SECONDS,
    SETTLE_SECONDS,
    CompleteFiles,
    FolderWatch,
)
from subpixel.jobs.outputs import JobPlan


def watch_folders(
    folders: Sequence[Path],
    run: PictureRun,
    make_plan: Callable[[], JobPlan],
    do_round: Callable[[JobPlan], Sequence[Path]],
) -> NoReturn:
    """Plan and do what is complete, again and again, until an exception ends it: what a signal
    raises, or :class:`~subpixel.errors.JobStoppedError`. ``do_round`` returns the inputs that
    failed."""
    complete = CompleteFiles()
    with FolderWatch(folders) as watch:
        while True:
            plan = make_plan()
            jobs = complete.choose(run.begin(plan.jobs)[0])
            if jobs:
                for file in do_round(replace(plan, jobs=tuple(jobs), settled=len(plan.jobs))):
                    complete.fail(file)
            watch.wait(SETTLE_SECONDS if complete.is_waiting else RELIST_SECONDS)
