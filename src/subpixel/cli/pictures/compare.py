"""``subpixel compare``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from subpixel.cli.options.choices import FILE, OVERWRITE
from subpixel.cli.options.untrusted import UNTRUSTED, open_decoders
from subpixel.errors import PictureError, UsageError
from subpixel.imaging.colour import Rgb8
from subpixel.measure.sheet import Spot, sheet
from subpixel.media.arrays import to_picture
from subpixel.media.display.render import render_srgb
from subpixel.media.image_file import open_stream, read_picture, write_picture
from subpixel.media.picture import Picture, read_source
from subpixel.system.files.standard_input import INPUT_NAME, PIPE, expect_piped
from subpixel.system.files.targets import expect_inputs_spared

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
    The smaller picture is enlarged bicubically to the size of the larger one. One of them may be
    -, a picture from standard input.
    """
    _expect_stream((before, after))
    expect_inputs_spared(output, (before, after))
    square = spot and Spot(left=spot[0], top=spot[1], side=spot[2])
    with open_decoders(untrusted) as decoders:
        result = sheet(_render(before, decoders), _render(after, decoders), square)
    write_picture(to_picture(result), output, overwrite=overwrite)


def _expect_stream(files: tuple[Path, Path]) -> None:
    """Raise :class:`UsageError` where both pictures would come from standard input, or one from a
    terminal."""
    if files == (PIPE, PIPE):
        raise UsageError("BEFORE and AFTER are both -, and - is a stream of one picture; name one")
    if PIPE in files:
        expect_piped("subpixel compare - after.png -o sheet.png < before.png")


def _render(file: Path, decoders: "DecoderPool | None") -> Rgb8:
    """The picture as a screen shows it; raises :class:`PictureError` with the file's name."""
    name = INPUT_NAME if file == PIPE else str(file)
    if decoders is not None:
        source = sys.stdin.buffer if file == PIPE else file
        return read_source(decoders.open_shown(source, name=name)).rgb8()
    picture = _read(file)
    try:
        return render_srgb(picture)
    except PictureError as error:
        raise PictureError(f"{name}: {error}") from error


def _read(file: Path) -> Picture:
    if file == PIPE:
        return read_source(open_stream(sys.stdin.buffer, name=INPUT_NAME))
    return read_picture(file)
