"""What a command line that can't be run is answered: one line, and what was probably meant."""

import difflib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

HELP_INSTEAD: type[click.ClickException] | tuple[()] = getattr(
    click.exceptions, "NoArgsIsHelpError", ()
)
"""What Click raises, since 8.2, where a command without arguments shows its help."""


class SuggestingGroup(click.Group):
    """A group of commands that suggests one for a name that is none of theirs."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name.startswith("-") or name in self.list_commands(ctx):
            return super().resolve_command(ctx, args)
        hint = self.hint_at_help(args, ctx) or self.hint(args)
        raise click.UsageError(f"No such command {name!r}{hint}", ctx)

    def hint_at_help(self, args: Sequence[str], ctx: click.Context) -> str:
        """What ``help``, ``help NAME`` and ``version`` mean; empty for other words."""
        name, *rest = args
        if name == "version" and ctx.parent is None:
            return f"; did you mean {ctx.command_path} --version?"
        if name != "help":
            return ""
        words = [word for word in rest[:1] if word in self.list_commands(ctx)]
        return f"; did you mean {' '.join([ctx.command_path, *words, '--help'])}?"

    def hint(self, args: Sequence[str]) -> str:
        """What a command line may mean whose first word is no command; empty if nothing."""
        return _hint(self.suggest(args[0]))

    def suggest(self, name: str) -> list[str]:
        """The commands that ``name`` may mean, the likeliest first."""
        return _closest(name, self.list_commands(click.Context(self)))


class PictureCommand(click.Command):
    """A command for pictures that understands how other tools are told their files."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        line = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise explain_habit(error, line, ctx) from error


def explain_habit(
    error: click.NoSuchOption, args: Sequence[str], ctx: click.Context
) -> click.UsageError:
    """``error``, with the line that was meant where the option is another tool's."""
    meant = suggest_upscale(args) if error.option_name in _HABITS else None
    if meant is None:
        return error
    return click.UsageError(f"No such option {error.option_name}; did you mean {meant}?", ctx)


_HABITS = {"-i": "input", "--input": "input", "-o": "output", "--output": "output", "-s": "scale"}
"""Options of other tools that enlarge pictures, and of ours, by what they say."""


def suggest_upscale(args: Sequence[str]) -> str | None:
    """The command line that enlarges the pictures that ``args`` name, as other tools want them
    named: ``cat.jpg out.jpg``, ``-i cat.jpg -o out.jpg``; None where they name no file."""
    files, values, rest = [], dict[str, str](), iter(args)
    for word in rest:
        if word in _HABITS:
            values[_HABITS[word]] = next(rest, "")
        elif _names_file(word):
            files.append(word)
    files = [values["input"], *files] if values.get("input") else files
    output = values.get("output")
    if output is None and len(files) > 1 and not Path(files[-1]).exists():
        output = files.pop()
    if not files:
        return None
    ends = [("-o", output), ("--scale", values.get("scale"))]
    options = [word for name, value in ends if value for word in (name, value)]
    return shlex.join(["subpixel", "upscale", *files, *options])


def hint_at_output(first: Path, second: Path) -> str:
    """What is meant, where the second of two files to read isn't there."""
    is_there = os.path.isfile(first) and not os.path.exists(second)  # noqa: PTH110, PTH113 - any name
    if not is_there or not second.suffix:
        return ""
    return f"; did you mean -o {shlex.quote(str(second))}?"


def _names_file(word: str) -> bool:
    """Whether a word is a file's name, or a folder's, rather than a command's or an option's."""
    path = Path(word)
    return not word.startswith("-") and (bool(path.suffix) or len(path.parts) > 1 or path.is_dir())


def explain_click_error(error: click.ClickException) -> str:
    """Click's message as one line in the form of ours: no capital, no full stop, and where the
    help is."""
    text = " ".join(_message(error).split()).rstrip(".")
    text = text[:1].lower() + text[1:]
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{text} (see {context.command_path} --help)" if context else text


def _message(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        return f"No such option {error.option_name}{_hint((error.possibilities or ())[:1])}"
    return error.format_message()


def _closest(name: str, names: Sequence[str]) -> list[str]:
    return difflib.get_close_matches(name.lower()[:100], names)


def _hint(names: Sequence[str]) -> str:
    listed = ", ".join(names)
    return f"; did you mean {listed}?" if listed else ""
