"""One network against its reference in every way it may be run: devices, precisions, graph
optimisation, threads."""

import itertools
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from subpixel.errors import NetworkError, ProviderError, UsageError
from subpixel.imaging.metrics import json_psnr
from subpixel.nets.torch_op import Module
from subpixel.parity.calibration import MIN_AREA, calibration_pictures
from subpixel.parity.cases import Case, grid, pixels
from subpixel.parity.compare import (
    CODES,
    CaseResult,
    Exact,
    OnProgress,
    ParityReport,
    Tolerance,
    compare,
    tolerance_for,
)
from subpixel.parity.matrix.difference import Difference, difference
from subpixel.parity.matrix.memo import MemoOp
from subpixel.parity.matrix.precisions import Variant, variant
from subpixel.parity.memory.ledger import MemoryLedger, TooLarge, describe_too_large
from subpixel.parity.properties import batch_equals_single, same_twice, tiles_equal_whole
from subpixel.parity.side import Reference, Side, as_reference, open_sides
from subpixel.runtime.devices import DEVICES
from subpixel.runtime.op import NetOp
from subpixel.runtime.opening import Opened, available_devices, open_session
from subpixel.spec import ModelSpec, Precision
from subpixel.system.session_options import Optimisation

Verdict = Literal["passed", "failed", "not available"]

TaskPsnrOf = Callable[[Path, str], float]
"""Mean task PSNR in dB of an ONNX file on a device: see :mod:`subpixel.measure.evaluate`."""

DEFAULT_FLOOR_DB = 50.0
"""Least PSNR between a file of reduced precision and the fp32 file, when none is given."""

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
"""Those that are compared; bf16 only in a file that is bf16 itself."""

NO_KERNEL = "NOT_IMPLEMENTED"
"""In ONNX Runtime's message when an execution provider lacks an operator in some type."""


@dataclass(frozen=True)
class Cell:
    """One way to run the network."""

    device: str
    precision: Precision
    optimisation: Optimisation = "all"
    threads: int | None = None
    """None: ONNX Runtime's own choice, one per physical core."""

    @property
    def name(self) -> str:
        return f"{self.device} {self.precision}, {self.optimisation}, {self.threads_name}"

    @property
    def threads_name(self) -> str:
        if self.threads is None:
            return "a thread per core"
        return "1 thread" if self.threads == 1 else f"{self.threads} threads"


@dataclass(frozen=True)
class CellOutcome:
    """A comparison, condensed. The numbers are None where nothing could be compared."""

    verdict: Verdict
    reason: str | None = None
    """Why it failed, or isn't available; in one line."""
    provider: str | None = None
    """ONNX Runtime's name of the execution provider really in use."""
    cases: int = 0
    """How many inputs were run."""
    failures: int = 0
    max_codes: int | None = None
    """Largest difference in 8-bit code values."""
    max_abs: float | None = None
    """Largest absolute difference, of pixels in 0 … 1."""
    least_psnr: float | None = None
    """In dB, of the case where it is least; infinite when all are equal."""
    worst: Case | None = None
    too_large: tuple[TooLarge, ...] = ()
    """Inputs that were not run, as memory was not enough."""


@dataclass(frozen=True)
class CellResult:
    """How one cell compares with the reference."""

    cell: Cell
    outcome: CellOutcome


@dataclass(frozen=True)
class PropertyResult:
    """Whether a cell is true to itself: see :mod:`subpixel.parity.properties`."""

    name: str
    cell: Cell
    outcome: CellOutcome


@dataclass(frozen=True)
class TaskScore:
    """Quality on a benchmark set, at the defaults."""

    device: str
    precision: Precision
    psnr: float
    """Mean Y-PSNR in dB against the ground truth."""
    loss: float | None
    """How much less than fp32 on the same device has, in dB; None where that was not run."""


@dataclass(frozen=True, eq=False)
class VisibleDifference:
    """A difference to look at, and the cells that show it, bit for bit."""

    cells: tuple[Cell, ...]
    difference: Difference


