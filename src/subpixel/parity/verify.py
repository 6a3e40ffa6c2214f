"""One network file against another, or against the checkpoint it came from."""

from dataclasses import dataclass, replace
from pathlib import Path

from subpixel.graph.metadata import load_model, read_spec
from subpixel.graph.wrap import rgb_from_luma
from subpixel.nets.checkpoint import load_checkpoint
from subpixel.nets.luma import RgbFromLuma
from subpixel.nets.torch_op import TorchOp
from subpixel.network import probe
from subpixel.parity.cases import grid
from subpixel.parity.compare import ParityReport, Tolerance, compare, tolerance_for
from subpixel.runtime.op import NetOp
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec

ONNX_SUFFIX = ".onnx"


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of the comparison; ``spec`` says what ``op`` takes."""

    op: NetOp
    spec: ModelSpec
    name: str
    provider: str


def verify(
    model: str | Path,
    against: str | Path,
    *,
    tolerance: Tolerance | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> ParityReport:
    """Compare ``model``, an ONNX file, with ``against``: a checkpoint, or another ONNX file.

    ``model`` runs under ONNX Runtime on ``device``; the reference on the CPU, a checkpoint under
    PyTorch. Where one side takes RGB and the other luma, the luma side is put on RGB pictures.
    A file that doesn't carry our facts is probed. The default tolerance is that of the files'
    precision (:func:`~subpixel.parity.compare.tolerance_for`).

    Raises :class:`~subpixel.errors.NetworkError` for a file that can't be used at all; one that
    runs but differs is a report that is false.
    """
    model, against = Path(model), Path(against)
    candidate = _open(model, rgb=False, device=device, threads=threads)
    reference = _open(against, rgb=False, threads=threads)
    if candidate.spec.interface != reference.spec.interface:
        candidate = _open(model, rgb=True, device=device, threads=threads)
        reference = _open(against, rgb=True, threads=threads)
    half = "fp16" in (candidate.spec.precision, reference.spec.precision)
    return compare(
        reference.op,
        candidate.op,
        grid(candidate.spec, reference.spec),
        candidate.spec.channels,
        tolerance or tolerance_for("fp16" if half else "fp32"),
        names=(reference.name, candidate.name),
        provider=candidate.provider,
    )


def _open(file: Path, *, rgb: bool, device: str = "cpu", threads: int | None) -> _Side:
    if file.suffix.lower() == ONNX_SUFFIX:
        return _open_onnx(file, rgb=rgb, device=device, threads=threads)
    return _open_checkpoint(file, rgb=rgb)


def _open_onnx(file: Path, *, rgb: bool, device: str, threads: int | None) -> _Side:
    model = load_model(file)
    session = Session(model.SerializeToString(), device=device, threads=threads)
    spec = read_spec(model) or probe(session, file.stem)
    if rgb and spec.interface == "luma":
        wrapped = rgb_from_luma(model, spec.scale).SerializeToString()
        session = Session(wrapped, device=device, threads=threads)
        spec = replace(spec, interface="rgb")
    return _Side(session, spec, f"{file.name} (ONNX Runtime)", session.provider)


def _open_checkpoint(file: Path, *, rgb: bool) -> _Side:
    checkpoint = load_checkpoint(file)
    module, spec = checkpoint.module, checkpoint.spec
    if rgb and spec.interface == "luma":
        module, spec = RgbFromLuma(module, spec.scale), replace(spec, interface="rgb")
    return _Side(TorchOp(module), spec, f"{file.name} (PyTorch)", "PyTorch")
