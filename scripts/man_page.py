"""Write subpixel's manual page, of all its commands, from Click to standard output.

python scripts/man_page.py > subpixel.1
man ./subpixel.1
"""

from collections.abc import Iterator

import click

from subpixel import __version__
from subpixel.cli.main import verbs

EXIT_CODES = (
    ("0", "Everything went well, or what was compared is equal."),
    ("1", "Something failed; the message says what. Other pictures were done."),
    ("2", "The command line is wrong."),
    ("130", "Interrupted by Ctrl-C; nothing half-written was left behind."),
)


def man_page() -> str:
    """The page in roff, with the macros of man(7)."""
    root = click.Context(verbs, info_name="subpixel")
    lines = [
        f'.TH SUBPIXEL 1 "" "subpixel {__version__}" "User Commands"',
        ".SH NAME",
        "subpixel \\- enlarge pictures with super\\-resolution networks",
        ".SH SYNOPSIS",
        ".B subpixel",
        ".I COMMAND\n.RI [ OPTIONS ]",
        ".SH DESCRIPTION",
        *_paragraphs(verbs.help or ""),
    ]
    for context in find_commands(root):
        lines += _section(context)
    lines += [".SH EXIT STATUS"]
    for code, meaning in EXIT_CODES:
        lines += [".TP", f".B {code}", escape(meaning)]
    return "\n".join(lines) + "\n"


def find_commands(parent: click.Context) -> Iterator[click.Context]:
    """A context for each command below ``parent``, groups before what is in them."""
    group = parent.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        yield context
        yield from find_commands(context)


def _section(context: click.Context) -> list[str]:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f'.SH "{context.command_path.upper()}"', f".B {escape(context.command_path)}"]
    lines += [escape(usage), ".PP", *_paragraphs(command.help or "")]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[1]:
            lines += [".TP", f".B {escape(record[0])}", escape(record[1])]
    return lines


def _paragraphs(text: str) -> list[str]:
    """Click's help text: paragraphs, with empty lines between them; the lines of one that begins
    with a backspace stay as they are."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        mark, _, verbatim = paragraph.partition("\n")
        if mark.strip() == "\b":
            kept = (escape(line.strip()) for line in verbatim.splitlines())
            lines += [".nf", *kept, ".fi", ".PP"]
        else:
            lines += [escape(" ".join(paragraph.split())), ".PP"]
    return lines[:-1]


def escape(text: str) -> str:
    """``text`` so that roff prints it as it is."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + plain if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    print(man_page(), end="")
