"""What verbs print and where they write: JSON, tables, progress; free names, folders."""

import dataclasses
import json
import math
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from subpixel.cli.streams import bypass_guard, guard_streams, print_lines
from subpixel.errors import UsageError
from subpixel.plain_text import escape_controls

if TYPE_CHECKING:
    from subpixel.parity.compare import ParityReport

JSON_INDENT = 2

SPOOL_BYTES = 1 << 20
"""Of text that is held in memory."""


def print_json(value: object) -> None:
    """Dataclasses, paths and plain values as indented JSON on stdout; a number that isn't finite,
    which JSON lacks, is null."""
    print_lines(_format_json(value))


class ValueSpool:
    """Values that :func:`print_json_fields` prints as an array; a context manager. However many
    there are, they take a little memory alone: the rest is a temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - __exit__ closes it
            SPOOL_BYTES, "w+", encoding="utf-8"
        )
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def append(self, value: object) -> None:
        """Add a value, of those that :func:`print_json` takes."""
        self._file.write(",\n" if self._count else "")
        self._file.write(textwrap.indent(_format_json(value), " " * 2 * JSON_INDENT))
        self._count += 1

    def print_array(self, name: str, end: str) -> None:
        """All values as the field ``name`` of an object, and what follows it."""
        if not self._count:
            print_lines(f"{name}: []{end}")
            return
        print_lines(f"{name}: [")
        self._file.seek(0)
        while lines := self._file.readlines(SPOOL_BYTES):
            print_lines("".join(lines).removesuffix("\n"))
        print_lines(" " * JSON_INDENT + "]" + end)


def print_json_fields(fields: Mapping[str, object]) -> None:
    """One object, as :func:`print_json` does, whose values may be a :class:`ValueSpool`."""
    indent = " " * JSON_INDENT
    print_lines("{")
    for number, (name, value) in enumerate(fields.items(), 1):
        start, end = indent + json.dumps(name), "," if number < len(fields) else ""
        if isinstance(value, ValueSpool):
            value.print_array(start, end)
        else:
            text = textwrap.indent(_format_json(value), indent).removeprefix(indent)
            print_lines(f"{start}: {text}{end}")
    print_lines("}")


def _format_json(value: object) -> str:
    text = json.dumps(_finite(value), default=_plain, indent=JSON_INDENT, allow_nan=False)
    return text.replace("\x7f", "\\u007f")  # the one control character that JSON admits


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
