"""``subpixel bisect``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from subpixel.cli.options.choices import (
    DEVICE_NAME,
    EXTRA_ARCHITECTURES,
    FILE,
    JSON,
    OVERWRITE,
    SCALE,
    SETTINGS,
    WEIGHTS,
)
from subpixel.cli.options.comparison import (
    AGAINST,
    MAX_CODES,
    MIN_PSNR,
    MODULE,
    PICTURES,
    SIZES_OPTION,
    load_reference,
    locate_sides,
    make_tolerance,
)
from subpixel.cli.options.completion import complete_network
from subpixel.cli.output import print_json, print_table, progress
from subpixel.cli.streams import print_line

if TYPE_CHECKING:
    from subpixel.parity.bisect.blame import Blame

GROWTH_COLUMNS = ("nodes", "up to", "max abs", "code values")


@click.command(no_args_is_help=True)
@click.argument("bad", type=FILE, shell_complete=complete_network)
@AGAINST
@SCALE
@MODULE
@WEIGHTS
@SETTINGS
@click.option("-o", "--output", type=FILE, help="A folder to write the case in.")
@click.option(
    "--device",
    type=DEVICE_NAME,
    default="cpu",
    show_default=True,
    metavar="NAME",
    help="Where BAD runs.",
)
@PICTURES
@SIZES_OPTION
@MIN_PSNR
@MAX_CODES
@EXTRA_ARCHITECTURES
@OVERWRITE
@JSON
def command(
    bad: Path,
    against: Path | None,
    scale: int | None,
    module: str | None,
    output: Path | None,
    device: str,
    weights: str | None,
    settings: tuple[str, ...],
    pictures: tuple[Path, ...],
    sizes: tuple[tuple[int, int], ...],
    min_psnr: float | None,
    max_codes: int | None,
    extra_architectures: bool,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Find the stage and the node that make BAD differ from its checkpoint or from another file.
    Files may be named by a bundled network's name.

    The pictures of `verify` are gone through from the smallest on; with --picture or --size
    these alone. A checkpoint or --module is exported anew, which tells a fault of the exporter's
    from a file that was changed after its export.

    The case that is written holds the node with right inputs, a script that shows the fault, and
    the text of a report. The exit code is 0 when the two are equal and 1 when they differ.
    """
    from subpixel.parity.bisect.bisect import bisect

    bad, against = locate_sides(bad, against, scale)
    reference = load_reference(against, module, weights, settings, extra_architectures)
    with progress() as report:
        blame = bisect(
            bad,
            reference,
            out=output,
            pictures=pictures,
            sizes=sizes,
            device=device,
            tolerance=make_tolerance(min_psnr, max_codes),
            overwrite=overwrite,
            report=report,
        )
    if as_json:
        print_json(blame.to_json())
    else:
        _print_blame(blame)
    return 0 if blame else 1


def _print_blame(blame: "Blame") -> None:
    print_line(blame.summary())
    if blame.result:
        print_line(f"picture   {blame.result.case.name}: {blame.result.reason}")
    if blame.alone:
        print_line(f"alone     {blame.alone.reason or 'within tolerance'}")
    if blame.mended is False:
        print_line("          there is more behind it: mending this node alone is not enough")
    for line in blame.evidence:
        print_line(f"differs   {line}")
    if blame.growth:
        rows = [
            (
                str(row.nodes),
                row.node,
                f"{row.max_abs:.1e}" if row.max_abs is not None else "",
                str(row.max_codes),
            )
            for row in blame.growth
        ]
        print_table("The difference over the depth", GROWTH_COLUMNS, rows)
    if blame.folder:
        print_line(f"wrote     {blame.folder}")
