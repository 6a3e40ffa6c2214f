"""A checkpoint's own graph, exported anew and held to PyTorch on one picture."""

from collections.abc import Iterator

import onnx

from subpixel.errors import ExportError
from subpixel.graph.geometry.propagate import onnx_opset
from subpixel.graph.passes.wrap import INNER, rgb_from_luma
from subpixel.nets.checkpoints.checkpoint import Checkpoint, CheckpointFile, load_checkpoint
from subpixel.nets.export.attempt import Attempt, list_attempts
from subpixel.nets.export.child_process import export_apart
from subpixel.nets.export.exporters import DEFAULT_OPSET, find_exporters
from subpixel.nets.padding import with_working_sizes
from subpixel.nets.torchscript import is_torchscript
from subpixel.parity.compare import OnProgress
from subpixel.parity.side import Reference
from subpixel.spec import Exporter, ModelSpec

MAX_WAYS = 3
"""Ways of one exporter to try."""


def fresh_exports(
    checkpoint: Reference,
    like: onnx.ModelProto,
    wanted: ModelSpec,
    report: OnProgress,
) -> Iterator[onnx.ModelProto]:
    """Exports of a checkpoint, a file or loaded, first those by the exporter and opset that
    ``like`` shows.

    ``wanted`` says the scale, and whether a luma network is put on RGB pictures. Ways that fail
    are left out; of a TorchScript archive, which is a program and holds no network that we know,
    there are none.
    """
    if _is_program(checkpoint):
        return
    loaded = _load_at_scale(checkpoint, wanted.scale)
    spec = with_working_sizes(loaded.module, loaded.spec)
    opset = _opset_like(like)
    for way in _order_ways(like, find_exporters(opset), [*list_attempts(spec, None, opset)]):
        report(f"export by {way}", 0, 0)
        try:
            model = export_apart(loaded.module, spec, way, opset).model
        except ExportError:
            continue
        wrapped = wanted.interface == "rgb" and spec.interface == "luma"
        yield rgb_from_luma(model, spec.scale) if wrapped else model


def _is_program(checkpoint: Reference) -> bool:
    if isinstance(checkpoint, Checkpoint):
        return False
    return is_torchscript(checkpoint.path if isinstance(checkpoint, CheckpointFile) else checkpoint)


def _load_at_scale(checkpoint: Reference, scale: int) -> Checkpoint:
    if isinstance(checkpoint, Checkpoint):
        return checkpoint
    loaded = load_checkpoint(checkpoint)
    if loaded.spec.scale == 1 != scale:  # weights that fit any scale
        loaded = load_checkpoint(checkpoint, scale=scale)
    return loaded


def exporter_of(model: onnx.ModelProto) -> Exporter:
    """The exporter that wrote a graph, by the names of its nodes: TorchScript's begin with "/"."""
    traced = any(node.name.removeprefix(INNER).startswith("/") for node in model.graph.node)
    return "trace" if traced else "dynamo"


def _opset_like(model: onnx.ModelProto) -> int:
    try:
        find_exporters(found := onnx_opset(model))
    except ExportError:
        return DEFAULT_OPSET
    return found


def _order_ways(like: onnx.ModelProto, able: list[Exporter], ways: list[Attempt]) -> list[Attempt]:
    """The first few of each exporter, beginning with the one that wrote ``like``."""
    first = exporter_of(like)
    order = sorted((name for name in able if name != "script"), key=lambda name: name != first)
    return [way for name in order for way in [w for w in ways if w.exporter == name][:MAX_WAYS]]
