"""``subpixel compare``."""

from pathlib import Path

import click

from subpixel.cli.options import FILE, OVERWRITE
from subpixel.measure.sheet import sheet
from subpixel.media.arrays import to_picture
from subpixel.media.image_file import read_picture, write_picture


@click.command(no_args_is_help=True)
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="The sheet, a picture file.")
@OVERWRITE
def command(before: Path, after: Path, output: Path, overwrite: bool) -> None:
    """Put BEFORE and AFTER side by side, the liveliest spot magnified below.

    The smaller picture is enlarged bicubically to the size of the larger one.
    """
    pictures = (read_picture(file).rgb8() for file in (before, after))
    write_picture(to_picture(sheet(*pictures)), output, overwrite=overwrite)
