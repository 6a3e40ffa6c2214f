"""``subpixel verify``."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from subpixel.cli.networks.matrix import matrix_report, show_matrix
from subpixel.cli.options.choices import (
    EXTRA_ARCHITECTURES,
    FILE,
    JSON,
    OVERWRITE,
    SEED,
    SETTINGS,
    THREADS,
    WEIGHTS,
)
from subpixel.cli.options.comparison import (
    AGAINST,
    MAX_CODES,
    MIN_PSNR,
    MODULE,
    PICTURES,
    SIZES,
    load_reference,
    make_tolerance,
)
from subpixel.cli.output import print_json, print_proof, print_table, progress
from subpixel.spec import Precision
from subpixel.system.targets import expect_free

if TYPE_CHECKING:
    from subpixel.parity.compare import CaseResult, Tolerance
    from subpixel.parity.side import Reference

COLUMNS = ("content", "shape", "max abs", "max rel", "code values", "PSNR, dB", "verdict")
ONLY_MATRIX = ("floor_db", "precisions", "bench", "calibration", "html")
ONLY_PLAIN = ("module", "pictures", "sizes", "min_psnr", "max_codes", "rtol", "atol", "seed")


@click.command(no_args_is_help=True)
@click.argument("model", type=FILE)
@AGAINST
@MODULE
@PICTURES
@SIZES
@MIN_PSNR
@MAX_CODES
@click.option(
    "--rtol", type=click.FloatRange(min=0), help="Relative tolerance. [default: 1e-3 for fp32]"
)
@click.option(
    "--atol", type=click.FloatRange(min=0), help="Absolute tolerance. [default: 1e-5 for fp32]"
)
@click.option(
    "--device",
    "devices",
    multiple=True,
    metavar="NAME",
    help="Where MODEL runs; with --matrix several may be named. [default: cpu; matrix: all]",
)
@THREADS
@click.option(
    "--matrix", is_flag=True, help="Every device, precision, graph optimisation; 1 and N threads."
)
@click.option(
    "--floor-db",
    type=click.FloatRange(min=0),
    help="Matrix: least PSNR of reduced precision against fp32, in dB. [default: 50]",
)
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(get_args(Precision)),
    help="Matrix: one to look at, or several. [default: all]",
)
@click.option(
    "--bench", type=FILE, help="Matrix: a benchmark set, for the loss in task PSNR (`evaluate`)."
)
@click.option(
    "--calibration", type=FILE, help="Matrix: photographs to calibrate int8. [default: the grid's]"
)
@click.option("--html", type=FILE, help="Matrix: write a page with pictures of the differences.")
@WEIGHTS
@SETTINGS
@SEED
@EXTRA_ARCHITECTURES
@OVERWRITE
@JSON
@click.pass_context
def command(
    context: click.Context,
    model: Path,
    against: Path | None,
    module: str | None,
    pictures: tuple[Path, ...],
    sizes: tuple[tuple[int, int], ...],
    min_psnr: float | None,
    max_codes: int | None,
    rtol: float | None,
    atol: float | None,
    devices: tuple[str, ...],
    threads: int | None,
    matrix: bool,
    floor_db: float | None,
    precisions: tuple[Precision, ...],
    bench: Path | None,
    calibration: Path | None,
    html: Path | None,
    weights: str | None,
    settings: tuple[str, ...],
    seed: int | None,
    extra_architectures: bool,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Prove that MODEL computes what its checkpoint, or another ONNX file, computes.

    Both run on a grid of shapes and contents, drawn from the sizes that the networks compute
    with, and at random, and on every --picture and --size. Every value must agree within rtol and
    atol, and no 8-bit code value may differ by more than one; with --min-psnr or --max-codes
    pictures are judged instead. What the file says of itself must hold. The exit code is 1 when
    anything fails. What was not covered is said.

    With --matrix MODEL runs in every way that this machine offers, in reduced precisions too;
    these must lie within --floor-db of fp32. What can't run here is "not available", with its
    reason: neither passed nor failed.
    """
    _expect_options(context, matrix, devices)
    reference = load_reference(against, module, weights, settings)
    if not matrix:
        return _verify(
            model,
            reference,
            pictures=pictures,
            sizes=sizes,
            tolerance=make_tolerance(min_psnr, max_codes, rtol, atol),
            device=devices[0] if devices else "cpu",
            threads=threads,
            extra_architectures=extra_architectures,
            seed=seed,
            as_json=as_json,
        )
    if html:
        expect_free(html, overwrite=overwrite)
    report = matrix_report(
        model,
        reference,
        devices=devices or None,
        precisions=precisions or None,
        threads=threads,
        floor_db=floor_db,
        bench=bench,
        calibration=calibration,
        extra_architectures=extra_architectures,
    )
    return show_matrix(report, html, as_json)


def _expect_options(context: click.Context, matrix: bool, devices: tuple[str, ...]) -> None:
    """Refuse what would be ignored."""
    for name in ONLY_PLAIN if matrix else ONLY_MATRIX:
        if context.params[name] not in (None, ()):
            option = next(p.opts[0] for p in context.command.params if p.name == name)
            raise click.UsageError(f"{option} {'clashes with' if matrix else 'needs'} --matrix")
    if not matrix and len(devices) > 1:
        raise click.UsageError("several --device need --matrix")


def _verify(
    model: Path,
    against: "Reference",
    *,
    pictures: tuple[Path, ...],
    sizes: tuple[tuple[int, int], ...],
    tolerance: "Tolerance | None",
    device: str,
    threads: int | None,
    extra_architectures: bool,
    seed: int | None,
    as_json: bool,
) -> int:
    from subpixel.parity.verify import verify

    with progress() as show:
        report = verify(
            model,
            against,
            pictures=pictures,
            sizes=sizes,
            tolerance=tolerance,
            device=device,
            threads=threads,
            extra_architectures=extra_architectures,
            seed=seed,
            report=show,
        )
    if as_json:
        print_json(report.to_json())
    else:
        title = f"{report.candidate} on {report.provider} against {report.reference}"
        print_table(title, COLUMNS, [_cells(result) for result in report.results])
        print_proof(report)
    return 0 if report else 1


def _cells(result: "CaseResult") -> tuple[str, ...]:
    case = result.case
    shape = f"{case.batch} x {case.height} x {case.width}"
    if result.max_abs is None or result.max_rel is None or result.psnr is None:
        return (case.subject, shape, "", "", "", "", result.reason or "")
    return (
        case.subject,
        shape,
        f"{result.max_abs:.1e}",
        f"{result.max_rel:.1e}",
        f"max {result.max_codes}, {result.differing_codes} of {result.codes}",
        "equal" if math.isinf(result.psnr) else f"{result.psnr:.1f}",
        result.reason or "same",
    )
