"""A float32 file in fewer bits, published only where it is nearly as good."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

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
from subpixel.parity.calibration import calibration_pictures, grid_pictures
from subpixel.parity.cases import grid
from subpixel.parity.compare import CODES, ParityReport, Tolerance, compare
from subpixel.parity.matrix.precisions import conversions
from subpixel.runtime.opening import Opened, open_session
from subpixel.spec import ModelSpec, Precision
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.targets import expect_onnx_target


@dataclass(frozen=True)
class TaskPsnr:
    """Mean Y-PSNR in dB against the ground truth of a benchmark set."""

    before: float
    after: float

    @property
    def loss(self) -> float:
        return self.before - self.after


@dataclass(frozen=True)
class ReducedReport:
    """What was made and what it keeps; true when it keeps enough, and lies at ``path``."""

    precision: Precision
    floor: Floor
    parity: ParityReport
    """The comparison with the fp32 file, on photographs."""
    task: TaskPsnr
    path: Path | None
    """Where the file was published; None when it keeps too little."""
    bytes_before: int
    """What the fp32 network takes as a file."""
    bytes_after: int
    layers: LayerCount | None
    """How much of it computes in 8 bits; None for other precisions."""

    def __bool__(self) -> bool:
        return bool(self.parity) and self.task.loss <= self.floor.task_loss

    def summary(self) -> str:
        """What was made and the verdict, in one line."""
        least = min(result.psnr or 0.0 for result in self.parity.results)
        return (
            f"{self.precision}: {self._extent()}; at least {least:.1f} dB from fp32 on "
            f"photographs (floor {self.floor.psnr:g}), {self.task.before:.2f} dB became "
            f"{self.task.after:.2f} on the benchmark set (at most {self.floor.task_loss:g} less)"
        )

    def _extent(self) -> str:
        """How much of the network is in fewer bits, and what that saves."""
        sizes = f"{_in_kilobytes(self.bytes_after)} instead of {_in_kilobytes(self.bytes_before)}"
        if self.layers is None:
            return sizes
        rest = "" if self.layers.in_8_bits == self.layers.total else ", the others in float32"
        return f"{self.layers}{rest}, {sizes}"

    def __str__(self) -> str:
        return f"{self.summary()}\n" + (
            f"wrote {self.path}" if self.path else "nothing was written"
        )


def _in_kilobytes(count: int) -> str:
    return f"{count / 1000:,.1f} kB"


def reduce_precision(
    model: Path,
    out: Path,
    precision: Precision,
    score: Callable[[Path], float],
    *,
    floor: Floor = Floor(),
    calibration: Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
) -> ReducedReport:
    """Make ``model``, an fp32 ONNX file, one of ``precision``, and publish it at ``out``.

    It must keep ``floor``: in PSNR against the fp32 file on photographs, and in ``score``, the
    task PSNR of a file. Of several ways to make it, the first that does is taken. int8 is
    calibrated on the photographs in the folder ``calibration`` (None: the grid's contents).
    Raises :class:`~subpixel.errors.NetworkError` when the file can't be made, or doesn't run on
    ``device``.
    """
    if precision == "fp32":
        raise UsageError("precision is fp32; what is made is fp16, bf16 or int8")
    expect_onnx_target(out, [model], overwrite=overwrite)
    graph, (spec, _) = load_model(model), describe(model)
    pictures = partial(calibration_pictures, spec, calibration)
    if (own := graph_precision(graph)) != "fp32":
        raise NetworkError(f"{model}: the file is {own} already; give the fp32 file")
    before = score(model)
    with tempfile.TemporaryDirectory(prefix="subpixel-") as folder:
        made = Path(folder) / out.name
        for convert in conversions(graph, precision, pictures):
            try:
                converted = with_explicit_convolutions(convert())
                _expect_in_range(converted, precision, spec)
            except NetworkError as error:
                raise NetworkError(f"{model}: {error}") from error
            data = converted.SerializeToString()
            made.write_bytes(data)
            exact, reduced = open_session(model), open_session(made, device=device)
            parity = _compare_photographs(exact, reduced, graph, spec, floor)
            task = TaskPsnr(before, score(made))
            layers = count_layers(converted) if precision == "int8" else None
            sizes = graph.ByteSize(), len(data)
            report = ReducedReport(precision, floor, parity, task, None, *sizes, layers)
            if report:
                write_bytes(out, data, overwrite=overwrite)
                return replace(report, path=out)
    return report


def _compare_photographs(
    exact: Opened, reduced: Opened, graph: onnx.ModelProto, spec: ModelSpec, floor: Floor
) -> ParityReport:
    """On the grid's photographs: noise, of which no picture consists, suffers far more."""
    cost = estimate_cost(graph, local=spec.halo is not None)
    photos = [case for case in grid(spec, cost=cost).cases if case.content == "photo"]
    tolerance = Tolerance(rtol=None, max_codes=CODES, min_psnr=floor.psnr)
    return compare(exact, reduced, photos, spec.channels, tolerance, provider=reduced.provider)


def _expect_in_range(model: onnx.ModelProto, precision: Precision, spec: ModelSpec) -> None:
    """Refuse a float16 network that only a processor, which computes it in float32, runs right."""
    overflow = find_overflow(model, grid_pictures(spec)) if precision == "fp16" else None
    if overflow:
        raise NetworkError(overflow)
