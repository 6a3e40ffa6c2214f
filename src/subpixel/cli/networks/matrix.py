"""How the result of ``subpixel verify --matrix`` is shown."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from subpixel.cli.output import print_json, print_table
from subpixel.cli.streams import print_line

if TYPE_CHECKING:
    from subpixel.measure.environment import Environment
    from subpixel.parity.matrix.matrix import Cell, CellOutcome, MatrixReport, TaskScore

CELL_COLUMNS = (
    "device",
    "precision",
    "optimisation",
    "threads",
    "cases",
    "code values",
    "least dB",
    "verdict",
)
PROPERTY_COLUMNS = ("property", "device", "precision", "largest difference", "verdict")
SCORE_COLUMNS = ("device", "precision", "Y-PSNR, dB", "loss, dB")


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
        _print_matrix(report)
    return 0 if report else 1


def _write_page(report: "MatrixReport", environment: "Environment", file: Path) -> None:
    from subpixel.parity.matrix.page import matrix_page
    from subpixel.system.files.atomic import write_bytes

    # It was free, or to be replaced, before the work began.
    write_bytes(file, matrix_page(report, _environment_facts(environment)).encode(), overwrite=True)


def _environment_facts(environment: "Environment") -> dict[str, str]:
    packages = [f"{name} {v}" for name, v in environment.packages.items() if v is not None]
    devices = [state.device for state in environment.devices if state.works]
    return {
        "Processor": f"{environment.processor}, {environment.cores} cores",
        "System": environment.system,
        "Python": environment.python,
        "Packages": ", ".join(packages),
        "Devices": ", ".join(devices),
    }


def _print_matrix(report: "MatrixReport") -> None:
    outcomes = [*(r.outcome for r in report.cells), *(r.outcome for r in report.properties)]
    notes = list(dict.fromkeys(outcome.reason for outcome in outcomes if outcome.reason))
    cells = [
        (*_way_cells(r.cell), *_outcome_cells(r.outcome), _verdict(r.outcome, notes))
        for r in report.cells
    ]
    print_table(f"{report.candidate} against {report.reference}", CELL_COLUMNS, cells)
    properties = [
        (r.name, *_way_cells(r.cell)[:2], _property_cell(r.outcome), _verdict(r.outcome, notes))
        for r in report.properties
    ]
    print_table("true to itself", PROPERTY_COLUMNS, properties)
    if report.scores:
        print_table(
            "on the benchmark set", SCORE_COLUMNS, [_score_row(score) for score in report.scores]
        )
    for number, note in enumerate(notes, start=1):
        print_line(f"({number})  {note}")
    for gap in report.gaps:
        print_line(f"not covered everywhere: {gap}")
    print_line(f"floor: {report.floor_db:g} dB between reduced precision and fp32, in every case")
    print_line(report.summary())


def _way_cells(cell: "Cell") -> tuple[str, str, str, str]:
    threads = "per core" if cell.threads is None else str(cell.threads)
    return cell.device, cell.precision, cell.optimisation, threads


def _outcome_cells(outcome: "CellOutcome") -> tuple[str, str, str]:
    if outcome.least_psnr is None:
        return str(outcome.cases or ""), "", ""
    psnr = "equal" if math.isinf(outcome.least_psnr) else f"{outcome.least_psnr:.1f}"
    return str(outcome.cases), f"max {outcome.max_codes}", psnr


def _property_cell(outcome: "CellOutcome") -> str:
    if outcome.max_abs is None:
        return ""
    return f"{outcome.max_abs:.1e}" if outcome.max_abs else "none"


def _verdict(outcome: "CellOutcome", notes: Sequence[str]) -> str:
    if outcome.reason is None:
        return outcome.verdict
    return f"{outcome.verdict} ({notes.index(outcome.reason) + 1})"


def _score_row(score: "TaskScore") -> tuple[str, ...]:
    loss = "" if score.loss is None else f"{score.loss:+.3f}"
    return score.device, score.precision, f"{score.psnr:.3f}", loss
