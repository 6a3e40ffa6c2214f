"""The record of a run: a table of its progress, sample pictures, and a model card."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from subpixel.graph.geometry.cost import multiply_adds_per_pixel, parameters
from subpixel.graph.metadata import load_model
from subpixel.measure.evaluate import Evaluation
from subpixel.measure.sheet import sheet
from subpixel.media.arrays import to_picture
from subpixel.media.image_file import write_picture
from subpixel.plain_text import escape_controls, escape_markdown
from subpixel.publish.release import ReleaseReport
from subpixel.spec import ModelSpec
from subpixel.system.processors import processor_name
from subpixel.train.data.damage import describe_damage
from subpixel.train.data.source import Luma
from subpixel.train.loop import Progress

SAMPLE_EVERY_REPORTS = 10


@dataclass(frozen=True)
class Course:
    """How a network was trained, as its model card says it."""

    folder: str
    """The name of the pictures' folder."""
    pictures: int
    steps: int
    seconds: float
    device: str
    """PyTorch's name."""

    @property
    def machine(self) -> str:
        """What trained, in words."""
        if torch.device(self.device).type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"{processor_name()}, {torch.get_num_threads()} threads"


@dataclass(frozen=True)
class Record:
    """The files of a run's record: beside its ONNX file, under the same name."""

    out: Path

    @property
    def course(self) -> Path:
        """A CSV table: step, loss, held-out PSNR."""
        return self.out.with_suffix(".csv")

    @property
    def sample(self) -> Path:
        """The first held-out picture's luma, upscaled bicubically and by the network so far."""
        return self.out.with_suffix(".sample.png")

    @property
    def card(self) -> Path:
        """The model card, in Markdown."""
        return self.out.with_suffix(".md")

    def recording(
        self, low: Luma, report: Callable[[Progress], None]
    ) -> Callable[[Progress], None]:
        """A callback that adds a row to the table, writes a sample every tenth time, and calls
        ``report``."""
        count = 0

        def record(progress: Progress) -> None:
            nonlocal count
            count += 1
            self._row(progress)
            if count % SAMPLE_EVERY_REPORTS == 1 or progress.step == progress.steps:
                self._picture(low, progress.sample)
            report(progress)

        return record

    def _row(self, progress: Progress) -> None:
        new = not self.course.exists()
        with self.course.open("a", newline="") as stream:
            table = csv.writer(stream)
            if new:
                table.writerow(("step", "loss", "held_out_psnr"))
            table.writerow((progress.step, f"{progress.loss:.6f}", f"{progress.psnr:.4f}"))

    def _picture(self, low: Luma, enlarged: Luma) -> None:
        picture = to_picture(sheet(_grey(low), _grey(enlarged)))
        write_picture(picture, self.sample, overwrite=True)


def _grey(luma: Luma) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.repeat(np.rint(luma * 255).astype(np.uint8)[..., None], 3, axis=2)


def model_card(
    released: ReleaseReport,
    course: Course,
    evaluation: Evaluation,
    jpeg: int | None = None,
    teacher: ModelSpec | None = None,
) -> str:
    """The model card: the network, its training, and its quality on the held-out pictures.

    ``jpeg`` is the quality at which these were stored, for a network that was trained on JPEGs;
    ``teacher`` is the network that it was distilled from.
    """
    assert released.path is not None
    assert released.parity is not None
    model, spec = load_model(released.path), released.spec
    rows = (("this network", evaluation.network), ("bicubic", evaluation.bicubic))
    table = "".join(
        f"| {name} | {q.psnr:.2f} | {q.ssim:.4f} | {q.psnr_rgb:.2f} | {q.ssim_rgb:.4f} |\n"
        for name, q in rows
    )
    return escape_markdown(f"""\
# {escape_controls(released.path.stem)}

{spec.architecture} ×{spec.scale}: {parameters(model):,} parameters, \
{multiply_adds_per_pixel(model) or 0:,.0f} multiply-adds per pixel of the small picture, colour \
included; halo {spec.halo} px.

Trained for {course.steps:,} steps on {course.pictures} pictures of the folder \
`{escape_controls(course.folder)}`, whose low resolution was made by bicubic reduction; \
{describe_damage(damaged=jpeg is not None)}. It took {course.seconds / 3600:.2f} hours on \
{escape_controls(course.machine)}.\
{_describe_teacher(teacher)} Name the pictures' authors and licences here, and the \
weights' own licence.

On the {len(evaluation.scores)} pictures that were held out, \
{_describe_storage(jpeg)}8-bit RGB in and out:

| | PSNR, dB | SSIM | PSNR of RGB, dB | SSIM of RGB |
|---|---|---|---|---|
{table}
The ONNX file against PyTorch: {released.parity.summary()}
""")


def _describe_teacher(teacher: ModelSpec | None) -> str:
    return (
        ""
        if teacher is None
        else " Before fine-tuning its aim was what a teacher made of the low resolution: "
        f"{teacher.architecture}, {teacher.origin}, licence {teacher.licence}."
    )


def _describe_storage(jpeg: int | None) -> str:
    return "" if jpeg is None else f"their low resolution stored as JPEG of quality {jpeg}, "
