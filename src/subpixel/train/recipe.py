"""A folder of photographs → a proven ONNX file: train, save, export, check, verify."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch

from subpixel.media.atomic import write_bytes
from subpixel.nets.checkpoint import load_checkpoint
from subpixel.parity.release import ReleaseReport, release
from subpixel.train.data import load_pairs
from subpixel.train.loop import Progress, train
from subpixel.train.presets import Preset


@dataclass(frozen=True)
class Run:
    """What to train, on what, and where to."""

    preset: Preset
    scale: int
    data: Path
    out: Path
    """The ONNX file. Beside it come ``.safetensors`` (the weights, as :func:`release` reads them)
    and, while the run lasts, ``.state`` (what resuming needs)."""
    seed: int = 0
    device: str = "cpu"
    warm_start: Path | None = None
    """A checkpoint of the same architecture, of any scale."""


def run(
    order: Run, report: Callable[[Progress], None], *, overwrite: bool = False
) -> ReleaseReport:
    """Train, or go on training, and release what came out."""
    warm_start = load_checkpoint(order.warm_start).module if order.warm_start else None
    pairs = load_pairs(order.data, order.scale, order.preset.crop)
    order.out.parent.mkdir(parents=True, exist_ok=True)
    state = order.out.with_suffix(".state")
    net = train(
        order.preset,
        order.scale,
        pairs,
        state,
        seed=order.seed,
        device=order.device,
        warm_start=warm_start,
        report=report,
    )
    checkpoint = order.out.with_suffix(".safetensors")
    write_bytes(checkpoint, safetensors.torch.save(net.state_dict()), overwrite=True)
    released = release(checkpoint, order.out, overwrite=overwrite)
    state.unlink()
    return released
