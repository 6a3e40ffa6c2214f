"""A float32 file in fewer bits, published only where it is nearly as good."""

import math
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from subpixel.errors import NetworkError, UsageError
from subpixel.graph.geometry.cost import estimate_cost
from subpixel.graph.int8.quantize import LayerCount, count_layers
from subpixel.graph.metadata import load_model
from subpixel.graph.passes.explicit_convolutions import with_explicit_convolutions
from subpixel.graph.passes.float16 import find_overflow
from subpixel.graph.precision import graph_precision
from subpixel.measure.quality_floor import Floor
from subpixel.network.identify import describe
from subpixel.parity.calibration import (
    calibration_pictures,
    describe_flat,
    folder_pictures,
    grid_pictures,
)
from subpixel.parity.cases import Case, grid
from subpixel.parity.compare import CODES, ParityReport, Tolerance, compare
from subpixel.parity.matrix.precisions import Conversion, conversions
from subpixel.runtime.op import NetOp, Pixels
from subpixel.runtime.opening import open_session
from subpixel.spec import ModelSpec, Precision
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.targets import expect_onnx_target


@dataclass(frozen=True)
class TaskScore:
    """How the task PSNR of a file is measured."""

    measure: Callable[[Path], float]
    """Mean Y-PSNR in dB of a file."""
    on: str
    """What against, in words."""


@dataclass(frozen=True)
class TaskPsnr:
    """Mean Y-PSNR in dB against the ground truth."""

    before: float
    after: float
    on: str
    """Of what: a benchmark set, or our photograph."""

    @property
    def loss(self) -> float:
        return self.before - self.after


@dataclass(frozen=True)
class ReducedForm:
    """One form that the network was brought to, or why it couldn't be."""

    form: str
    """In a few words."""
    floor: Floor
    reason: str | None = None
    """Why it can't be made; None where it was."""
    parity: ParityReport | None = None
    """The comparison with the fp32 file: 8-bit pictures enlarged from our photograph."""
    task: TaskPsnr | None = None
    """None where that was not asked for."""
    size: int | None = None
    """What it takes as a file, in bytes."""
    layers: LayerCount | None = None
    """How much of it computes in 8 bits; None for other precisions."""

    @property
    def psnr(self) -> float | None:
        """The least PSNR in dB between its 8-bit pictures and the fp32 file's; infinite where they
        are equal, None where there is nothing to compare."""
        if self.parity is None or not self.parity.results:
            return None
        found = [result.psnr for result in self.parity.results]
        return None if None in found else min(one for one in found if one is not None)

    @property
    def shortfall(self) -> str | None:
        """Why it isn't published; None where it keeps the floor."""
        if self.reason is not None:
            return self.reason
        if self.psnr is None:
            return self.parity.summary() if self.parity else "it was not compared"
        if self.task is None:
            return self.floor.shortfall(self.psnr)
        return self.floor.shortfall(self.psnr, self.task.loss, self.task.on)

    def __str__(self) -> str:
        """What became of it, in one line."""
        return f"{self.form}: {self.shortfall or f'kept: {self.measured()}'}"

    def measured(self) -> str:
        """Its figures beside what they may be."""
        figures = [f"{_format_psnr(self.psnr)} (floor {self.floor.psnr:g})"]
        if self.task is not None:
            figures.append(
                f"{self.task.before:.2f} dB became {self.task.after:.2f} on {self.task.on} "
                f"(at most {self.floor.task_loss:g} less)"
            )
        return ", ".join(figures)


