"""``subpixel doctor``."""

import click

from subpixel.cli.options.choices import JSON
from subpixel.cli.output import print_json, print_table
from subpixel.measure.environment import PACKAGES, survey


@click.command()
@JSON
def command(as_json: bool) -> None:
    """Say what is installed, which devices run a network, and what is missing for the rest."""
    found = survey()
    if as_json:
        print_json(found)
        return
    machine = f"{found.processor}, {found.cores} cores, {found.system}, Python {found.python}"
    packages = [(name, v or f"missing: {PACKAGES[name]}") for name, v in found.packages.items()]
    devices = [(d.device, "yes" if d.works else "no", d.provider, d.detail) for d in found.devices]
    print_table(machine, ("package", "version"), packages)
    print_table("Devices", ("device", "works", "execution provider", "detail"), devices)
