"""Options of one kind as one value: a command takes that, and not each option by itself."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import click

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


def group_options(name: str, make: Callable[..., object], *options: Decorator) -> Decorator:
    """A decorator that adds ``options`` to a command, which gets ``make`` of their values as its
    parameter ``name``.

    ``make`` takes them by the options' own names: a frozen dataclass has a field for each.

    >>> SIZE = group_options("size", Size, click.option("--width"), click.option("--height"))
    ... # doctest: +SKIP
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def call(**values: Any) -> Any:  # noqa: ANN401 - Click calls by name
            parts = {part: values.pop(part) for part in names}
            return command(**values, **{name: make(**parts)})

        before = len(_parameters(call))
        for option in reversed(options):
            option(call)
        names = {str(parameter.name) for parameter in _parameters(call)[before:]}
        return call

    return decorate


def list_options(group: Decorator) -> Sequence[str]:
    """The names of the parameters that a group of options adds to a command."""

    def command() -> None: ...

    return [str(parameter.name) for parameter in reversed(_parameters(group(command)))]


class SectionedCommand(click.Command):
    """A command whose help has its options under titles; those of no section come last."""

    sections: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Titles, and the names of the parameters below each."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {
            parameter.name: record
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option)
            and (record := parameter.get_help_record(ctx)) is not None
        }
        for title, names in self.sections.items():
            _write_section(formatter, title, [records.pop(name) for name in names])
        _write_section(formatter, "Other options", records.values())


def _write_section(
    formatter: click.HelpFormatter, title: str, records: Iterable[tuple[str, str]]
) -> None:
    with formatter.section(title):
        formatter.write_dl(list(records))


def _parameters(command: Command) -> list[click.Parameter]:
    """The options that decorators have put on a command so far, the last first."""
    return getattr(command, "__click_params__", [])
