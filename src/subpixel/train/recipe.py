"""A folder of photographs → a proven ONNX file: train, save, export, check, verify, evaluate."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch

from subpixel.measure.evaluate import Benchmark, Evaluation, evaluate
from subpixel.nets.checkpoints.checkpoint import CheckpointFile, Choice, load_checkpoint
from subpixel.publish.release import ReleaseReport, release
from subpixel.spec import ModelSpec
from subpixel.system.atomic import write_bytes
from subpixel.train.data import JPEG_QUALITIES, load_pairs, split
from subpixel.train.loop import Progress, train
from subpixel.train.presets import Preset
from subpixel.train.record import Record, model_card
from subpixel.train.teacher import load_teacher
from subpixel.upscaling.upscaler import Upscaler

HELD_OUT_JPEG = 75
"""The quality at which a network that denoises is measured."""


@dataclass(frozen=True)
class Run:
    """What to train, on what, and where to."""

    preset: Preset
    scale: int
    data: Path
    out: Path
    """The ONNX file. Beside it come ``.safetensors`` (the weights, as :func:`release` reads them),
    what :class:`~subpixel.train.record.Record` keeps and, while the run lasts, ``.state`` (what
    resuming needs)."""
    seed: int = 0
    device: str = "cpu"
    warm_start: Path | None = None
    """A checkpoint of the same architecture, of any scale; a smaller PlainNet is grown."""
    denoise: bool = False
    """Show it pictures that went through JPEG, and ask for what they were before."""
    teacher: Path | None = None
    """A checkpoint of any luma network of this scale, whose pictures are aimed at before
    fine-tuning. It is shown what the student is shown: to teach ``denoise`` it must know it."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run; true when the file was published."""

    released: ReleaseReport
    evaluation: Evaluation | None
    """On the held-out pictures, by the file itself; None when there is none."""

    def __bool__(self) -> bool:
        return bool(self.released)


def run(order: Run, report: Callable[[Progress], None], *, overwrite: bool = False) -> Outcome:
    """Train, or go on training, and release what came out."""
    teacher = load_teacher(order.teacher, order.scale, order.preset.crop) if order.teacher else None
    warm_start = load_checkpoint(_as_named(order.warm_start)).module if order.warm_start else None
    qualities = JPEG_QUALITIES if order.denoise else ()
    pairs = load_pairs(order.data, order.scale, order.preset.crop, qualities=qualities)
    order.out.parent.mkdir(parents=True, exist_ok=True)
    state, record = order.out.with_suffix(".state"), Record(order.out)
    net = train(
        order.preset,
        order.scale,
        pairs,
        state,
        seed=order.seed,
        device=order.device,
        warm_start=warm_start,
        teacher=teacher.module if teacher else None,
        report=record.kept(pairs[1][0].low, report),
    )
    checkpoint = order.out.with_suffix(".safetensors")
    facts = {"steps": str(order.preset.steps + order.preset.finetune)}
    write_bytes(checkpoint, safetensors.torch.save(net.state_dict(), facts), overwrite=True)
    released = release(_as_named(checkpoint), order.out, overwrite=overwrite)
    taught_by = teacher.spec if teacher else None
    found = _evaluated(order, released, record, taught_by) if released else None
    state.unlink()
    return Outcome(released, found)


def _as_named(file: Path) -> CheckpointFile:
    """A network of ours, trained however little: it is what its keys say, in its usual settings."""
    return CheckpointFile(file, choice=Choice(default=True))


def _evaluated(
    order: Run, released: ReleaseReport, record: Record, teacher: ModelSpec | None
) -> Evaluation:
    """Measure the file as its users will run it, and write its card."""
    trained_on, held_out = split(order.data)
    jpeg = HELD_OUT_JPEG if order.denoise else None
    pictures = Benchmark(held_out, order.scale, jpeg=jpeg)
    found = evaluate(Upscaler(order.out, device="cpu", tuning=False), pictures)
    steps = order.preset.steps + order.preset.finetune
    card = model_card(released, order.data, len(trained_on), steps, found, jpeg, teacher)
    write_bytes(record.card, card.encode(), overwrite=True)
    return found