@dataclass(frozen=True)
class ReducedReport:
    """What was made and what it keeps; true when it keeps enough, and lies at ``path``."""

    precision: Precision
    floor: Floor
    forms: tuple[ReducedForm, ...]
    """All that were tried: the fastest first, up to the one that keeps the floor."""
    bytes_before: int
    """What the fp32 network takes as a file."""
    hint: str | None = None
    """What may help, where nothing keeps the floor."""
    path: Path | None = None
    """Where the file was published; None when it keeps too little."""

    def __bool__(self) -> bool:
        return self.best.shortfall is None

    @property
    def best(self) -> ReducedForm:
        """The form that keeps the floor, else the one whose pictures are nearest."""
        return max(self.forms, key=lambda form: (form.shortfall is None, _rank(form.psnr)))

    @property
    def reason(self) -> str | None:
        """Why nothing is published, of each form that was tried; None where one is."""
        return None if self else "; ".join(map(str, self.forms))

    def summary(self) -> str:
        """What was made and the verdict, in one line."""
        best = self.best
        return f"{self.precision}, {best.form}: {self._extent(best)}; {best.measured()}"

    def dropped(self) -> tuple[str, ...]:
        """The forms that were tried and don't keep the floor, a line each, with the reason."""
        return tuple(str(form) for form in self.forms if form.shortfall is not None)

    def _extent(self, form: ReducedForm) -> str:
        """How much of the network is in fewer bits, and what that saves."""
        after = form.size or 0
        sizes = f"{_in_kilobytes(after)} instead of {_in_kilobytes(self.bytes_before)}"
        if after > self.bytes_before:
            sizes += " (larger: more nodes, and few weights to make smaller)"
        if form.layers is None:
            return sizes
        rest = "" if form.layers.in_8_bits == form.layers.total else ", the others in float32"
        return f"{form.layers}{rest}, {sizes}"

    def __str__(self) -> str:
        end = f"wrote {self.path}" if self.path else "nothing was written"
        dropped = (f"not taken: {line}" for line in self.dropped())
        return "\n".join([self.summary(), *dropped, *filter(None, [self.hint]), end])


def _rank(psnr: float | None) -> float:
    return -math.inf if psnr is None or math.isnan(psnr) else psnr


def _format_psnr(psnr: float | None) -> str:
    if psnr is None:
        return "not comparable with fp32"
    if math.isinf(psnr):
        return "the same 8-bit picture of our photograph as fp32"
    return f"{psnr:.1f} dB from fp32 in 8-bit pictures of our photograph"


def _in_kilobytes(count: int) -> str:
    return f"{count / 1000:,.1f} kB"


def reduce_precision(
    model: Path,
    out: Path,
    precision: Precision,
    score: TaskScore | None = None,
    *,
    scale: int | None = None,
    floor: Floor = Floor(),
    calibration: Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
) -> ReducedReport:
    """Make ``model``, an fp32 ONNX file, one of ``precision``, and publish it at ``out``.

    It must keep ``floor``: in PSNR between its 8-bit pictures and the fp32 file's, enlarged from
    our photograph at several sizes, and in ``score`` (None: not asked for). Of several ways to make
    it, the first that does is taken; the report has all that were tried. int8 is calibrated on the
    photographs in the folder ``calibration`` (None: the grid's contents).

    Raises :class:`~subpixel.errors.NetworkError` when no form of the file can be made, or one
    doesn't run on ``device``, and :class:`~subpixel.errors.UsageError` for a ``scale`` that isn't
    the file's own.
    """
    if precision == "fp32":
        raise UsageError("precision is fp32; what is made is fp16, bf16 or int8")
    expect_onnx_target(out, [model], overwrite=overwrite)
    graph, (spec, _) = load_model(model), describe(model, scale)
    if (own := graph_precision(graph)) != "fp32":
        raise NetworkError(f"{model}: the file is {own} already; give the fp32 file")
    pictures = partial(calibration_pictures, spec, calibration)
    ways = conversions(graph, precision, pictures)
    before = None if score is None else score.measure(model)  # first: the set may be unusable
    with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
        made = Path(folder) / out.name
        trial = _Trial(model, graph, spec, precision, floor, device, score, before, made)
        forms = _try_until_kept(trial, ways)
        report = ReducedReport(precision, floor, forms, graph.ByteSize())
        if report:
            write_bytes(out, made.read_bytes(), overwrite=overwrite)
            return replace(report, path=out)
    report = replace(report, hint=_hint(precision, spec, calibration))
    if all(form.reason is not None for form in forms):
        raise NetworkError("; ".join(filter(None, [_explain_unmade(model, forms), report.hint])))
    return report


