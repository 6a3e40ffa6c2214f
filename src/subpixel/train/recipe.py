"""A folder of photographs → a verified ONNX file: train, save, export, check, verify, evaluate."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch

from subpixel.measure.benchmark_set import Benchmark, expect_sizes
from subpixel.measure.evaluate import Evaluation, evaluate
from subpixel.nets.checkpoints.checkpoint import CheckpointFile, Choice, load_checkpoint
from subpixel.publish.release import ReleaseReport, release
from subpixel.spec import ModelSpec
from subpixel.system.files.atomic import write_bytes
from subpixel.system.files.hashing import hash_file
from subpixel.system.files.targets import (
    expect_free_file,
    expect_inputs_spared,
    expect_onnx_target,
)
from subpixel.train.data.crops import PhotographCrops, load_crops, load_held_out
from subpixel.train.data.device.device_crops import DeviceCrops
from subpixel.train.data.device.luma_planes import luma_by_photograph
from subpixel.train.data.photographs import digest_pictures, split_pictures
from subpixel.train.data.source import Pair
from subpixel.train.data.survey import Survey, survey_photographs
from subpixel.train.loop import Progress, TrainedNetwork, train
from subpixel.train.presets import Preset
from subpixel.train.record import Course, Record, model_card
from subpixel.train.steps.order import RunInputs, RunOrder
from subpixel.train.steps.state import is_begun
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
    """Train on pictures stored as JPEG or WebP, with the uncompressed ones as the target."""
    teacher: Path | None = None
    """A checkpoint of any luma network of this scale, whose results are the target until
    fine-tuning. Its input is the student's: for ``denoise`` it must have been trained on JPEGs
    too."""
    minutes: float | None = None
    """The time in which the recipe is run through, instead of the preset's steps."""


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
        remark = "" if network > bicubic else ": no better than bicubic, train it longer"
        scores = f"{network:.2f} dB on held-out pictures (bicubic {bicubic:.2f})"
        return f"{self.release}\n{scores}{remark}"


def run_recipe(
    order: TrainingRun,
    report: Callable[[Progress], None],
    *,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> TrainingOutcome:
    """Train, or resume training, and release the result.

    ``tell`` gets a line that says which pictures are used, before the first step. Raises
    :class:`~subpixel.errors.UsageError` where a ``.state`` is there of a run of another order.
    """
    _expect_targets(order, overwrite=overwrite)
    teacher = load_teacher(order.teacher, order.scale, order.preset.crop) if order.teacher else None
    warm_start = (
        load_checkpoint(_checkpoint_of(order.warm_start)).module if order.warm_start else None
    )
    state, record, inputs = order.out.with_suffix(".state"), Record(order.out), _inputs_of(order)
    begun = is_begun(state, RunOrder(order.preset, order.scale, order.seed, inputs))
    survey = survey_photographs(order.data, order.preset.max_crop * order.scale)
    expect_sizes(_held_out_set(order, survey))  # now, not after training
    tell(str(survey))
    source, held_out = load_source(order)
    order.out.parent.mkdir(parents=True, exist_ok=True)
    if not begun:
        record.course.unlink(missing_ok=True)
    trained = train(
        order.preset,
        order.scale,
        source,
        held_out,
        state,
        seed=order.seed,
        device=order.device,
        seconds=None if order.minutes is None else order.minutes * 60,
        warm_start=warm_start,
        teacher=teacher.module if teacher else None,
        inputs=inputs,
        report=record.recording(held_out[0].low, report),
    )
    checkpoint = order.out.with_suffix(".safetensors")
    facts = {"steps": str(trained.steps)}
    write_bytes(checkpoint, safetensors.torch.save(trained.net.state_dict(), facts), overwrite=True)
    released = release(_checkpoint_of(checkpoint), order.out, overwrite=overwrite)
    taught_by = teacher.spec if teacher else None
    evaluation = (
        _evaluate_release(order, released, trained, survey, taught_by) if released else None
    )
    state.unlink()
    return TrainingOutcome(released, evaluation)


def _expect_targets(order: TrainingRun, *, overwrite: bool) -> None:
    """No file of the run is one of its inputs, or is there already, but for what it left itself
    when it was stopped."""
    record = Record(order.out)
    begun = order.out.with_suffix(".state").exists()
    inputs = [file for file in (order.warm_start, order.teacher) if file]
    expect_onnx_target(order.out, inputs, overwrite=overwrite)
    for file in (order.out.with_suffix(".safetensors"), record.course, record.sample, record.card):
        expect_inputs_spared(file, inputs)
        expect_free_file(file, overwrite=overwrite or begun)


def load_source(order: TrainingRun) -> tuple[PhotographCrops | DeviceCrops, list[Pair]]:
    """The source of crops, and the pictures held out.

    On a GPU the crops are drawn there, of luma, unless they must be compressed. Raises
    :class:`~subpixel.errors.UsageError` where the pictures won't do.
    """
    crop = order.preset.max_crop
    if torch.device(order.device).type == "cpu" or order.denoise:
        return load_crops(
            order.data,
            order.scale,
            crop,
            damaged=order.denoise,
            seed=order.seed,
            device=order.device,
        )
    files, held_out = split_pictures(order.data)
    source = DeviceCrops.of(
        luma_by_photograph(files), order.scale, crop, seed=order.seed, device=order.device
    )
    return source, load_held_out(held_out, order.scale, damaged=False)


def _inputs_of(order: TrainingRun) -> RunInputs:
    return RunInputs(
        data=digest_pictures(order.data),
        denoise=order.denoise,
        minutes=order.minutes,
        warm_start=hash_file(order.warm_start) if order.warm_start else None,
        teacher=hash_file(order.teacher) if order.teacher else None,
    )


def _held_out_set(order: TrainingRun, survey: Survey) -> Benchmark:
    return Benchmark(survey.held_out, order.scale, jpeg=HELD_OUT_JPEG if order.denoise else None)


def _checkpoint_of(file: Path) -> CheckpointFile:
    """A checkpoint of subpixel's own network: however little it is trained, it has the default
    settings."""
    return CheckpointFile(file, choice=Choice(default=True))


def _evaluate_release(
    order: TrainingRun,
    released: ReleaseReport,
    trained: TrainedNetwork,
    survey: Survey,
    teacher: ModelSpec | None,
) -> Evaluation:
    """Evaluate the file as users run it, and write its model card."""
    pictures = _held_out_set(order, survey)
    evaluation = evaluate(Upscaler(order.out, device="cpu", tuning=False), pictures)
    course = Course(
        order.data.name, len(survey.training), trained.steps, trained.seconds, order.device
    )
    card = model_card(released, course, evaluation, pictures.jpeg, teacher)
    write_bytes(Record(order.out).card, card.encode(), overwrite=True)
    return evaluation
