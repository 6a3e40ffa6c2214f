"""``subpixel quantize``."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from subpixel.cli.options.choices import (
    DEVICE,
    FILE,
    FLOOR_OPTION,
    JSON,
    MODEL,
    OVERWRITE,
    SCALE,
    TASK_LOSS,
)
from subpixel.cli.output import expect_pictures, print_json
from subpixel.cli.streams import print_line
from subpixel.imaging.metrics import json_psnr
from subpixel.spec import Precision

if TYPE_CHECKING:
    from subpixel.publish.quantize import ReducedForm, ReducedReport


@click.command(no_args_is_help=True)
@MODEL
@SCALE
@click.option("-o", "--output", type=FILE, required=True, help="The ONNX file to write.")
@click.option("--precision", type=click.Choice(("int8", "fp16")), default="int8", show_default=True)
@click.option(
    "--calibration", type=FILE, help="A folder of photographs, for int8. [default: the grid's]"
)
@click.option(
    "--bench", type=FILE, help="A benchmark set, as for `evaluate`. [default: our photograph]"
)
@FLOOR_OPTION
@TASK_LOSS
@DEVICE
@OVERWRITE
@JSON
def command(
    model: str,
    scale: int | None,
    output: Path,
    precision: Precision,
    calibration: Path | None,
    bench: Path | None,
    floor_db: float,
    task_loss: float,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Make a network one of 8-bit integers, or of 16-bit floating point: faster where those are.

    The new file is measured against the old: 8-bit pictures that both make of our photograph, and
    what is lost on a benchmark set. Where it loses more than is allowed nothing is written, and
    the exit code is 1. Every form that was tried is named, with its figures. How many layers are in
    8 bits, and the size of both files, is printed: a network of few weights becomes larger in 8
    bits, one of many smaller.
    """
    from subpixel.measure.quality_floor import Floor
    from subpixel.measure.task_psnr import file_task_psnr, name_set
    from subpixel.network.locate import locate
    from subpixel.publish.quantize import TaskScore, reduce_precision

    expect_pictures(bench, calibration)
    report = reduce_precision(
        locate(model, scale),
        output,
        precision,
        TaskScore(partial(file_task_psnr, device=device, bench=bench), name_set(bench)),
        scale=scale,
        floor=Floor(floor_db, task_loss),
        calibration=calibration,
        device=device,
        overwrite=overwrite,
    )
    if as_json:
        print_json(_report_json(report))
    else:
        for line in str(report).splitlines():
            print_line(line)
    return 0 if report else 1


def _report_json(report: "ReducedReport") -> dict[str, object]:
    """The form that is written, or is the best; and all that were tried."""
    best = _form_json(report.best)
    return {
        "passed": bool(report),
        "reason": report.reason,
        "hint": report.hint,
        "path": report.path,
        "floor_db": report.floor.psnr,
        "task_loss": report.floor.task_loss,
        **{name: value for name, value in best.items() if name != "reason"},
        "bytes_before": report.bytes_before,
        "forms": [_form_json(form) for form in report.forms],
    }


def _form_json(form: "ReducedForm") -> dict[str, object]:
    return {
        "form": form.form,
        "psnr": json_psnr(form.psnr),
        "task": form.task and {**asdict(form.task), "loss": form.task.loss},
        "layers": form.layers,
        "bytes_after": form.size,
        "reason": form.shortfall,
    }
