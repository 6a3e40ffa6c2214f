"""``subpixel tune``."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from subpixel.cli.options.choices import (
    DENOISING,
    DEVICE_NAME,
    FILE,
    FLOOR_OPTION,
    JSON,
    MODEL,
    SCALE,
    TASK_LOSS,
)
from subpixel.cli.options.number_types import RealNumber
from subpixel.cli.output import expect_pictures, print_json, print_table, progress
from subpixel.cli.streams import print_line
from subpixel.imaging.metrics import json_psnr

if TYPE_CHECKING:
    from subpixel.tune.race import Search, TrialResult
    from subpixel.tune.tune import TuneReport

SETTING_COLUMNS = (
    "device",
    "precision",
    "tile",
    "batch",
    "threads",
    "times the default",
    "dB to fp32",
    "dB lost",
    "",
)


@click.command()
@MODEL
@DENOISING
@SCALE
@click.option(
    "--device",
    "devices",
    type=DEVICE_NAME,
    multiple=True,
    metavar="NAME",
    help="One to try, or several. [default: all that `doctor` finds]",
)
@FLOOR_OPTION
@click.option("--bench", type=FILE, help="A benchmark set, as for `evaluate`, to keep the PSNR on.")
@TASK_LOSS
@click.option(
    "--seconds",
    type=RealNumber(min=0),
    default=120.0,
    show_default=True,
    help="After so many no further round of measuring begins; what fewer than three rounds tell "
    "is not kept.",
)
@JSON
def command(
    model: str,
    scale: int | None,
    devices: tuple[str, ...],
    floor_db: float,
    bench: Path | None,
    task_loss: float,
    seconds: float,
    as_json: bool,
) -> None:
    """Find the fastest setting on this machine that keeps the picture; `upscale` then uses it.

    Devices, precisions, tiles, batches and threads race against the default setting, in turns, on a
    photograph; flat parts are interpolated (adaptive) where that is faster on a page and no slower
    on a photograph. What is found is kept in the user's cache, for this network, these versions and
    this machine; pictures of more than 8 bits stay in fp32.
    """
    from subpixel.measure.quality_floor import Floor
    from subpixel.tune.tune import tune

    expect_pictures(bench)
    with progress() as show:
        report = tune(
            model,
            scale,
            devices=devices,
            floor=Floor(floor_db, task_loss),
            bench=bench,
            seconds=seconds,
            report=show,
        )
    if as_json:
        earlier = report.earlier and {"rounds": report.earlier.rounds}
        facts = {"kept": report.file, "earlier": earlier, "floor_db": floor_db}
        print_json({**facts, **_search_json(report.search)})
    else:
        _print_search(report.search)
        if report.search.best.setting.adaptive:
            print_line(
                "adaptive is on: flat parts are interpolated, as far as that was measured to be "
                "within one 8-bit code value of the network (upscale --no-adaptive: off)"
            )
        print_line(_tell_kept(report))


def _tell_kept(report: "TuneReport") -> str:
    """Where the result is, or that there is none, and what became of an earlier one."""
    earlier, rounds = report.earlier, report.search.best.rounds
    if report.file is None:
        stays = f"; what was found in {_rounds(earlier.rounds)} stays" if earlier else ""
        return (
            f"nothing was kept: {_rounds(rounds)} can't be told from noise; give it more "
            f"--seconds{stays}"
        )
    told = f"kept in {report.file}; upscale uses it (--no-tuning: the default)"
    if earlier is None or earlier.rounds <= rounds:
        return told
    return (
        f"{told}; measured in {_rounds(rounds)}, it replaces a result of "
        f"{_rounds(earlier.rounds)}: with more --seconds it is surer"
    )


def _rounds(count: int) -> str:
    return f"{count} round{'' if count == 1 else 's'}"


def _search_json(search: "Search") -> dict[str, Any]:
    """As JSON values; an infinite PSNR is the text ``"inf"``."""
    values = asdict(search)
    for result in (*values["ranked"], *values["refused"]):
        if result["facts"]:
            result["facts"]["psnr"] = json_psnr(result["facts"]["psnr"])
    return values


def _print_search(search: "Search") -> None:
    rows = [_setting_cells(result) for result in (*search.ranked, *search.refused)]
    print_table("Settings, the best first", SETTING_COLUMNS, rows)


def _setting_cells(result: "TrialResult") -> tuple[str, ...]:
    setting, facts = result.setting, result.facts
    device = f"{setting.device}, CUDA graphs" if setting.cuda_graphs else setting.device
    return (
        device,
        setting.precision or "",
        "default" if setting.tile is None else str(setting.tile),
        str(setting.batch),
        "default" if setting.threads is None else str(setting.threads),
        "" if result.ratio is None else f"{result.ratio:.2f} ({_rounds(result.rounds)})",
        "" if facts is None else "equal" if math.isinf(facts.psnr) else f"{facts.psnr:.1f}",
        "" if facts is None or facts.task_loss is None else f"{facts.task_loss:.3f}",
        _explain_result(result),
    )


def _explain_result(result: "TrialResult") -> str:
    """Why a setting is out, or what is gained by adaptive."""
    from subpixel.tune.race import TOO_FEW

    note = result.reason or ("" if result.settled or result.ratio is None else TOO_FEW)
    if result.on_page is not None:
        note = f"{result.on_page:.2f} times as fast as without on a page"
    return f"adaptive: {note}" if result.setting.adaptive else note
