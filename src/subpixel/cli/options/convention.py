"""Options that say how a third-party network wants its pixels; what isn't said is found out."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, get_args

import click

from subpixel.convention import (
    ChannelOrder,
    Convention,
    TensorLayout,
    ValueRange,
    parse_input,
    parse_range,
)
from subpixel.errors import UsageError

Value = TypeVar("Value")


class Parsed(click.ParamType, Generic[Value]):  # type: ignore[type-arg]
    """What a parser makes of a text, or its message."""

    def __init__(self, name: str, parse: Callable[[str], Value]) -> None:
        self.name = name
        self._parse = parse

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's signature
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Value:
        try:
            return self._parse(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


RANGE_TYPE = Parsed("range", parse_range)

INPUT_RANGE = click.option(
    "--input-range",
    type=RANGE_TYPE,
    metavar="RANGE",
    help="Third-party file: the values it takes, 0..1, 0..255, -1..1, mean/std (ImageNet's), or "
    "mean/std=M,M,M/S,S,S for pixels in 0..1. [default: found out by running it]",
)
OUTPUT_RANGE = click.option(
    "--output-range",
    type=RANGE_TYPE,
    metavar="RANGE",
    help="Third-party file: the values it gives. [default: found out, else --input-range]",
)
CHANNEL_ORDER = click.option(
    "--channel-order",
    "input_order",
    type=click.Choice(get_args(ChannelOrder)),
    help="Third-party file: order of channels. [default: found out by running it]",
)
OUTPUT_ORDER = click.option(
    "--output-order",
    type=click.Choice(get_args(ChannelOrder)),
    help="Third-party file: order of the result's channels. [default: found out]",
)
LAYOUT_OPTION = click.option(
    "--layout",
    type=click.Choice(get_args(TensorLayout)),
    help="Third-party file: order of axes. [default: found out by running it]",
)
SET_INPUT = click.option(
    "--set-input",
    "inputs_set",
    type=Parsed("name=value", parse_input),
    multiple=True,
    metavar="NAME=VALUE",
    help="Third-party file: give a further input, such as a noise level, this value. Repeatable.",
)
PICTURE_OUTPUT = click.option(
    "--output-name",
    metavar="NAME",
    help="Third-party file: the output that holds the picture, where there are several.",
)


def make_convention(
    input_range: ValueRange | None,
    output_range: ValueRange | None,
    input_order: ChannelOrder | None,
    output_order: ChannelOrder | None,
    layout: TensorLayout | None,
    inputs_set: tuple[tuple[str, float], ...],
    output_name: str | None,
) -> Convention:
    """The options' values as one."""
    return Convention(
        input_range, output_range, input_order, output_order, layout, inputs_set, output_name
    )
