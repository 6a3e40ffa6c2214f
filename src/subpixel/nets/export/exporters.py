"""PyTorch's exporters: the opsets that each supports, and a call of each without its output."""

import ast
import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from subpixel.errors import ExportError
from subpixel.graph.module_path import name_by_module
from subpixel.nets.export.workarounds import symbolic_int, translations
from subpixel.spec import Exporter

EXPORTERS: tuple[Exporter, ...] = get_args(Exporter)

DEFAULT_OPSET = 18
"""The dynamo exporter writes it without conversion, every exporter supports it, and ONNX Runtime
does since 1.14 (February 2023); later opsets have nothing that these networks use."""

INPUT, OUTPUT = "input", "output"
BATCH, HEIGHT, WIDTH = 0, 2, 3
AXES = {BATCH: "batch", HEIGHT: "height", WIDTH: "width"}
"""The names of the axes of a picture that may be free."""


def opset_range(exporter: Exporter) -> range:
    """The opsets that an exporter can write with the installed PyTorch and onnx.

    The TorchScript exporters (``"trace"``, ``"script"``) end at 23; dynamo's converts from 18 down
    to 15, for networks whose operators allow it, and up to the newest that onnx supports.
    """
    return range(15, onnx.defs.onnx_opset_version() + 1) if exporter == "dynamo" else range(7, 24)


def find_exporters(opset: int, exporter: Exporter | None = None) -> list[Exporter]:
    """The exporters that support ``opset``, the best first.

    Raises :class:`ExportError` when there is none, or when ``exporter`` is not among them.
    """
    exporters = [name for name in EXPORTERS if opset in opset_range(name)]
    if exporters and exporter in (None, *exporters):
        return exporters
    reaches = ", ".join(
        f"{name} {opset_range(name)[0]} to {opset_range(name)[-1]}" for name in EXPORTERS
    )
    advice = f"use {' or '.join(exporters)}" if exporters else "ask for one of these"
    raise ExportError(
        f"opset {opset} is out of reach of {exporter or 'every exporter'} ({reaches}); {advice}"
    )


def run_exporter(
    exporter: Exporter,
    module: nn.Module,
    example: Tensor,
    opset: int,
    free: Mapping[int, int],
    *,
    symbolic: bool = False,
) -> onnx.ModelProto:
    """``module`` as an ONNX graph, as the exporter writes it.

    ``free`` has the free axes of the input, each with its multiple; ``symbolic`` also keeps
    integers symbolic that the network computes from them (see
    :func:`subpixel.nets.export.workarounds.symbolic_int`). Nodes are named after their modules
    (:mod:`subpixel.graph.module_path`). Raises whatever the exporter's passes raise.
    """
    multiple = max(free.values(), default=1)
    with (
        _silence_exporters(),
        symbolic_int(module, multiple) if symbolic else contextlib.nullcontext(),
    ):
        if exporter == "dynamo":
            return _run_dynamo(module, example, opset, free)
        return _run_torchscript(module, example, opset, free, scripted=exporter == "script")


def _run_dynamo(
    module: nn.Module, example: Tensor, opset: int, free: Mapping[int, int]
) -> onnx.ModelProto:
    program = torch.onnx.export(
        module,
        (example,),
        dynamo=True,
        opset_version=opset,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=(_symbols(free, square=example.shape[HEIGHT] == example.shape[WIDTH]),),
        custom_translation_table=dict(translations()),
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("it returned no program")
    model = program.model_proto
    name_by_module(model.graph, {node.output[0]: _module(node) for node in model.graph.node})
    _drop_traces(model)
    return model


def _symbols(free: Mapping[int, int], *, square: bool) -> dict[int, object]:
    """The free axes for ``torch.export``, with their multiples.

    A square example is for a network that accepts only squares: one symbol for both sides.
    """
    side = Dim("side")
    return {
        axis: AXES[axis]
        if axis == BATCH or (multiple == 1 and not square)
        else multiple * (side if square else Dim(f"{AXES[axis]}_"))
        for axis, multiple in free.items()
    }


def _module(node: onnx.NodeProto) -> str:
    """The path of the module that dynamo recorded on a node, or an empty string."""
    for note in node.metadata_props:
        if note.key == "pkg.torch.onnx.name_scopes":
            *modules, _call = ast.literal_eval(note.value)
            return "" if not modules or modules[-1].startswith("_") else str(modules[-1])
    return ""


def _drop_traces(model: onnx.ModelProto) -> None:
    """Remove dynamo's metadata of nodes: stack traces with paths of the exporting machine."""
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""


def _run_torchscript(
    module: nn.Module, example: Tensor, opset: int, free: Mapping[int, int], *, scripted: bool
) -> onnx.ModelProto:
    names = {axis: AXES[axis] for axis in free}
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
            dynamic_axes={INPUT: names, OUTPUT: {k: f"output_{v}" for k, v in names.items()}},
            do_constant_folding=True,
            external_data=False,
        )
        return onnx.load(file)


@contextlib.contextmanager
def _silence_exporters() -> Iterator[None]:
    """Silence the exporters: warnings, prints, log records.

    The checks after the export find everything that these report; an export that fails raises an
    exception.
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

    There is an option for it, but the exporter enables it for every export: it tests
    ``_jit_is_onnx_log_enabled`` for truth instead of calling it (PyTorch 2.13).
    """
    dump = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = lambda *_: None
    try:
        yield
    finally:
        torch._C._jit_onnx_log = dump
