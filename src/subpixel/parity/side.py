"""One side of a comparison: an ONNX file under ONNX Runtime, or a checkpoint under PyTorch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import onnx

from subpixel.errors import UsageError
from subpixel.graph.geometry.cost import estimate_cost
from subpixel.graph.geometry.receptive import halo
from subpixel.graph.geometry.size_constants import size_constants
from subpixel.graph.geometry.size_numbers import SizeNumbers
from subpixel.graph.metadata import load_model, model_bytes, read_spec, with_spec
from subpixel.graph.passes.wrap import rgb_from_luma, spec_on_rgb
from subpixel.graph.precision import graph_precision
from subpixel.nets.checkpoints.checkpoint import Checkpoint, CheckpointFile, load_checkpoint
from subpixel.nets.export.code_numbers import code_numbers
from subpixel.nets.factory import probe_module
from subpixel.nets.layers.luma import RgbFromLuma
from subpixel.nets.padding import runs_any_size
from subpixel.nets.torch_op import ExactOp, Module, TorchOp
from subpixel.nets.torchscript import is_torchscript, load_torchscript
from subpixel.nets.unwrap import unwrap_copy
from subpixel.network.probe import probe
from subpixel.network.settings import RunSettings
from subpixel.parity.cases import Grid, grid
from subpixel.parity.compare import Exact, Tolerance, tolerance_for
from subpixel.runtime.op import NetOp
from subpixel.runtime.opening import Opened, open_session
from subpixel.spec import Colour, ModelSpec

ONNX_SUFFIX = ".onnx"

ON_CPU = RunSettings(device="cpu")

Reference = Path | CheckpointFile | Checkpoint
"""What a file is compared with: another ONNX file, a TorchScript archive, or a checkpoint, its
file or as loaded (:func:`~subpixel.nets.factory.load_factory`)."""


def as_reference(
    reference: str | Reference | Module, *, extra_architectures: bool = False
) -> Reference:
    """A path as a path, whatever it was, and a module with the facts that running it shows; with
    ``extra_architectures`` a checkpoint's file may be of such a network
    (:class:`~subpixel.nets.checkpoints.checkpoint.CheckpointFile`)."""
    if isinstance(reference, Module):
        return probe_module(unwrap_copy(reference), type(reference).__name__)
    reference = Path(reference) if isinstance(reference, str) else reference
    if not isinstance(reference, Path | CheckpointFile | Checkpoint):
        raise UsageError(
            f"the reference is of {type(reference).__name__}; give a PyTorch module "
            "(torch.nn.Module), or the name of a checkpoint, an ONNX file or a TorchScript archive"
        )
    if not extra_architectures or isinstance(reference, Checkpoint):
        return reference
    file = CheckpointFile(reference) if isinstance(reference, Path) else reference
    return replace(file, extra_architectures=True)


@dataclass(frozen=True, eq=False)
class Side:
    """A network to compare; ``spec`` says what ``op`` takes."""

    op: NetOp
    spec: ModelSpec
    name: str
    provider: str
    cost: float
    """What it spends on an input pixel, in multiply-adds; of a checkpoint, its parameters."""
    model: onnx.ModelProto | None = None
    """The graph that runs; None under PyTorch."""
    exact: Exact | None = None
    """The same in float64, where that can be had."""
    numbers: SizeNumbers = SizeNumbers()
    """What its graph or code computes sizes with."""
    expect_unchanged: Callable[[], None] = lambda: None
    """Raises :class:`~subpixel.errors.NetworkError` for users' code that computes something else
    than at first: what was compared in between says nothing."""


def grid_of(*sides: Side, seed: int = 0) -> Grid:
    """The grid for networks that are compared with one another."""
    numbers = sides[0].numbers
    for side in sides[1:]:
        numbers |= side.numbers
    cost = max(side.cost for side in sides)
    return grid(*(side.spec for side in sides), cost=cost, numbers=numbers, seed=seed)


def default_tolerance(*sides: Side) -> Tolerance:
    """That of the least precise of the files."""
    precisions = (side.spec.precision for side in sides)
    return tolerance_for(next((each for each in precisions if each != "fp32"), "fp32"))


def open_sides(
    model: Path,
    against: Reference,
    settings: RunSettings = ON_CPU,
) -> tuple[Side, Side]:
    """An ONNX file in ``settings`` and its reference, as :func:`open_side` takes it, on the CPU.

    Where one takes RGB and the other luma, the luma side is put on RGB pictures. A file that
    doesn't carry our facts is taken to be what its reference is; a reference is probed. Raises
    :class:`~subpixel.errors.NetworkError` for a file that can't be used at all.
    """
    opened = partial(open_side, against, settings=replace(settings, device="cpu"))
    reference = opened()
    candidate = _open_onnx(model, settings, like=reference.spec)
    if reference.spec.scale == 1 != candidate.spec.scale:  # weights that fit any scale
        opened = partial(opened, scale=candidate.spec.scale)
        reference = opened()
    if candidate.spec.interface != reference.spec.interface:
        return _on_rgb(candidate, settings), opened(rgb=True)
    return candidate, reference


def open_side(
    file: Reference,
    *,
    rgb: bool = False,
    settings: RunSettings = ON_CPU,
    scale: int | None = None,
) -> Side:
    """Open an ONNX file in ``settings``, or a checkpoint (a file, or loaded) or a TorchScript
    archive under PyTorch on the CPU.

    ``rgb`` puts a luma network on RGB pictures; otherwise the file is taken as it is. An ONNX
    file that doesn't carry our facts is probed. ``scale`` is for checkpoints
    (:func:`~subpixel.nets.checkpoints.checkpoint.load_checkpoint`). Raises
    :class:`~subpixel.errors.NetworkError` for a file that can't be used.
    """
    if isinstance(file, Checkpoint):
        return _of_checkpoint(file, file.spec.origin or file.spec.name, rgb=rgb)
    path = file.path if isinstance(file, CheckpointFile) else file
    if path.suffix.lower() == ONNX_SUFFIX:
        side = _open_onnx(path, settings)
        return _on_rgb(side, settings) if rgb else side
    if is_torchscript(path):
        return _of_checkpoint(load_torchscript(path), path.name, rgb=rgb)
    loaded = load_checkpoint(file, scale=scale)
    return _of_checkpoint(loaded, "; ".join([path.name, *loaded.notes]), rgb=rgb)


def _open_onnx(file: Path, settings: RunSettings, like: ModelSpec | None = None) -> Side:
    model = load_model(file)
    session = _open_session(model_bytes(model, file), settings)
    spec = read_spec(model)
    if spec is None:
        spec = _alike(like, session, file.stem) if like else probe(session, file.stem)
    # What the facts claim would widen the tolerance.
    spec = replace(spec, precision=graph_precision(model))
    if spec.halo is None:
        spec = replace(spec, halo=halo(model, spec.size_multiple))
    name = f"{file.name} (ONNX Runtime)"
    cost = estimate_cost(model, local=spec.halo is not None)
    numbers = size_constants(model)
    return Side(session, spec, name, session.provider, cost, model, numbers=numbers)


def _open_session(data: bytes, settings: RunSettings) -> Opened:
    return open_session(data, device=settings.device, threads=settings.threads)


def _alike(reference: ModelSpec, session: Opened, name: str) -> ModelSpec:
    """The reference's facts, with the channels and fixed axes that the file declares."""
    batch, channels, height, width = session.input_shape
    interfaces: Mapping[object, Colour] = {1: "luma", 3: "rgb"}
    return replace(
        reference,
        name=name,
        interface=interfaces.get(channels, reference.interface),
        fixed_batch=batch if isinstance(batch, int) else None,
        fixed_size=(height, width) if isinstance(height, int) and isinstance(width, int) else None,
    )


def _on_rgb(side: Side, settings: RunSettings) -> Side:
    """A luma network's file as one for RGB pictures; one for RGB as it is."""
    if side.spec.interface == "rgb" or side.model is None:
        return side
    model = rgb_from_luma(side.model, side.spec.scale)
    spec = spec_on_rgb(side.spec)
    session = _open_session(model.SerializeToString(), settings)
    return replace(side, op=session, spec=spec, model=with_spec(model, spec))


def _of_checkpoint(checkpoint: Checkpoint, name: str, *, rgb: bool) -> Side:
    module, spec = runs_any_size(checkpoint.module, checkpoint.spec)
    cost = float(sum(parameter.numel() for parameter in module.parameters()))
    if rgb and spec.interface == "luma":
        module, spec = RgbFromLuma(module, spec.scale), replace(spec, interface="rgb")
    return Side(
        TorchOp(module),
        spec,
        f"{name} (PyTorch)",
        "PyTorch",
        cost,
        exact=ExactOp(module),
        numbers=code_numbers(checkpoint.module),
        expect_unchanged=checkpoint.expect_unchanged,
    )
