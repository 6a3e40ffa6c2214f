"""Options of one kind as one value: a command takes that, and not each option by itself."""

import functools
from collections.abc import Callable
from typing import Any

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


def _parameters(command: Command) -> list[click.Parameter]:
    """The options that decorators have put on a command so far, the last first."""
    return getattr(command, "__click_params__", [])
