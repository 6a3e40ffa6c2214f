"""``subpixel quantize``."""

from functools import partial
from pathlib import Path

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
from subpixel.spec import Precision


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
    """Make a network smaller and faster: 8-bit integers, or 16-bit floating point.

    The new file is measured against the old, and on a benchmark set; where it loses more than
    the floor allows nothing is written, and the exit code is 1. How many layers are in 8 bits, and
    the size of both files, is printed.
    """
    from subpixel.measure.quality_floor import Floor
    from subpixel.measure.task_psnr import file_task_psnr
    from subpixel.network.locate import locate
    from subpixel.publish.quantize import reduce_precision

    expect_pictures(bench, calibration)
    report = reduce_precision(
        locate(model, scale),
        output,
        precision,
        partial(file_task_psnr, device=device, bench=bench),
        floor=Floor(floor_db, task_loss),
        calibration=calibration,
        device=device,
        overwrite=overwrite,
    )
    if as_json:
        print_json(
            {
                "passed": bool(report),
                "path": report.path,
                "task": report.task,
                "layers": report.layers,
                "bytes_before": report.bytes_before,
                "bytes_after": report.bytes_after,
            }
        )
    else:
        print_line(report.summary())
        print_line(f"wrote {output}" if report else f"nothing was written{_advice(calibration)}")
    return 0 if report else 1


def _advice(calibration: Path | None) -> str:
    return "" if calibration else "; --calibration with photographs of yours may help"
