"""``subpixel train``."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from subpixel.cli.feedback import say
from subpixel.cli.options.choices import DEVICE_NAME, FILE, OVERWRITE
from subpixel.cli.options.number_types import RealNumber, WholeNumber
from subpixel.cli.streams import print_line
from subpixel.errors import UsageError
from subpixel.system.users_code import Ended
from subpixel.train.presets import PRESETS

if TYPE_CHECKING:
    from subpixel.train.loop import Progress


@click.command(no_args_is_help=True)
@click.option("--data", type=FILE, required=True, help="A folder of photographs.")
@click.option("--scale", type=WholeNumber(2, 8), required=True)
@click.option("-o", "--output", type=FILE, required=True, help="The ONNX file to write.")
@click.option("--preset", type=click.Choice(sorted(PRESETS)), default="fast", show_default=True)
@click.option(
    "--steps", type=WholeNumber(min=1), help="Steps before fine-tuning. [default: the preset's]"
)
@click.option(
    "--minutes",
    type=RealNumber(min=0, min_open=True),
    help="Run through the preset in this time, in as many steps as it takes. Excludes --steps.",
)
@click.option(
    "--warm-start",
    type=FILE,
    help="Begin with this checkpoint's weights, of any scale; a smaller one is grown.",
)
@click.option(
    "--teacher",
    type=FILE,
    help="Until fine-tuning, aim at what this checkpoint's network makes: luma, of this scale.",
)
@click.option("--denoise", is_flag=True, help="Small pictures go through JPEG or WebP first.")
@click.option(
    "--device",
    type=DEVICE_NAME,
    default="cpu",
    show_default=True,
    help="PyTorch's name: cpu, cuda, …",
)
@click.option("--seed", type=int, default=0, show_default=True)
@OVERWRITE
def command(
    data: Path,
    scale: int,
    output: Path,
    preset: str,
    steps: int | None,
    minutes: float | None,
    warm_start: Path | None,
    teacher: Path | None,
    denoise: bool,
    device: str,
    seed: int,
    overwrite: bool,
) -> int:
    """Train a small network on a folder of photographs, and export it, checked and proven.

    A run that was stopped or killed goes on where it was when it is called again.
    """
    from subpixel.train.recipe import TrainingRun, run_recipe

    if steps is not None and minutes is not None:
        raise UsageError("--steps and --minutes both say how long to train; leave one out")
    chosen = PRESETS[preset]
    if steps is not None:
        chosen = replace(chosen, steps=steps, finetune=steps // 10)
    order = TrainingRun(
        chosen, scale, data, output, seed, device, warm_start, denoise, teacher, minutes
    )
    try:
        outcome = run_recipe(order, _show, overwrite=overwrite, tell=say)
    except (KeyboardInterrupt, Ended):
        _say_way_on(output.with_suffix(".state"))
        raise
    if outcome.release.parity is not None:
        print_line(outcome.release.parity.summary())
    if outcome.evaluation is None:
        print_line("the export failed its checks; nothing was written")
        return 1
    network, bicubic = outcome.evaluation.network, outcome.evaluation.bicubic
    print_line(f"held-out pictures: {network.psnr:.2f} dB, bicubic {bicubic.psnr:.2f} dB")
    print_line(f"wrote {outcome.release.path}")
    return 0


def _say_way_on(state: Path) -> None:
    if state.exists():
        say(f"{state} holds the run so far; the same command goes on from there")


def _show(progress: "Progress") -> None:
    left = progress.seconds_left
    of = "" if progress.steps is None else f"/{progress.steps}"
    print_line(
        f"step {progress.step}{of}  loss {progress.loss:.5f}  "
        f"held-out {progress.psnr:.3f} dB  {left / 60:.0f} min left"
    )
