"""One side of a comparison: an ONNX file under ONNX Runtime, or a checkpoint under PyTorch."""

from dataclasses import dataclass, replace
from pathlib import Path

from subpixel.graph.cost import multiply_adds_per_pixel, parameters
from subpixel.graph.metadata import load_model, read_spec
from subpixel.graph.wrap import rgb_from_luma
from subpixel.nets.checkpoint import Checkpoint, load_checkpoint
from subpixel.nets.luma import RgbFromLuma
from subpixel.nets.padding import runs_any_size
from subpixel.nets.torch_op import Module, TorchOp, rounding_noise
from subpixel.network import probe
from subpixel.parity.cases import Case, pixels
from subpixel.runtime.op import NetOp
from subpixel.runtime.session import Session
from subpixel.spec import ModelSpec

ONNX_SUFFIX = ".onnx"

NOISE_SIZE = (51, 67)
"""Of the picture on which rounding noise is measured."""


@dataclass(frozen=True, eq=False)
class Side:
    """A network to compare; ``spec`` says what ``op`` takes."""

    op: NetOp
    spec: ModelSpec
    name: str
    provider: str
    cost: float
    """Multiply-adds per input pixel; parameters, which are about as many, where they can't be
    counted."""
    noise: float = 0.0
    """How far float32's rounding alone moves its result, where that is known."""


def open_side(
    file: Path,
    *,
    rgb: bool = False,
    device: str = "cpu",
    threads: int | None = None,
    scale: int | None = None,
    extra_architectures: bool = False,
) -> Side:
    """Open an ONNX file on ``device``, or a checkpoint under PyTorch on the CPU.

    ``rgb`` puts a luma network on RGB pictures; otherwise the file is taken as it is. An ONNX
    file that doesn't carry our facts is probed. ``scale`` and ``extra_architectures`` are for
    checkpoints (:func:`~subpixel.nets.checkpoint.load_checkpoint`). Raises
    :class:`~subpixel.errors.NetworkError` for a file that can't be used.
    """
    if file.suffix.lower() == ONNX_SUFFIX:
        return _open_onnx(file, rgb=rgb, device=device, threads=threads)
    loaded = load_checkpoint(file, scale=scale, extra_architectures=extra_architectures)
    return _of_checkpoint(loaded, file.name, rgb=rgb)


def _open_onnx(file: Path, *, rgb: bool, device: str, threads: int | None) -> Side:
    model = load_model(file)
    session = Session(model.SerializeToString(), device=device, threads=threads)
    spec = read_spec(model) or probe(session, file.stem)
    if rgb and spec.interface == "luma":
        wrapped = rgb_from_luma(model, spec.scale).SerializeToString()
        session = Session(wrapped, device=device, threads=threads)
        spec = replace(spec, interface="rgb")
    cost = multiply_adds_per_pixel(model) or float(parameters(model))
    return Side(session, spec, f"{file.name} (ONNX Runtime)", session.provider, cost)


def _of_checkpoint(checkpoint: Checkpoint, name: str, *, rgb: bool) -> Side:
    module, spec = runs_any_size(checkpoint.module, checkpoint.spec)
    cost = float(sum(parameter.numel() for parameter in module.parameters()))
    if rgb and spec.interface == "luma":
        module, spec = RgbFromLuma(module, spec.scale), replace(spec, interface="rgb")
    return Side(TorchOp(module), spec, f"{name} (PyTorch)", "PyTorch", cost, noise_of(module, spec))


def noise_of(module: Module, spec: ModelSpec) -> float:
    """The rounding noise of a module for pictures of any size, on a picture of noise."""
    height, width = spec.fixed_size or NOISE_SIZE
    return rounding_noise(module, pixels(Case(1, height, width, "noise"), spec.channels))
