"""What a command line that can't be run is answered: one line, and what was probably meant."""

import difflib
from collections.abc import Sequence

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
        raise click.UsageError(f"No such command {name!r}{_hint(self.suggest(name))}", ctx)

    def suggest(self, name: str) -> list[str]:
        """The commands that ``name`` may mean, the likeliest first."""
        return _closest(name, self.list_commands(click.Context(self)))


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
