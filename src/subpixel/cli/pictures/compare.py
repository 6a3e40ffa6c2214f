"""``subpixel compare``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from subpixel.cli.options.choices import FILE, OVERWRITE
from subpixel.cli.options.untrusted import UNTRUSTED, open_decoders
from subpixel.errors import PictureError
from subpixel.imaging.colour import Rgb8
from subpixel.measure.sheet import Spot, sheet
from subpixel.media.arrays import to_picture
from subpixel.media.display.render import render_srgb
from subpixel.media.image_file import read_picture, write_picture
from subpixel.media.picture import read_source

if TYPE_CHECKING:
    from subpixel.media.apart.pool import DecoderPool


@click.command(no_args_is_help=True)
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="The sheet, a picture file.")
@click.option(
    "--spot",
    type=int,
    nargs=3,
    metavar="LEFT TOP SIDE",
    help="The square to magnify, in pixels of the larger picture. [default: the liveliest]",
)
@UNTRUSTED
@OVERWRITE
def command(
    before: Path,
    after: Path,
    output: Path,
    spot: tuple[int, int, int] | None,
    untrusted: bool,
    overwrite: bool,
) -> None:
    """Put BEFORE and AFTER side by side, one spot magnified below.

    Both stand upright and are brought into sRGB, each by its own orientation and colour profile.
    The smaller picture is enlarged bicubically to the size of the larger one.
    """
    square = spot and Spot(left=spot[0], top=spot[1], side=spot[2])
    with open_decoders(untrusted) as decoders:
        result = sheet(_render(before, decoders), _render(after, decoders), square)
    write_picture(to_picture(result), output, overwrite=overwrite)


def _render(file: Path, decoders: "DecoderPool | None") -> Rgb8:
    """The picture as a screen shows it; raises :class:`PictureError` with the file's name."""
    if decoders is not None:
        return read_source(decoders.open_shown(file)).rgb8()
    picture = read_picture(file)
    try:
        return render_srgb(picture)
    except PictureError as error:
        raise PictureError(f"{file}: {error}") from error
