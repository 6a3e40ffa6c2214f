"""A PyTorch network → one ONNX file for any batch, height and width, parameters inside."""

import contextlib
import copy
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import onnx
import torch
from torch import Tensor, nn

from subpixel.errors import ExportError, one_line
from subpixel.graph.metadata import with_spec
from subpixel.graph.propagate import onnx_opset
from subpixel.graph.receptive import halo
from subpixel.spec import Exporter, ModelSpec

EXPORTERS: tuple[Exporter, ...] = get_args(Exporter)

DEFAULT_OPSET = 18
"""What the dynamo exporter writes without converting, what every exporter reaches, and what
ONNX Runtime runs since 1.14 (February 2023); later opsets have nothing that these networks use."""

INPUT, OUTPUT = "input", "output"
AXES = {0: "batch", 2: "height", 3: "width"}
"""The free axes of the input, by name."""

EXAMPLE_SIZE = (51, 67)
"""Height and width of the example picture. Exporters bake in what they see: an odd, co-prime
size that is no multiple of any window lets a network show all its branches, and no number in
the graph can be mistaken for another."""


@dataclass(frozen=True, eq=False)
class Exported:
    """A network as ONNX, with the facts that its metadata carries, and how it was made."""

    model: onnx.ModelProto
    spec: ModelSpec
    exporter: Exporter
    opset: int


def reach(exporter: Exporter) -> range:
    """The opsets that an exporter of the installed PyTorch and onnx can write.

    The TorchScript exporters (``"trace"``, ``"script"``) stop at 23; dynamo's converts from 18
    down to 15, for networks whose operators allow it, and up to the newest that onnx knows.
    """
    return range(15, onnx.defs.onnx_opset_version() + 1) if exporter == "dynamo" else range(7, 24)


def export_module(
    module: nn.Module,
    spec: ModelSpec,
    *,
    exporter: Exporter | None = None,
    opset: int | None = None,
) -> Exported:
    """Export ``module`` as it is: its own channels, ``(N, C, H, W)`` → ``(N, C, H * s, W * s)``.

    ``exporter`` None takes dynamo's where it reaches ``opset``, else tracing; ``opset`` None is
    :data:`DEFAULT_OPSET`. The spec is completed with the halo that the graph shows. Raises
    :class:`ExportError` when the exporter can't reach the opset, fails on the network, or
    writes a file with another opset or with a fixed axis.
    """
    opset = DEFAULT_OPSET if opset is None else opset
    exporter = _choose(exporter, opset)
    example = torch.rand(
        1, spec.channels, *EXAMPLE_SIZE, generator=torch.Generator().manual_seed(0)
    )
    model = _export(copy.deepcopy(module).cpu().eval(), example, exporter, opset)
    _expect_opset(model, exporter, opset)
    _expect_free_axes(model, exporter)
    _drop_traces(model)
    spec = replace(spec, halo=halo(model), precision="fp32")
    return Exported(with_spec(model, spec), spec, exporter, opset)


def _choose(exporter: Exporter | None, opset: int) -> Exporter:
    able = _able(opset)
    if exporter in able or (exporter is None and able):
        return exporter or able[0]
    reaches = ", ".join(f"{name} {reach(name)[0]} to {reach(name)[-1]}" for name in EXPORTERS)
    advice = f"use {' or '.join(able)}" if able else "ask for one of these"
    raise ExportError(
        f"opset {opset} is out of reach of {exporter or 'every exporter'} ({reaches}); {advice}"
    )


def _able(opset: int, but: Exporter | None = None) -> list[Exporter]:
    return [name for name in EXPORTERS if opset in reach(name) and name != but]


def _export(module: nn.Module, example: Tensor, exporter: Exporter, opset: int) -> onnx.ModelProto:
    try:
        with _hushed():
            if exporter == "dynamo":
                return _dynamo(module, example, opset)
            return _torchscript(module, example, opset, scripted=exporter == "script")
    except Exception as error:  # exporters raise whatever their passes happen to raise
        others = " or ".join(_able(opset, but=exporter))
        raise ExportError(
            f"the exporter {exporter} failed on this network: {one_line(error)}"
            + (f"; try the exporter {others}" if others else "")
        ) from error


def _dynamo(module: nn.Module, example: Tensor, opset: int) -> onnx.ModelProto:
    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        opset_version=opset,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=(AXES,),
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("it returned no program")
    return program.model_proto


def _torchscript(
    module: nn.Module, example: Tensor, opset: int, *, scripted: bool
) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        torch.onnx.export(
            torch.jit.script(module) if scripted else module,
            (example,),
            file,
            dynamo=False,
            opset_version=opset,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: AXES, OUTPUT: {k: f"output_{v}" for k, v in AXES.items()}},
            do_constant_folding=True,
            external_data=False,
        )
        return onnx.load(file)


def _expect_opset(model: onnx.ModelProto, exporter: Exporter, opset: int) -> None:
    """Refuse a file that kept another opset: dynamo's converter leaves a graph it can't convert."""
    written = onnx_opset(model)
    if written != opset:
        others = " or ".join(_able(opset, but=exporter))
        raise ExportError(
            f"the exporter {exporter} could not bring this network to opset {opset}, its file is "
            f"at {written}; use "
            + (f"the exporter {others}" if others else f"opset {DEFAULT_OPSET}")
        )


def _expect_free_axes(model: onnx.ModelProto, exporter: Exporter) -> None:
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    fixed = [
        f"{name} at {dimensions[axis].dim_value}"
        for axis, name in AXES.items()
        if dimensions[axis].dim_param != name
    ]
    if fixed:
        raise ExportError(
            f"the exporter {exporter} fixed {', '.join(fixed)}: the network's code turns a size "
            "into a number; keep sizes symbolic there, or try another exporter"
        )


def _drop_traces(model: onnx.ModelProto) -> None:
    """Take out dynamo's notes on each node: stack traces with paths of the exporting machine."""
    for described in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del described.metadata_props[:]
        described.doc_string = ""


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep the exporters' own words from the user: warnings, prints, log records.

    They say nothing that the checks after the export don't find out; what ends an export is
    raised as an exception.
    """
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        _silent_loggers("torch.onnx", "torch.export", "onnxscript"),
        _no_graph_dump(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _silent_loggers(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _no_graph_dump() -> Iterator[None]:
    """Stop the TorchScript exporter from writing its graph to the C stdout when it fails.

    There is a switch for that, but the exporter turns it on for every export: it tests
    ``_jit_is_onnx_log_enabled`` for truth instead of calling it (PyTorch 2.13).
    """
    dump = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = lambda *_: None
    try:
        yield
    finally:
        torch._C._jit_onnx_log = dump
