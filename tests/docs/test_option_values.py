"""Values that the pages name of an option with a choice: those that the command line takes."""

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest
from man_page import find_commands

from subpixel.cli.main import verbs

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [*sorted((REPOSITORY / "docs").glob("*.md")), REPOSITORY / "README.md"]
NAMED = re.compile(r"(--[a-z][a-z0-9-]*)[ =]([a-z0-9][\w./-]*)")
"""As ``--precision fp16``; names of values in capitals stand for any."""
TABLE = re.compile(r"^\| `(--[a-z0-9-]+)` \|")
FIRST_CELL = re.compile(r"^\| `([^`]+)`")

Choices = dict[str, list[frozenset[str]]]


@pytest.fixture(scope="module")
def choices() -> Choices:
    """By option what each command takes, of those that are choices wherever they are."""
    found: Choices = defaultdict(list)
    free = set()
    for context in find_commands(click.Context(verbs, info_name="subpixel")):
        for parameter in context.command.get_params(context):
            if isinstance(parameter.type, click.Choice):
                found[parameter.opts[-1]].append(frozenset(parameter.type.choices))
            else:
                free.update(parameter.opts)
    return {name: taken for name, taken in found.items() if name not in free}


def read_values(text: str) -> Iterator[tuple[str, str]]:
    for option, value in NAMED.findall(text):
        yield option, value.rstrip(".")


def read_tables(text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Tables headed by an option, whose first column has its values."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        head = TABLE.match(line)
        if head and lines[number + 1].startswith("|---"):
            rows = takewhile(lambda row: row.startswith("|"), lines[number + 2 :])
            yield head[1], frozenset(cell[1] for cell in map(FIRST_CELL.match, rows) if cell)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_value_is_one_that_some_command_takes(page: Path, choices: Choices) -> None:
    for option, value in read_values(page.read_text(encoding="utf-8")):
        assert value in frozenset().union(*choices.get(option, [frozenset([value])])), option


def test_a_table_of_an_option_has_all_values_of_a_command(choices: Choices) -> None:
    tables = [table for page in PAGES for table in read_tables(page.read_text(encoding="utf-8"))]
    known = [(option, values) for option, values in tables if option in choices]
    assert "--precision" in dict(known)
    for option, values in known:
        assert values in choices[option], option
