"""A Markdown extension for the site: the line ``::: commands`` becomes subpixel's commands.

Each command has a heading with its whole name, its usage, its help, and a table of its options.
"""

import re
from html import escape
from inspect import cleandoc

import click
from man_page import find_commands
from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

from subpixel.cli.main import verbs

DIRECTIVE = "::: commands"


def makeExtension() -> Extension:  # noqa: N802 - Markdown's name
    return CommandReference()


class CommandReference(Extension):
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's name
        md.preprocessors.register(_Commands(md), "command-reference", 100)


class _Commands(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        result: list[str] = []
        for line in lines:
            result += reference() if line.strip() == DIRECTIVE else [line]
        return result


def reference() -> list[str]:
    """The lines of Markdown that describe every command below ``subpixel``."""
    root = click.Context(verbs, info_name="subpixel")
    return [line for context in find_commands(root) for line in _section(context)]


def _section(context: click.Context) -> list[str]:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [
        f"| {as_code(names)} | {escape_text(text)} |"
        for names, text in filter(None, records)
        if text
    ]
    level = "#" * (context.command_path.count(" ") + 1)
    return [
        f"{level} {context.command_path}",
        "",
        f"    {context.command_path} {usage}",
        "",
        *_describe(command),
        "",
        "| option | |",
        "|---|---|",
        *rows,
        "",
    ]


def _describe(command: click.Command) -> list[str]:
    """A command's help; a paragraph whose lines Click keeps as they are becomes code."""
    lines: list[str] = []
    for paragraph in cleandoc(command.help or "").split("\n\n"):
        mark, _, verbatim = paragraph.partition("\n")
        if mark == "\b":
            lines += [f"    {line}" for line in verbatim.splitlines()]
        else:
            lines += escape_text(paragraph).splitlines()
        lines.append("")
    return lines[:-1]


def as_code(text: str) -> str:
    """``text`` as code in a table, where a bar would begin another column."""
    return f"<code>{escape(text).replace('|', '&#124;')}</code>"


def escape_text(text: str) -> str:
    """Help as Markdown: nothing in it is markup but what stands between backticks."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_\[\]])", r"\\\1", escape(part, quote=False)) for part in parts[::2]]
    return "`".join(parts).replace("|", "&#124;")


if __name__ == "__main__":
    print("\n".join(reference()))
