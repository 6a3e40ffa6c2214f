"""``subpixel doctor``."""

from dataclasses import asdict

import click

from subpixel.cli.options.choices import JSON
from subpixel.cli.output import print_json, print_table
from subpixel.cli.pictures.cache import cache_facts, print_caches
from subpixel.cli.streams import print_line
from subpixel.measure.environment import PACKAGES, Environment, survey
from subpixel.network.tuning_cache import StoredTuning, list_tunings
from subpixel.upscaling.choice.device_verdicts import StoredVerdict, list_verdicts

TUNING_COLUMNS = ("network", "pictures of", "setting", "times the default", "used")
VERDICT_COLUMNS = ("network", "on the processor", "beside", "auto is", "because", "used")
OUTDATED = "no: the network, a version or the machine has changed"


@click.command()
@JSON
def command(as_json: bool) -> None:
    """Say what is installed, which devices run a network, and what is missing for the rest; what
    `tune` and `--device auto` found, and what is kept in caches."""
    environment = survey()
    tunings, faults = list_tunings()
    for fault in faults:
        print_line(f"subpixel: {fault}", err=True)
    if as_json:
        facts = {"tunings": tunings, "contests": list_verdicts(), "caches": cache_facts()}
        print_json({**asdict(environment), **facts})
        return
    _print_environment(environment)
    if tunings:
        rows = [row for stored in tunings for row in _tuning_cells(stored)]
        print_table("What tune found", TUNING_COLUMNS, rows)
    verdicts = [_verdict_cells(stored) for stored in list_verdicts()]
    if verdicts:
        print_table("What --device auto found", VERDICT_COLUMNS, verdicts)
    print_caches()


def _print_environment(machine: Environment) -> None:
    title = f"{machine.processor}, {machine.cores} cores, {machine.system}, Python {machine.python}"
    packages = [(name, v or f"missing: {PACKAGES[name]}") for name, v in machine.packages.items()]
    devices = [
        (d.device, "yes" if d.works else "no", d.provider, d.detail) for d in machine.devices
    ]
    print_table(title, ("package", "version"), packages)
    print_table("Devices", ("device", "works", "execution provider", "detail"), devices)
    print_table("Untrusted pictures", ("what", "works"), [("--untrusted", str(machine.untrusted))])


def _tuning_cells(stored: StoredTuning) -> list[tuple[str, ...]]:
    """A row for pictures of 8 bits, and one for those of more."""
    state = "yes" if stored.current else OUTDATED
    choices = (("8 bits", False), ("more bits", True))
    rows = [(depth, stored.tuning.choose(deep=deep)) for depth, deep in choices]
    name = stored.tuning.default.file.stem
    return [
        (name, depth, row.setting.label, f"{row.ratio:.2f}", state) for depth, row in rows if row
    ]


def _verdict_cells(stored: StoredVerdict) -> tuple[str, ...]:
    contest, verdict = stored.contest, stored.verdict
    device = contest.rival if verdict.faster else "cpu"
    state = "yes" if stored.current else OUTDATED
    return contest.network.stem, contest.precision, contest.rival, device, verdict.reason, state
