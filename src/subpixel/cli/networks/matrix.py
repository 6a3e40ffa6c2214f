"""``subpixel verify --matrix``: what it runs and how it is shown."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from subpixel.cli.output import expect_pictures, print_json, print_table, progress
from subpixel.spec import Precision

if TYPE_CHECKING:
    from subpixel.measure.environment import Environment
    from subpixel.parity.matrix.matrix import Cell, MatrixReport, Outcome, TaskScore
    from subpixel.parity.side import Reference

CELLS = (
    "device",
    "precision",
    "optimisation",
    "threads",
    "cases",
    "code values",
    "least dB",
    "verdict",
)
PROPERTIES = ("property", "device", "precision", "largest difference", "verdict")
SCORES = ("device", "precision", "Y-PSNR, dB", "loss, dB")


def matrix_report(
    model: Path,
    against: "Reference",
    *,
    devices: Sequence[str] | None,
    precisions: Sequence[Precision] | None,
    threads: int | None,
    floor_db: float | None,
    bench: Path | None,
    calibration: Path | None,
    extra_architectures: bool,
) -> "MatrixReport":
    """:func:`~subpixel.parity.matrix.matrix.verify_matrix` with progress, its task PSNR on
    ``bench``."""
    from subpixel.measure.task_psnr import file_task_psnr
    from subpixel.parity.matrix.matrix import FLOOR_DB, verify_matrix

    expect_pictures(bench, calibration)
    with progress() as show:
        return verify_matrix(
            model,
            against,
            devices=devices,
            precisions=precisions,
            threads=threads,
            floor_db=FLOOR_DB if floor_db is None else floor_db,
            calibration=calibration,
            score=None if bench is None else partial(file_task_psnr, bench=bench),
            extra_architectures=extra_architectures,
            report=show,
        )


def show_matrix(report: "MatrixReport", html: Path | None, as_json: bool) -> int:
    """Print the report, write its page, and return the exit code."""
    from subpixel.measure.environment import survey

    if html or as_json:
        environment = survey()
    if html:
        _write_page(report, environment, html)
    if as_json:
        print_json({**report.to_json(), "environment": environment})
    else:
        _print(report)
    return 0 if report else 1


def _write_page(report: "MatrixReport", environment: "Environment", file: Path) -> None:
    from subpixel.parity.matrix.page import matrix_page
    from subpixel.system.atomic import write_bytes

    # It was free, or to be replaced, before the work began.
    write_bytes(file, matrix_page(report, _facts(environment)).encode(), overwrite=True)


def _facts(environment: "Environment") -> dict[str, str]:
    packages = [f"{name} {v}" for name, v in environment.packages.items() if v is not None]
    devices = [state.device for state in environment.devices if state.works]
    return {
        "Processor": f"{environment.processor}, {environment.cores} cores",
        "System": environment.system,
        "Python": environment.python,
        "Packages": ", ".join(packages),
        "Devices": ", ".join(devices),
    }


def _print(report: "MatrixReport") -> None:
    outcomes = [*(r.outcome for r in report.cells), *(r.outcome for r in report.properties)]
    notes = list(dict.fromkeys(outcome.reason for outcome in outcomes if outcome.reason))
    cells = [
        (*_way(r.cell), *_numbers(r.outcome), _verdict(r.outcome, notes)) for r in report.cells
    ]
    print_table(f"{report.candidate} against {report.reference}", CELLS, cells)
    properties = [
        (r.name, *_way(r.cell)[:2], _exact(r.outcome), _verdict(r.outcome, notes))
        for r in report.properties
    ]
    print_table("true to itself", PROPERTIES, properties)
    if report.scores:
        print_table("on the benchmark set", SCORES, [_score_row(score) for score in report.scores])
    for number, note in enumerate(notes, start=1):
        click.echo(f"({number})  {note}")
    click.echo(f"floor: {report.floor_db:g} dB between reduced precision and fp32, in every case")
    click.echo(report.summary())


def _way(cell: "Cell") -> tuple[str, str, str, str]:
    threads = "per core" if cell.threads is None else str(cell.threads)
    return cell.device, cell.precision, cell.optimisation, threads


def _numbers(outcome: "Outcome") -> tuple[str, str, str]:
    if outcome.least_psnr is None:
        return str(outcome.cases or ""), "", ""
    psnr = "equal" if math.isinf(outcome.least_psnr) else f"{outcome.least_psnr:.1f}"
    return str(outcome.cases), f"max {outcome.max_codes}", psnr


def _exact(outcome: "Outcome") -> str:
    if outcome.max_abs is None:
        return ""
    return f"{outcome.max_abs:.1e}" if outcome.max_abs else "none"


def _verdict(outcome: "Outcome", notes: Sequence[str]) -> str:
    if outcome.reason is None:
        return outcome.verdict
    return f"{outcome.verdict} ({notes.index(outcome.reason) + 1})"


def _score_row(score: "TaskScore") -> tuple[str, ...]:
    loss = "" if score.loss is None else f"{score.loss:+.3f}"
    return score.device, score.precision, f"{score.psnr:.3f}", loss
