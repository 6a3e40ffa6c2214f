"""``subpixel verify``."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from subpixel.cli.options import FILE, JSON, THREADS
from subpixel.cli.output import print_json, print_table

if TYPE_CHECKING:
    from subpixel.parity.compare import CaseResult

COLUMNS = ("content", "shape", "max abs", "max rel", "code values", "PSNR, dB", "verdict")


@click.command(no_args_is_help=True)
@click.argument("model", type=FILE)
@click.option("--against", type=FILE, required=True, help="A checkpoint, or another ONNX file.")
@click.option(
    "--rtol", type=click.FloatRange(min=0), help="Relative tolerance. [default: 1e-3 for fp32]"
)
@click.option(
    "--atol", type=click.FloatRange(min=0), help="Absolute tolerance. [default: 1e-5 for fp32]"
)
@click.option(
    "--device", default="cpu", show_default=True, metavar="NAME", help="Where MODEL runs."
)
@THREADS
@JSON
def command(
    model: Path,
    against: Path,
    rtol: float | None,
    atol: float | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> int:
    """Prove that MODEL computes what its checkpoint, or another ONNX file, computes.

    Both run on a grid of shapes and contents. Every value must agree within rtol and atol, and
    no 8-bit code value may differ by more than one. The exit code is 1 when any case fails.
    """
    from subpixel.parity.compare import Tolerance
    from subpixel.parity.verify import verify

    given = Tolerance(rtol=1e-3 if rtol is None else rtol, atol=1e-5 if atol is None else atol)
    tolerance = None if rtol is None and atol is None else given
    report = verify(model, against, tolerance=tolerance, device=device, threads=threads)
    if as_json:
        print_json(report.to_json())
    else:
        title = f"{report.candidate} on {report.provider} against {report.reference}"
        print_table(title, COLUMNS, [_cells(result) for result in report.results])
        click.echo(report.summary())
    return 0 if report else 1


def _cells(result: "CaseResult") -> tuple[str, ...]:
    case = result.case
    shape = f"{case.batch} x {case.height} x {case.width}"
    if result.max_abs is None or result.max_rel is None or result.psnr is None:
        return (case.content, shape, "", "", "", "", result.reason or "")
    return (
        case.content,
        shape,
        f"{result.max_abs:.1e}",
        f"{result.max_rel:.1e}",
        f"max {result.max_codes}, {result.differing_codes} of {result.codes}",
        "equal" if math.isinf(result.psnr) else f"{result.psnr:.1f}",
        result.reason or "same",
    )
