"""``subpixel jobs``."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from subpixel.cli.options.choices import FILE, JSON
from subpixel.cli.output import print_json, print_table
from subpixel.cli.streams import print_line
from subpixel.errors import JobStoppedError
from subpixel.jobs.journal.known_jobs import (
    JobStatus,
    find_journals,
    list_journals,
    read_statuses,
)

JOB_COLUMNS = ("journal", "of", "done", "failed", "at work", "last change", "network", "size")

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"


@click.command()
@click.argument("folders", nargs=-1, type=FILE, metavar="[FOLDER]...")
@JSON
def command(folders: tuple[Path, ...], as_json: bool) -> int:
    """List long jobs: where their journals lie, how far they are, and who is at work.

    Those that ran on this machine, or those whose results went to the folders that are named. A
    job's command, given again, goes on where it was.
    """
    journals = [place for folder in folders for place in find_journals(folder)]
    statuses, faults = _read_journals(journals if folders else list_journals())
    for fault in faults:
        print_line(f"subpixel: {fault}", err=True)
    if as_json:
        print_json({"jobs": [_job_facts(status) for status in statuses]})
    elif statuses:
        print_table("Jobs", JOB_COLUMNS, [_row(status) for status in statuses])
    else:
        print_line("no jobs are known; name the folder that a job's results went to")
    return 1 if faults else 0


def _read_journals(journals: Sequence[Path]) -> tuple[list[JobStatus], list[str]]:
    """The jobs, and a line for each journal that can't be read."""
    statuses, faults = list[JobStatus](), list[str]()
    for journal in journals:
        try:
            statuses += read_statuses(journal)
        except JobStoppedError as error:
            faults.append(str(error))
    return statuses, faults


def _row(status: JobStatus) -> tuple[str, ...]:
    parts = status.facts.parts
    return (
        str(status.folder),
        status.facts.kind,
        f"{status.done:,} of {status.units:,}",
        f"{status.failed:,}",
        "?" if status.running is None else f"{status.running}",
        _format_time(status.changed_ns),
        parts.get("model", ""),
        parts.get("size") or f"x{parts.get('scale', '?')}",
    )


def _job_facts(status: JobStatus) -> dict[str, object]:
    """As JSON values."""
    return {
        "journal": status.folder,
        "kind": status.facts.kind,
        "made_of": dict(status.facts.parts),
        "units": status.units,
        "done": status.done,
        "failed": status.failed,
        "running": status.running,
        "begun": _format_time(status.begun_ns),
        "changed": _format_time(status.changed_ns),
    }


def _format_time(time_ns: int) -> str:
    """By this machine's clock."""
    return datetime.fromtimestamp(time_ns / 1e9).astimezone().strftime(TIME_FORMAT)
