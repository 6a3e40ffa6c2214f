"""``subpixel verify``."""

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from subpixel.cli.networks.matrix import show_matrix
from subpixel.cli.options.choices import (
    DEVICE_NAME,
    EXTRA_ARCHITECTURES,
    FILE,
    JSON,
    OVERWRITE,
    SCALE,
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
    SIZES_OPTION,
    load_reference,
    locate_sides,
    make_tolerance,
)
from subpixel.cli.options.completion import complete_network
from subpixel.cli.options.number_types import RealNumber
from subpixel.cli.output import expect_pictures, print_json, print_proof, print_table, progress
from subpixel.spec import Precision
from subpixel.system.files.targets import expect_free_file, expect_inputs_spared

if TYPE_CHECKING:
    from subpixel.parity.compare import CaseResult, ParityReport

CASE_COLUMNS = ("content", "shape", "max abs", "max rel", "code values", "PSNR, dB", "verdict")
ONLY_MATRIX = ("floor_db", "precisions", "bench", "calibration", "html")
ONLY_PLAIN = ("module", "pictures", "sizes", "min_psnr", "max_codes", "rtol", "atol", "seed")


@click.command(no_args_is_help=True)
@click.argument("model", type=FILE, shell_complete=complete_network)
@AGAINST
@SCALE
@MODULE
@PICTURES
@SIZES_OPTION
@MIN_PSNR
@MAX_CODES
@click.option("--rtol", type=RealNumber(min=0), help="Relative tolerance. [default: 1e-3 for fp32]")
@click.option("--atol", type=RealNumber(min=0), help="Absolute tolerance. [default: 1e-5 for fp32]")
@click.option(
    "--device",
    "devices",
    type=DEVICE_NAME,
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
    type=RealNumber(min=0),
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
    scale: int | None,
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
    """Prove that MODEL computes what its checkpoint, or another ONNX file, computes. Files may be
    named by a bundled network's name.

    Both run on a grid of shapes and contents, drawn from the sizes that the networks compute
    with, and at random, and on every --picture and --size. Every value must agree within rtol and
    atol, and no 8-bit code value may differ by more than one; with --min-psnr or --max-codes
    pictures are judged instead, and values besides where --rtol or --atol is given. What the file
    says of itself must hold. The exit code is 1 when anything fails. What was not covered is said.

    With --matrix MODEL runs in every way that this machine offers, in reduced precisions too;
    these must lie within --floor-db of fp32. What can't run here is "not available", with its
    reason: neither passed nor failed.
    """
    _expect_options(context, matrix, devices)
    model, against = locate_sides(model, against, scale)
    reference = load_reference(against, module, weights, settings, extra_architectures)
    if matrix:
        from subpixel.measure.task_psnr import expect_bench, file_task_psnr
        from subpixel.network.identify import read_declared_spec
        from subpixel.parity.matrix.matrix import DEFAULT_FLOOR_DB, verify_matrix

        expect_pictures(bench, calibration)
        if bench and (spec := read_declared_spec(model)):
            expect_bench(bench, spec.scale)  # now, not after all cells
        if html:
            expect_inputs_spared(html, (model, *([against] if against else [])))
            expect_free_file(html, overwrite=overwrite)
        with progress() as show:
            result = verify_matrix(
                model,
                reference,
                devices=devices or None,
                precisions=precisions or None,
                threads=threads,
                floor_db=DEFAULT_FLOOR_DB if floor_db is None else floor_db,
                calibration=calibration,
                score=None if bench is None else partial(file_task_psnr, bench=bench),
                report=show,
            )
        return show_matrix(result, html, as_json)
    from subpixel.parity.verify import verify

    with progress() as show:
        report = verify(
            model,
            reference,
            pictures=pictures,
            sizes=sizes,
            tolerance=make_tolerance(min_psnr, max_codes, rtol, atol),
            device=devices[0] if devices else "cpu",
            threads=threads,
            seed=seed,
            report=show,
        )
    _show_parity(report, as_json)
    return 0 if report else 1


def _expect_options(context: click.Context, matrix: bool, devices: tuple[str, ...]) -> None:
    """Refuse what would be ignored."""
    for name in ONLY_PLAIN if matrix else ONLY_MATRIX:
        if context.params[name] not in (None, ()):
            option = next(p.opts[0] for p in context.command.params if p.name == name)
            raise click.UsageError(f"{option} {'clashes with' if matrix else 'needs'} --matrix")
    if not matrix and len(devices) > 1:
        raise click.UsageError("several --device need --matrix")


def _show_parity(report: "ParityReport", as_json: bool) -> None:
    if as_json:
        print_json(report.to_json())
        return
    title = f"{report.candidate} on {report.provider} against {report.reference}"
    print_table(title, CASE_COLUMNS, [_case_cells(result) for result in report.results])
    print_proof(report)


def _case_cells(result: "CaseResult") -> tuple[str, ...]:
    from subpixel.parity.compare import WITHIN

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
        result.reason or ("same" if result.same else WITHIN),
    )
