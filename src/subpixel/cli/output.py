"""What verbs print and where they write: JSON, tables, progress; free names, folders."""

import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from subpixel.cli.streams import bypass_guard, guard_streams, print_lines
from subpixel.errors import UsageError
from subpixel.plain_text import escape_controls

if TYPE_CHECKING:
    from subpixel.parity.compare import ParityReport


def print_json(value: object) -> None:
    """Dataclasses, paths and plain values as indented JSON on stdout; a number that isn't finite,
    which JSON lacks, is null."""
    text = json.dumps(_finite(value), default=_plain, indent=2, allow_nan=False)
    print_lines(text.replace("\x7f", "\\u007f"))  # the one control character that JSON admits


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _finite(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout; piped, it is as wide as its text."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=escape_controls(title), title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(escape_controls, row))
    width = None if sys.stdout.isatty() else 200
    console = Console(file=bypass_guard(sys.stdout), width=width, highlight=False, markup=False)
    console.print(table)


def print_proof(report: "ParityReport", indent: str = "") -> None:
    """What came of a comparison: the verdict, the facts, what was not covered, the seed."""
    print_lines(indent + str(report).replace("\n", "\n" + " " * len(indent)))


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

    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[what]}", markup=False))
    console = Console(file=bypass_guard(sys.stderr))
    with Progress(*columns, console=console, transient=True) as bar, guard_streams():
        task = bar.add_task("", what="")
        yield lambda what, done, total: bar.update(
            task, completed=done, total=total, what=escape_controls(what)
        )


def expect_pictures(*folders: Path | None) -> None:
    """Refuse, before the work is done, a folder that was named and isn't one."""
    for folder in folders:
        if folder is not None and not folder.is_dir():
            raise UsageError(f"{folder} is no folder; name one that holds pictures")
