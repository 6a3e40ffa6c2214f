"""Options of jobs that go on where an earlier run ended, or on several machines."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from subpixel.cli.options.grouping import group_options
from subpixel.cli.options.pictures.upscaling import TargetOptions
from subpixel.errors import UsageError
from subpixel.jobs.folder import is_folder
from subpixel.jobs.journal.journal import JOURNAL_FOLDER
from subpixel.jobs.journal.known_jobs import is_journal
from subpixel.jobs.journal.shard import Shard


class ShardNumber(click.ParamType):  # type: ignore[type-arg]
    """Part i of n: 2/3."""

    name = "i/n"

    def convert(
        self, value: str | Shard, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shard:
        if isinstance(value, Shard):
            return value
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", value.strip())
        if match is None:
            self.fail(f"{value!r} is no part of a job; write 1/4 for the first of 4", param, ctx)
        return Shard(int(match[1]), int(match[2]))


@dataclass(frozen=True)
class Resuming:
    """How a job of several pictures goes on."""

    resume: bool | None
    """True: go on with a job that has a journal; None: where there is one."""
    shard: Shard | None
    watch: bool

    def home(self, inputs: Sequence[Path], targets: TargetOptions) -> Path | None:
        """Where the journal lies: in the output folder, or in the first folder among the inputs
        where results go beside them. None for pictures that are named one by one without an
        output folder, and for one by itself.

        Raises :class:`UsageError` for options that don't go together, and where a job is to go on
        that has no journal.
        """
        home = self._find_home(inputs, targets)
        if home is not None:
            self.expect_journal(home, has_journal=is_journal(home / JOURNAL_FOLDER))
        return home

    def expect_journal(self, place: Path | str, *, has_journal: bool) -> None:
        """Raise :class:`UsageError` where a job is to go on and the ``place`` of its results has no
        journal."""
        if self.resume and not has_journal:
            raise UsageError(
                f"--resume goes on with a job that has a journal, and there is none in {place}; "
                "leave it out to begin a job, or name the folder that results went to"
            )

    def _find_home(self, inputs: Sequence[Path], targets: TargetOptions) -> Path | None:
        if targets.skip_existing and self.resume is False:
            raise UsageError("--skip-existing and --no-resume say opposite things; name one")
        folders = [path for path in inputs if is_folder(path)]
        if self.watch and len(folders) < len(inputs):
            raise UsageError("--watch is for folders; name folders alone, or leave it out")
        is_filled = targets.output is not None and targets.naming("").single is None
        if is_filled and (folders or len(inputs) > 1):
            return targets.output
        if folders and targets.output is None:
            return folders[0]
        if self.resume or self.shard:
            option = "--resume" if self.resume else "--shard"
            raise UsageError(f"{option} is for a folder of pictures; leave it out, or name one")
        return None

    def expect_end(self, *, prints_json: bool) -> None:
        """Raise :class:`UsageError` where JSON is to be printed at the end of what has none."""
        if self.watch and prints_json:
            raise UsageError("--json is printed at the end, and --watch has none; name one of them")


RESUMING = group_options(
    "resuming",
    Resuming,
    click.option(
        "--resume/--no-resume",
        default=None,
        help="Do only what is missing or changed since an earlier run of the same settings; or "
        "begin anew, and replace its results. By itself --resume wants a job that has a journal. "
        "[default: resume, of folders]",
    ),
    click.option(
        "--shard",
        type=ShardNumber(),
        metavar="I/N",
        help="Take part I of N, as on machine I of N that share a folder.",
    ),
    click.option(
        "--watch",
        is_flag=True,
        help="Go on, and take the pictures that come into the folder, until the signal to end.",
    ),
)
