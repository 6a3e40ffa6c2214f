"""``--alpha``: what transparent pixels' colours are worth."""

from typing import get_args

import click

from subpixel.upscaling.alpha import AlphaMode

ALPHA_OPTION = click.option(
    "--alpha",
    type=click.Choice(get_args(AlphaMode)),
    default="repaint",
    show_default=True,
    help="The colours under transparent pixels: repaint replaces them by their neighbours', so "
    "that no fringes appear; straight keeps each channel as it is (game textures).",
)