@dataclass(frozen=True)
class MatrixReport:
    """All cells, all properties; true when none failed and at least one cell was compared."""

    candidate: str
    reference: str
    spec: ModelSpec
    """What the candidate's file is and takes, as it was compared."""
    floor_db: float
    """Least PSNR in dB between reduced precision and the fp32 file."""
    full_grid: int
    """Cases that the main cell of each device ran: fp32, all optimisations, a thread per core."""
    grid: int
    """Cases that every other cell ran; fewer where the network is dear."""
    cells: tuple[CellResult, ...]
    properties: tuple[PropertyResult, ...]
    scores: tuple[TaskScore, ...]
    spots: tuple[VisibleDifference, ...]
    """The worst case of every failed cell; of the worst cell of each precision on each device,
    also that of the photograph."""

    def __bool__(self) -> bool:
        return not self.count("failed") and any(
            result.outcome.verdict == "passed" for result in self.cells
        )

    def count(self, verdict: Verdict) -> int:
        """How many cells and properties ended so."""
        rows: tuple[CellResult | PropertyResult, ...] = (*self.cells, *self.properties)
        return sum(row.outcome.verdict == verdict for row in rows)

    @property
    def gaps(self) -> tuple[str, ...]:
        """The sizes that some cell was not compared at, as memory was not enough: a line each."""
        rows: tuple[CellResult | PropertyResult, ...] = (*self.cells, *self.properties)
        return tuple(describe_too_large([one for row in rows for one in row.outcome.too_large]))

    def summary(self) -> str:
        """The verdict in one line."""
        counts = ", ".join(f"{self.count(v)} {v}" for v in get_args(Verdict))
        said = "verified" if self else "NOT verified"
        return f"{said}: of {len(self.cells)} cells and {len(self.properties)} properties {counts}"

    def __str__(self) -> str:
        """The verdict, a line on each cell and property that failed, and what was not covered."""
        cells = [(result.cell.name, result.outcome) for result in self.cells]
        cells += [(f"{r.name}, {r.cell.name}", r.outcome) for r in self.properties]
        failed = [f"{name}: {o.reason}" for name, o in cells if o.verdict == "failed"]
        gaps = [f"not covered everywhere: {gap}" for gap in self.gaps]
        return "\n".join([self.summary(), *failed, *gaps])

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values, without pictures; an infinite PSNR is the text ``"inf"``."""
        found = {**asdict(replace(self, spots=())), "uncovered": self.gaps}
        del found["spots"]
        for row in (*found["cells"], *found["properties"]):
            row["outcome"]["least_psnr"] = json_psnr(row["outcome"]["least_psnr"])
        return {"passed": bool(self), **found}


def verify_matrix(
    model: str | Path,
    against: str | Reference | Module,
    *,
    devices: Sequence[str] | None = None,
    precisions: Sequence[Precision] | None = None,
    threads: int | None = None,
    floor_db: float = DEFAULT_FLOOR_DB,
    calibration: Path | None = None,
    score: TaskPsnrOf | None = None,
    extra_architectures: bool = False,
    report: OnProgress = lambda what, done, total: None,
) -> MatrixReport:
    """Compare ``model``, an ONNX file, in every way to run it with ``against``: a checkpoint
    under PyTorch, or another ONNX file.

    A cell is a device (None: all that the installed ONNX Runtime has), a precision (None: all),
    a level of graph optimisation and a number of threads (1 and ``threads``). In fp32 it must
    be the same picture as the reference (:func:`~subpixel.parity.compare.tolerance_for`); in
    reduced precision, made here from the fp32 file, it must lie within ``floor_db`` of that
    file; so the file's own precision is compared at the defaults even where ``precisions`` leaves
    it out. What the execution provider has no kernels for, or can't be started, is "not
    available" with its reason: not a failure, and not passed. int8 is calibrated on the
    photographs in the folder ``calibration`` (None: the grid's contents). For each device and
    precision at the defaults, tiles, repetition and batches are checked as well, and ``score``
    is asked for the task PSNR. ``extra_architectures`` is for checkpoints
    (:func:`~subpixel.nets.checkpoints.checkpoint.load_checkpoint`).

    The references' results lie in a temporary folder meanwhile, four bytes a value, and one
    cell's session is open at a time: memory holds the references, a session and one case. Cases
    that take more than is free are left out, and the report says so. Raises
    :class:`~subpixel.errors.NetworkError` for files that can't be used at all and
    :class:`~subpixel.errors.UsageError` for devices or precisions that there aren't.
    """
    devices, precisions = devices or available_devices(), precisions or PRECISIONS
    _expect_names(devices, precisions)
    against = as_reference(against, extra_architectures=extra_architectures)
    sides = open_sides(Path(model), against)
    cells = _all_cells(devices, precisions, threads, sides[0].spec.precision)
    with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
        bench = _bench(*sides, cells, threads, floor_db, calibration, Path(folder))
        found = _run_cells(bench, cells, score, report)
    sides[1].expect_unchanged()
    return found


def _expect_names(devices: Sequence[str], precisions: Sequence[Precision]) -> None:
    for what, given, allowed in (
        ("device", devices, tuple(DEVICES)),
        ("precision", precisions, PRECISIONS),
    ):
        wrong = [name for name in given if name not in allowed]
        if wrong:
            raise UsageError(f"{what} is {wrong[0]!r}; it is one of {', '.join(allowed)}")


def _all_cells(
    devices: Sequence[str], precisions: Sequence[Precision], threads: int | None, own: Precision
) -> list[Cell]:
    """All ways; where the file's own precision isn't asked for, still once on each device."""
    unasked = [Cell(name, own, "all", threads) for name in devices if own not in precisions]
    ways = itertools.product(devices, precisions, get_args(Optimisation), (1, threads))
    cells = [*unasked, *(Cell(*way) for way in ways)]
    return list(dict.fromkeys(cell for cell in cells if cell.optimisation in _levels(cell.device)))


def _levels(device: str) -> Sequence[Optimisation]:
    """OpenVINO rewrites a graph as it does, and is not asked how far."""
    return ("all",) if DEVICES[device].runtime == "openvino" else get_args(Optimisation)


@dataclass(frozen=True, eq=False)
class _Bench:
    """What all cells share."""

    names: tuple[str, str]
    spec: ModelSpec
    reference: NetOp
    """The given reference: what the file's own precision is compared with."""
    own: NetOp
    """The given file, on the CPU: what other precisions are compared with."""
    variants: Mapping[Precision, Variant]
    exact: bool
    """Whether file and reference are both fp32."""
    truth: Exact | None
    """The given reference in float64, where that can be had."""
    threads: int | None
    full: tuple[Case, ...]
    brief: tuple[Case, ...]
    floor_db: float

    def is_main(self, cell: Cell) -> bool:
        """Whether this is how people run the network on that device in that precision."""
        return (cell.optimisation, cell.threads) == ("all", self.threads)

    def cases(self, cell: Cell) -> tuple[Case, ...]:
        whole = self.is_main(cell) and cell.precision == self.spec.precision
        return self.full if whole else self.brief

    def reference_of(self, cell: Cell) -> NetOp:
        return self.reference if cell.precision == self.spec.precision else self.own

    def ledger(self, cell: Cell) -> MemoryLedger:
        local = self.spec.halo is not None
        return MemoryLedger(local, bounded=cell.device == "cpu", replayed=True)

    def tolerance(self, cell: Cell) -> Tolerance:
        if cell.precision == "fp32" and self.exact:
            return tolerance_for("fp32")
        return Tolerance(rtol=None, max_codes=CODES, min_psnr=self.floor_db)


def _bench(
    candidate: Side,
    reference: Side,
    cells: Sequence[Cell],
    threads: int | None,
    floor_db: float,
    calibration: Path | None,
    folder: Path,
) -> _Bench:
    spec, model = candidate.spec, candidate.model
    assert model is not None, "the candidate is an ONNX file"
    wanted = dict.fromkeys(cell.precision for cell in cells)
    pictures = partial(calibration_pictures, spec, calibration)
    cost = max(candidate.cost, reference.cost)
    numbers = candidate.numbers | reference.numbers
    return _Bench(
        names=(reference.name, candidate.name),
        spec=spec,
        reference=MemoOp(reference.op, folder / "reference"),
        own=MemoOp(candidate.op, folder / "own"),
        variants={p: variant(model, spec.precision, p, pictures, folder) for p in wanted},
        exact=reference.spec.precision == spec.precision == "fp32",
        truth=reference.exact,
        threads=threads,
        full=grid(spec, reference.spec, cost=cost, numbers=numbers).cases,
        brief=grid(spec, reference.spec, cost=cost * len(cells), numbers=numbers).cases,
        floor_db=floor_db,
    )


def _run_cells(
    bench: _Bench, cells: Sequence[Cell], score: TaskPsnrOf | None, report: OnProgress
) -> MatrixReport:
    starts = list(itertools.accumulate((len(bench.cases(c)) for c in cells), initial=0))
    total = starts.pop()
    judged = [
        _judge_cell(bench, cell, _from(report, start, total))
        for cell, start in zip(cells, starts, strict=True)
    ]
    mains = [j.result.cell for j in judged if bench.is_main(j.result.cell) and j.ran]
    report("tiles, repetition, batches", total, total)
    properties = tuple(result for cell in mains for result in _check_properties(bench, cell))
    if score:
        report("benchmark set", total, total)
    return MatrixReport(
        candidate=bench.names[1],
        reference=bench.names[0],
        spec=bench.spec,
        floor_db=bench.floor_db,
        full_grid=len(bench.full),
        grid=len(bench.brief),
        cells=tuple(one.result for one in judged),
        properties=properties,
        scores=_task_scores(bench, mains, score) if score else (),
        spots=_pick_spots(judged),
    )


def _from(report: OnProgress, start: int, total: int) -> OnProgress:
    """The report of one cell as a report of all."""
    return lambda what, done, _: report(what, start + done, total)


@dataclass(frozen=True, eq=False)
class _Judged:
    result: CellResult
    differences: tuple[Difference, ...] = ()
    """Its worst case, and its worst photograph; fewer where there is nothing to see."""

    @property
    def ran(self) -> bool:
        return self.result.outcome.provider is not None


def _judge_cell(bench: _Bench, cell: Cell, report: OnProgress) -> _Judged:
    session = _open_cell(bench, cell)
    if isinstance(session, CellOutcome):
        return _Judged(CellResult(cell, session))
    reference = bench.reference_of(cell)
    found = compare(
        reference,
        session,
        bench.cases(cell),
        bench.spec.channels,
        bench.tolerance(cell),
        provider=session.provider,
        exact=bench.truth,
        local=bench.spec.halo is not None,
        memory=bench.ledger(cell),
        report=lambda what, done, total: report(f"{cell.name}: {what}", done, total),
    )
    shown = _differences(reference, session, bench, found) if found.results else ()
    return _Judged(CellResult(cell, condense(found)), shown)


def _open_cell(bench: _Bench, cell: Cell) -> Opened | CellOutcome:
    """The cell's session, or why there is none."""
    file = bench.variants[cell.precision]
    if isinstance(file, str):
        return CellOutcome("not available", file)
    try:
        return open_session(
            file, device=cell.device, threads=cell.threads, optimisation=cell.optimisation
        )
    except ProviderError as error:
        return CellOutcome("not available", str(error))
    except NetworkError as error:
        lacking = NO_KERNEL in str(error) and cell.precision != "fp32"
        return CellOutcome("not available" if lacking else "failed", str(error))


def condense(report: ParityReport) -> CellOutcome:
    """A comparison, which must have cases, in few numbers."""
    if report.too_large and not report.results:
        return CellOutcome("not available", report.summary(), too_large=report.too_large)
    measured = [result for result in report.results if result.max_abs is not None]
    worst = _worst(report)
    return CellOutcome(
        verdict="passed" if report else "failed",
        reason=worst.reason,
        provider=report.provider,
        cases=len(report.results),
        failures=len(report.failures),
        max_codes=max((r.max_codes for r in measured if r.max_codes is not None), default=None),
        max_abs=max((r.max_abs for r in measured if r.max_abs is not None), default=None),
        least_psnr=min((r.psnr for r in measured if r.psnr is not None), default=None),
        worst=worst.case,
        too_large=report.too_large,
    )


def _worst(report: ParityReport) -> CaseResult:
    """Where PSNR is the judge, the case with the least, after any without a number."""
    if report.tolerance.min_psnr is None or report.worst.psnr is None:
        return report.worst
    return min(report.results, key=lambda r: math.inf if r.psnr is None else r.psnr)


def _differences(
    reference: NetOp, session: Opened, bench: _Bench, found: ParityReport
) -> tuple[Difference, ...]:
    """The worst case, and the worst photograph, once more: to look at."""
    photos = tuple(result for result in found.results if result.case.content == "photo")
    reports = [found, replace(found, results=photos)] if photos else [found]
    cases = dict.fromkeys(_worst(report).case for report in reports)
    seen = [_seen(reference, session, case, bench.spec.channels) for case in cases]
    return tuple(one for one in seen if one)


def _seen(reference: NetOp, session: Opened, case: Case, channels: int) -> Difference | None:
    given = pixels(case, channels)
    try:
        return difference(case, reference(given), session(given))
    except Exception:  # either may fail there in any way: that is why it is the worst
        return None


def _pick_spots(judged: Sequence[_Judged]) -> tuple[VisibleDifference, ...]:
    """What to show of whom, each picture once."""
    worst: dict[tuple[str, Precision], _Judged] = {}
    for one in judged:
        key = (one.result.cell.device, one.result.cell.precision)
        worst[key] = min(worst.get(key, one), one, key=_psnr_of)
    shown: dict[object, VisibleDifference] = {}
    for one in judged:
        most = 2 if one in worst.values() else int(one.result.outcome.verdict == "failed")
        for seen in one.differences[:most]:
            cell = one.result.cell
            picture = (cell.device, cell.precision, seen.case, _picture_bytes(seen))
            cells = shown[picture].cells if picture in shown else ()
            shown[picture] = VisibleDifference((*cells, cell), seen)
    return tuple(shown.values())


def _picture_bytes(seen: Difference) -> bytes:
    return seen.candidate.tobytes() + seen.amplified.tobytes()


def _psnr_of(judged: _Judged) -> float:
    psnr = judged.result.outcome.least_psnr
    return math.inf if psnr is None else psnr


def _check_properties(bench: _Bench, cell: Cell) -> Iterator[PropertyResult]:
    session = _open_cell(bench, cell)
    if isinstance(session, CellOutcome):
        return
    spec = replace(bench.spec, precision=cell.precision)
    case = max(bench.brief, key=_telling)
    for name, found in (
        ("tiles equal the whole", tiles_equal_whole(session, spec, memory=bench.ledger(cell))),
        ("the same twice", same_twice(session, spec, case)),
        ("a batch equals its pictures", batch_equals_single(session, spec, case)),
    ):
        outcome = CellOutcome("not available", found) if isinstance(found, str) else condense(found)
        yield PropertyResult(name, cell, replace(outcome, provider=session.provider))


def _telling(case: Case) -> tuple[int, bool, int]:
    """Of several pictures, of noise, and as large as it takes to be more than an edge."""
    return case.batch, case.content == "noise", -abs(case.height * case.width - MIN_AREA)


def _task_scores(bench: _Bench, mains: Sequence[Cell], score: TaskPsnrOf) -> tuple[TaskScore, ...]:
    found = {c: score(Path(bench.variants[c.precision]), c.device) for c in mains}
    exact = {cell.device: psnr for cell, psnr in found.items() if cell.precision == "fp32"}
    return tuple(
        TaskScore(
            c.device, c.precision, psnr, exact[c.device] - psnr if c.device in exact else None
        )
        for c, psnr in found.items()
    )
