"""What verbs print and where they write: JSON, tables, progress; free names, folders."""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from subpixel.errors import UsageError

if TYPE_CHECKING:
    from subpixel.parity.compare import ParityReport


def print_json(value: object) -> None:
    """Dataclasses, paths and plain values as indented JSON on stdout."""
    click.echo(json.dumps(value, default=_plain, indent=2))


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout; piped, it is as wide as its text."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)


def print_proof(report: "ParityReport", indent: str = "") -> None:
    """What came of a comparison: the verdict, the facts, what was not covered, the seed."""
    click.echo(indent + str(report).replace("\n", "\n" + " " * len(indent)))


def format_file_size(count: int) -> str:
    """For people, in units of 1000: ``0 B``, ``45.2 MB``."""
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.95:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a report of (what, done, total): a bar with its ETA on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[what]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", what="")
        yield lambda what, done, total: bar.update(task, completed=done, total=total, what=what)


def expect_pictures(*folders: Path | None) -> None:
    """Refuse, before the work is done, a folder that was named and isn't one."""
    for folder in folders:
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder} is no folder; name one that holds pictures")
