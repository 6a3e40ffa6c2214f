"""A PyTorch network → one ONNX file including its parameters, by one attempt."""

from dataclasses import dataclass, replace

import onnx
import torch
from torch import Tensor, nn

from subpixel.errors import ExportError, one_line
from subpixel.graph.geometry.propagate import onnx_opset
from subpixel.graph.geometry.receptive import halo
from subpixel.graph.metadata import with_spec
from subpixel.graph.passes.pad import with_padding
from subpixel.nets.export.attempt import Attempt
from subpixel.nets.export.data_reads import find_data_read
from subpixel.nets.export.exporters import AXES, BATCH, DEFAULT_OPSET, HEIGHT, WIDTH, run_exporter
from subpixel.nets.export.workarounds import make_exportable
from subpixel.nets.torch_op import copy_module
from subpixel.spec import ModelSpec
from subpixel.system.users_code import AskedToEndError, users_code


@dataclass(frozen=True, eq=False)
class ExportResult:
    """A network as ONNX, with the facts in its metadata, and how it was exported."""

    model: onnx.ModelProto
    spec: ModelSpec
    attempt: Attempt
    opset: int


def export_attempt(
    module: nn.Module, spec: ModelSpec, attempt: Attempt, opset: int
) -> ExportResult:
    """Export ``module`` with its own channels, ``(N, C, H, W)`` → ``(N, C, H * s, W * s)``.

    ``spec`` states on which sizes the module works; the file accepts any, and pads where necessary.
    The spec is completed from the graph: halo, size multiple, fixed axes. Raises
    :class:`ExportError` when the exporter fails on the network, or writes a file with another
    opset, or with an axis fixed that should be free.
    """
    count, *size = attempt.example
    example = torch.rand(count, spec.channels, *size, generator=_make_generator())
    module = make_exportable(copy_module(module).cpu().eval())
    if attempt.exporter == "trace":
        _expect_no_data_read(module, example[:1])
    model = _run_attempt(module, example, attempt, opset)
    _expect_opset(model, attempt, opset)
    _expect_free_axes(model, attempt)
    model, spec = _complete_file(model, spec, attempt)
    return ExportResult(with_spec(model, spec), spec, attempt, opset)


def _expect_no_data_read(module: nn.Module, example: Tensor) -> None:
    """Reject code that branches on a picture's values: a trace contains only one of the
    branches."""
    try:
        with users_code():
            place = find_data_read(module, example)
    except Exception:  # its code may raise anything, which the exporter will report
        return
    if place:
        raise ExportError(
            f"the network's code reads the picture's values ({place}), which tracing makes "
            "constants; use torch.where or torch.cond instead, or use --exporter script"
        )


def _make_generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _run_attempt(
    module: nn.Module, example: Tensor, attempt: Attempt, opset: int
) -> onnx.ModelProto:
    free, symbolic = _free_axes(attempt), attempt.symbolic
    try:
        with users_code():
            return run_exporter(attempt.exporter, module, example, opset, free, symbolic=symbolic)
    except Exception as error:  # exporters raise whatever their passes happen to raise
        raise ExportError(
            f"the exporter {attempt.exporter} failed on this network: {one_line(_root(error))}"
        ) from error


def _root(error: BaseException) -> BaseException:
    """The original cause, which dynamo wraps in general advice."""
    cause = None if isinstance(error, AskedToEndError) else error.__cause__
    return error if cause is None else _root(cause)


def _free_axes(attempt: Attempt) -> dict[int, int]:
    """The free axes, each with its multiple."""
    batch = {BATCH: 1} if attempt.free_batch else {}
    sizes = {HEIGHT: attempt.multiple, WIDTH: attempt.multiple} if attempt.free_size else {}
    return batch | sizes


def _expect_opset(model: onnx.ModelProto, attempt: Attempt, opset: int) -> None:
    """Reject a file of another opset: dynamo's converter leaves a graph unchanged that it can't
    convert."""
    written = onnx_opset(model)
    if written != opset:
        raise ExportError(
            f"the exporter {attempt.exporter} could not convert this network to opset {opset}, its "
            f"file is at {written}; use another exporter, or opset {DEFAULT_OPSET}"
        )


def _expect_free_axes(model: onnx.ModelProto, attempt: Attempt) -> None:
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    fixed = [
        f"{AXES[axis]} at {dimensions[axis].dim_value}"
        for axis in _free_axes(attempt)
        if dimensions[axis].dim_value
    ]
    if fixed:
        raise ExportError(
            f"the exporter {attempt.exporter} fixed {', '.join(fixed)}: the network's code turns "
            "a size into a number"
        )


def _complete_file(
    model: onnx.ModelProto, spec: ModelSpec, attempt: Attempt
) -> tuple[onnx.ModelProto, ModelSpec]:
    """The graph, with padding where necessary, and the facts that this export determines."""
    spec = replace(
        spec,
        halo=halo(model, attempt.multiple),
        size_multiple=attempt.multiple,
        padding=attempt.padding if attempt.free_size else "edge",
        fixed_size=None if attempt.free_size else attempt.example[1:],
        fixed_batch=None if attempt.free_batch else 1,
        precision="fp32",
    )
    if attempt.free_size and (spec.size_multiple > 1 or spec.size_minimum > 1 or spec.square):
        spec = replace(spec, pads=True)
        model = with_padding(model, spec)
    return model, spec
