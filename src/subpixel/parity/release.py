"""From a network in PyTorch to a published ONNX file: exported, checked, proven, or nothing."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from subpixel.errors import SubpixelError
from subpixel.graph.check import CheckReport, check_model
from subpixel.graph.half import to_fp16
from subpixel.graph.metadata import with_spec
from subpixel.graph.receptive import halo
from subpixel.graph.wrap import rgb_from_luma
from subpixel.media.atomic import write_bytes
from subpixel.nets.checkpoint import load_checkpoint
from subpixel.nets.export import Exported, export_module
from subpixel.nets.luma import RgbFromLuma
from subpixel.nets.torch_op import Module, TorchOp
from subpixel.parity.cases import grid
from subpixel.parity.compare import ParityReport, compare, tolerance_for
from subpixel.runtime.session import Session
from subpixel.spec import Exporter, Interface, ModelSpec, Precision


@dataclass(frozen=True)
class ReleaseReport:
    """What was made and how it did; true when it passed everything and lies at ``path``."""

    spec: ModelSpec
    exporter: Exporter
    opset: int
    check: CheckReport
    parity: ParityReport | None
    """The comparison with PyTorch; None when the file did not pass the check."""
    path: Path | None
    """Where the file was published; None when it failed."""
    kept: Path | None = None
    """Where a file that failed was kept, on request."""

    def __bool__(self) -> bool:
        return bool(self.check) and bool(self.parity)


def release(
    checkpoint: str | Path,
    out: str | Path,
    *,
    interface: Interface = "rgb",
    exporter: Exporter | None = None,
    opset: int | None = None,
    precision: Precision = "fp32",
    overwrite: bool = False,
    keep_failed: bool = False,
) -> ReleaseReport:
    """:func:`release_module` for the network in a checkpoint file."""
    loaded = load_checkpoint(Path(checkpoint))
    return release_module(
        loaded.module,
        loaded.spec,
        out,
        interface=interface,
        exporter=exporter,
        opset=opset,
        precision=precision,
        overwrite=overwrite,
        keep_failed=keep_failed,
    )


def release_module(
    module: Module,
    spec: ModelSpec,
    out: str | Path,
    *,
    interface: Interface = "rgb",
    exporter: Exporter | None = None,
    opset: int | None = None,
    precision: Precision = "fp32",
    overwrite: bool = False,
    keep_failed: bool = False,
) -> ReleaseReport:
    """Export ``module``, check the file, compare it with PyTorch, and publish it at ``out``.

    Only a file that passes everything appears at ``out``, in one move. With ``keep_failed`` one
    that fails is kept beside it as ``<out's stem>.failed.onnx``.

    Raises :class:`~subpixel.errors.ExportError` when no file could be made at all, and
    :class:`~subpixel.errors.SubpixelError` when it can't be written: ``out`` exists and may not
    be overwritten, for example.
    """
    out = Path(out)
    if out.exists() and not overwrite:  # said now, not after the work
        raise SubpixelError(f"{out} exists; use overwrite to replace it, or name another file")
    exported = export_module(module, spec, exporter=exporter, opset=opset)
    model, spec = _finished(exported, interface, precision)
    data = model.SerializeToString()
    check = check_model(model, spec)
    parity = _against_pytorch(module, exported.spec, data, spec) if check else None
    path = out if check and parity else None
    kept = out.with_suffix(".failed.onnx") if keep_failed and not path else None
    if path:
        write_bytes(path, data, overwrite=overwrite)
    if kept:
        write_bytes(kept, data, overwrite=True)
    return ReleaseReport(spec, exported.exporter, exported.opset, check, parity, path, kept)


def _finished(
    exported: Exported, interface: Interface, precision: Precision
) -> tuple[onnx.ModelProto, ModelSpec]:
    model, spec = exported.model, exported.spec
    if interface == "rgb" and spec.interface == "luma":
        model, spec = rgb_from_luma(model, spec.scale), replace(spec, interface="rgb")
    if precision == "fp16":
        model, spec = to_fp16(model), replace(spec, precision="fp16")
    spec = replace(spec, halo=halo(model))
    return with_spec(model, spec), spec


def _against_pytorch(
    module: Module, native: ModelSpec, data: bytes, spec: ModelSpec
) -> ParityReport:
    """Compare the very bytes that will be published with the module they were made from."""
    reference = copy.deepcopy(module).cpu().eval()
    if spec.interface != native.interface:
        reference = RgbFromLuma(reference, spec.scale)
    session = Session(data)
    return compare(
        TorchOp(reference),
        session,
        grid(spec),
        spec.channels,
        tolerance_for(spec.precision),
        names=(f"{spec.name} (PyTorch)", f"{spec.name} (ONNX Runtime)"),
        provider=session.provider,
    )
