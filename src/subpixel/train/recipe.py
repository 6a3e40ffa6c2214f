"""A folder of photographs → a verified ONNX file: train, save, export, check, verify, evaluate."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch

from subpixel.measure.evaluate import Benchmark, Evaluation, evaluate
from subpixel.nets.checkpoints.checkpoint import CheckpointFile, Choice, load_checkpoint
from subpixel.publish.release import ReleaseReport, release
from subpixel.spec import ModelSpec
from subpixel.system.files.atomic import write_bytes
from subpixel.train.data import JPEG_QUALITIES, load_pairs, split_pictures
from subpixel.train.loop import Progress, train
from subpixel.train.presets import Preset
from subpixel.train.record import Record, model_card
from subpixel.train.teacher import load_teacher
from subpixel.upscaling.upscaler import Upscaler

HELD_OUT_JPEG = 75
"""The JPEG quality at which a denoising network is evaluated."""


@dataclass(frozen=True)
class TrainingRun:
    """What to train, on which data, and the output."""

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
    """Train on pictures stored as JPEG, with the uncompressed ones as the target."""
    teacher: Path | None = None
    """A checkpoint of any luma network of this scale, whose results are the target until
    fine-tuning. Its input is the student's: for ``denoise`` it must have been trained on JPEGs
    too."""


@dataclass(frozen=True)
class TrainingOutcome:
    """The result of a run; true when the file was published."""

    release: ReleaseReport
    evaluation: Evaluation | None
    """Of the file, on the held-out pictures; None when there is no file."""

    def __bool__(self) -> bool:
        return bool(self.release)

    def __str__(self) -> str:
        """What was released, and how it did on the pictures held out."""
        if self.evaluation is None:
            return str(self.release)
        network, bicubic = self.evaluation.network.psnr, self.evaluation.bicubic.psnr
        return f"{self.release}\n{network:.2f} dB on held-out pictures (bicubic {bicubic:.2f})"


def run_recipe(
    order: TrainingRun, report: Callable[[Progress], None], *, overwrite: bool = False
) -> TrainingOutcome:
    """Train, or resume training, and release the result."""
    teacher = load_teacher(order.teacher, order.scale, order.preset.crop) if order.teacher else None
    warm_start = (
        load_checkpoint(_checkpoint_of(order.warm_start)).module if order.warm_start else None
    )
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
        report=record.recording(pairs[1][0].low, report),
    )
    checkpoint = order.out.with_suffix(".safetensors")
    facts = {"steps": str(order.preset.steps + order.preset.finetune)}
    write_bytes(checkpoint, safetensors.torch.save(net.state_dict(), facts), overwrite=True)
    released = release(_checkpoint_of(checkpoint), order.out, overwrite=overwrite)
    taught_by = teacher.spec if teacher else None
    evaluation = _evaluate_release(order, released, record, taught_by) if released else None
    state.unlink()
    return TrainingOutcome(released, evaluation)


def _checkpoint_of(file: Path) -> CheckpointFile:
    """A checkpoint of subpixel's own network: however little it is trained, it has the default
    settings."""
    return CheckpointFile(file, choice=Choice(default=True))


def _evaluate_release(
    order: TrainingRun, released: ReleaseReport, record: Record, teacher: ModelSpec | None
) -> Evaluation:
    """Evaluate the file as users run it, and write its model card."""
    trained_on, held_out = split_pictures(order.data)
    jpeg = HELD_OUT_JPEG if order.denoise else None
    pictures = Benchmark(held_out, order.scale, jpeg=jpeg)
    evaluation = evaluate(Upscaler(order.out, device="cpu", tuning=False), pictures)
    steps = order.preset.steps + order.preset.finetune
    card = model_card(released, order.data, len(trained_on), steps, evaluation, jpeg, teacher)
    write_bytes(record.card, card.encode(), overwrite=True)
    return evaluation
