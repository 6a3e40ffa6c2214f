"""``subpixel package``."""

from pathlib import Path

import click

from subpixel.cli.options.choices import FILE, JSON, SCALE
from subpixel.cli.options.completion import complete_network
from subpixel.cli.output import format_file_size, print_json
from subpixel.cli.streams import print_line
from subpixel.publish.package.targets import PACKAGE_TARGETS, find_target


@click.command(no_args_is_help=True)
@click.argument("model", metavar="NAME|FILE", shell_complete=complete_network)
@SCALE
@click.option("-o", "--output", type=FILE, required=True, help="The folder to write.")
@click.option(
    "--target",
    type=click.Choice([target.name for target in PACKAGE_TARGETS]),
    required=True,
    help="; ".join(f"{target.name}: {target.purpose}" for target in PACKAGE_TARGETS) + ".",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier package, and nothing else.")
@JSON
def command(
    model: str, scale: int | None, output: Path, target: str, overwrite: bool, as_json: bool
) -> None:
    """Pack a network into a folder that is ready for a platform.

    The folder holds the network, a small program that runs it there, a photograph and the golden
    picture that must come of it, computed without any runtime: for networks of integers (such as
    balanced-int8) exact, the same sha256 everywhere; for others with a bound. README.md in the
    folder says how to run it, and what of it was run before. The network is run here first: where
    it doesn't make the golden picture, nothing is written.
    """
    from subpixel.network.locate import locate
    from subpixel.publish.package.package import package_network

    report = package_network(
        locate(model, scale), output, find_target(target), scale=scale, overwrite=overwrite
    )
    if as_json:
        print_json(report)
        return
    print_line(f"packed    {report.summary()}")
    print_line(f"golden    sha256 {report.sha256}" + ("" if report.exact else ", within a bound"))
    size = format_file_size(report.size)
    print_line(f"wrote     {report.path}: {len(report.files)} files, {size}")
