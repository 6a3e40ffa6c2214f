"""Options that say how large a picture becomes: by a factor, or to a size in pixels."""

from collections.abc import Sequence
from fractions import Fraction

import click

from subpixel.cli.options.grouping import group_options
from subpixel.cli.options.number_types import RealNumber, WholeNumber
from subpixel.cli.options.sides import Sides
from subpixel.errors import UsageError
from subpixel.upscaling.size.target_size import TargetSize, choose_scales, parse_factor


class Factor(click.ParamType):  # type: ignore[type-arg]
    """A number above 0: 3, 1.5, x3."""

    name = "number"

    def convert(
        self, value: str | Fraction, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        if isinstance(value, Fraction):
            return value
        text = value.strip().lower()
        text = text.removeprefix("x") if text.startswith("x") else text.removesuffix("x")
        try:
            return parse_factor(text)
        except UsageError as error:
            self.fail(str(error), param, ctx)


SIDE = WholeNumber(min=1)
BOX = Sides("width x height", "1920x1080", 7)

FACTOR = click.option(
    "--scale",
    type=Factor(),
    metavar="NUMBER",
    help="How many times as long each side becomes, such as 2, 1.5 or 8. [default: 3, or the ONNX "
    "file's own]",
)
WIDTH = click.option(
    "--width", type=SIDE, metavar="PIXELS", help="To this width; the height follows."
)
HEIGHT = click.option(
    "--height", type=SIDE, metavar="PIXELS", help="To this height; the width follows."
)
FIT = click.option(
    "--fit",
    type=BOX,
    metavar="WxH",
    help="To the largest size that fits into this box, such as 1920x1080; one side may be shorter.",
)
FILL = click.option(
    "--fill",
    type=BOX,
    metavar="WxH",
    help="To exactly this size: the box is covered, and what sticks out is cut off, equally on "
    "both sides.",
)
MEGAPIXELS = click.option(
    "--megapixels",
    type=RealNumber(min=0, min_open=True),
    metavar="NUMBER",
    help="To about so many million pixels, such as 12; the shape stays.",
)


def make_target_size(
    scale: Fraction | None,
    width: int | None,
    height: int | None,
    fit: tuple[int, int] | None,
    fill: tuple[int, int] | None,
    megapixels: float | None,
) -> TargetSize | None:
    """The options' values as one; None where none is used.

    Raises :class:`UsageError` where several are.
    """
    values = {
        "--scale": scale,
        "--width": width,
        "--height": height,
        "--fit": fit,
        "--fill": fill,
        "--megapixels": megapixels,
    }
    names = [name for name, value in values.items() if value is not None]
    if len(names) > 1:
        hint = "--fit WxH (the largest inside) or --fill WxH (cut off what sticks out)"
        both = f"; for a box, use {hint}" if {"--width", "--height"} <= set(names) else ""
        raise UsageError(f"{' and '.join(names)} exclude each other: name one of them{both}")
    return TargetSize(scale, width, height, fit, fill, megapixels) if names else None


def choose_opening_scale(size: TargetSize | None, scales: Sequence[int]) -> int | None:
    """At which of its ``scales`` a bundled network is opened first; None: the default, as before a
    picture is read, or for another network, nothing more is known."""
    if size is None or size.factor is None or not scales:
        return None
    return next(iter(choose_scales(scales, size.factor)), None)


TARGET_SIZE = group_options("size", make_target_size, FACTOR, WIDTH, HEIGHT, FIT, FILL, MEGAPIXELS)
