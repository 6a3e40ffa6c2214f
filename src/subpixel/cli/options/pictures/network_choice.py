"""Which network `upscale` takes: left to each picture, named, or by a strength."""

import math
from collections.abc import Sequence

import click

from subpixel.cli.messages import PictureCommand
from subpixel.cli.options.completion import complete_network
from subpixel.cli.options.number_types import RealNumber
from subpixel.errors import UsageError
from subpixel.upscaling.choice.choose import NetworkChoice
from subpixel.zoo.manifest import AUTO, DEFAULT_NETWORK, DENOISE, DRAWING

DENOISE_OPTION = "--denoise"
STRONGEST = "1"
"""What `--denoise` means without a number."""

NETWORK_NAME = click.option(
    "--model",
    default=AUTO,
    show_default=True,
    metavar="NAME|FILE",
    help=f"{AUTO}: by how each picture was compressed, {DEFAULT_NETWORK}, {DENOISE} or one "
    f"between; {DRAWING}: for screenshots, drawings and logos; or a name that `subpixel models` "
    "lists, or an ONNX file.",
    shell_complete=complete_network,
)
STRENGTH = click.option(
    DENOISE_OPTION,
    type=RealNumber(0, 1),
    metavar="[0...1]",
    help=f"Clean JPEG damage with this strength, in place of {AUTO}'s choice: from 0 "
    f"({DEFAULT_NETWORK}, the sharpest) to 1 ({DENOISE}, the cleanest), the nearest of five; "
    "without a number 1.",
)


class StrengthCommand(PictureCommand):
    """A command for pictures whose `--denoise` may stand without a number.

    Click's own optional values would take the next argument for one, be it a picture.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _complete_strength(args))


def expect_own_strength(model: str, denoise: float | None) -> None:
    """Raise :class:`UsageError` for a strength beside a network of its own."""
    if denoise is not None and model not in (AUTO, DEFAULT_NETWORK):
        raise UsageError(
            f"--denoise and --model {model} don't go together: --denoise picks a network between "
            f"{DEFAULT_NETWORK} and {DENOISE}; leave one of them out, or name --model {AUTO} or "
            f"{DEFAULT_NETWORK}"
        )


class ChoiceLines:
    """Says which network a picture goes through, and why, where that is another than before."""

    def __init__(self) -> None:
        self._network: str | None = None

    def say(self, name: str, choice: NetworkChoice | None) -> str | None:
        """The line for the picture ``name``; None where there is nothing new."""
        if choice is None or choice.network == self._network:
            return None
        self._network = choice.network
        return f"{name}: {choice}"


def _complete_strength(args: Sequence[str]) -> list[str]:
    """`--denoise` with its number, as one argument; whatever follows `--` as it is."""
    options = list(args[: args.index("--")] if "--" in args else args)
    result: list[str] = []
    while options:
        option = options.pop(0)
        if option == DENOISE_OPTION:
            number = options.pop(0) if options and _is_strength(options[0]) else STRONGEST
            option = f"{option}={number}"
        result.append(option)
    return [*result, *args[len(args) if "--" not in args else args.index("--") :]]


def _is_strength(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