def _explain_unmade(model: Path, forms: Iterable[ReducedForm]) -> str:
    """Why ``model`` can't be made any of ``forms``."""
    reasons = dict.fromkeys(form.reason for form in forms if form.reason)
    return f"{model}: {'; '.join(reasons)}"


def _hint(precision: Precision, spec: ModelSpec, calibration: Path | None) -> str | None:
    """What may help: int8 alone is calibrated."""
    if precision != "int8":
        return None
    if calibration is None:
        return "--calibration with photographs of yours may help"
    return describe_flat(folder_pictures(calibration, spec))


@dataclass(frozen=True, eq=False)
class _Trial:
    """An fp32 network, and what a form of it is held to."""

    file: Path
    graph: onnx.ModelProto
    spec: ModelSpec
    precision: Precision
    floor: Floor
    device: str
    score: TaskScore | None
    before: float | None
    """What ``score`` is of the network itself."""
    made: Path
    """Where the last form that was tried lies."""

    def of(self, way: Conversion) -> ReducedForm:
        """Make that form, as the file ``made``, and measure it."""
        try:
            converted = with_explicit_convolutions(way.make())
            _expect_in_range(converted, self.precision, self.spec)
        except NetworkError as error:
            return ReducedForm(way.form, self.floor, reason=str(error))
        self.made.write_bytes(converted.SerializeToString())
        return ReducedForm(
            way.form,
            self.floor,
            parity=self._compare(),
            task=self._measure_task(),
            size=self.made.stat().st_size,
            layers=count_layers(converted) if self.precision == "int8" else None,
        )

    def _compare(self) -> ParityReport:
        """On the grid's photographs: noise, of which no picture consists, suffers far more."""
        exact, reduced = open_session(self.file), open_session(self.made, device=self.device)
        tolerance = Tolerance(rtol=None, max_codes=CODES, min_psnr=self.floor.psnr)
        return compare(
            partial(_enlarge_to_codes, exact),
            partial(_enlarge_to_codes, reduced),
            _photographs(self.graph, self.spec),
            self.spec.channels,
            tolerance,
            provider=reduced.provider,
        )

    def _measure_task(self) -> TaskPsnr | None:
        if self.score is None or self.before is None:
            return None
        return TaskPsnr(self.before, self.score.measure(self.made), self.score.on)


def _try_until_kept(trial: _Trial, ways: Iterable[Conversion]) -> tuple[ReducedForm, ...]:
    forms: list[ReducedForm] = []
    for way in ways:
        forms.append(trial.of(way))
        if forms[-1].shortfall is None:
            break
    return tuple(forms)


def _photographs(graph: onnx.ModelProto, spec: ModelSpec) -> list[Case]:
    cost = estimate_cost(graph, local=spec.halo is not None)
    return [case for case in grid(spec, cost=cost).cases if case.content == "photo"]


def _enlarge_to_codes(op: NetOp, picture: Pixels) -> Pixels:
    """What ``op`` makes of ``picture``, in 0 … 1, as an 8-bit file holds it."""
    enlarged = op(picture)
    codes: Pixels = np.rint(np.clip(enlarged, 0.0, 1.0) * np.float32(CODES)) / np.float32(CODES)
    return codes


def _expect_in_range(model: onnx.ModelProto, precision: Precision, spec: ModelSpec) -> None:
    """Refuse a float16 network that only a processor, which computes it in float32, runs right."""
    overflow = find_overflow(model, grid_pictures(spec)) if precision == "fp16" else None
    if overflow:
        raise NetworkError(overflow)
