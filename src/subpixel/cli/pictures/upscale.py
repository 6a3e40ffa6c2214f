"""``subpixel upscale``."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from subpixel.cli.options.choices import (
    DENOISING,
    DEVICE,
    FILE,
    JSON,
    MODEL,
    OVERWRITE,
    PRECISION,
    SCALE,
    SIZE,
    THREADS,
)
from subpixel.cli.options.convention import (
    CHANNEL_ORDER,
    INPUT_RANGE,
    LAYOUT,
    OUTPUT_ORDER,
    OUTPUT_RANGE,
    PICTURE_OUTPUT,
    SET_INPUT,
    make_convention,
)
from subpixel.cli.output import print_json, progress
from subpixel.convention import ChannelOrder, TensorLayout, ValueRange
from subpixel.errors import SubpixelError
from subpixel.jobs.outputs import Job, plan_jobs
from subpixel.media.image_file import (
    DEFAULT_MAX_PIXELS,
    PICTURE_SUFFIXES,
    EncodeOptions,
    open_picture,
)
from subpixel.network.flatness import Flatness
from subpixel.network.tuning import Setting, Tuning, Wish, remembered
from subpixel.spec import Precision
from subpixel.system.targets import expect_free, make_folder
from subpixel.upscaling.tuned import TunedUpscaler, is_deep


@dataclass(frozen=True)
class Outcome:
    """What became of one picture."""

    input: Path
    output: Path | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    losses: tuple[str, ...] = ()
    setting: Setting | None = None
    """How it was computed."""
    error: str | None = None


@dataclass(frozen=True)
class Skipped:
    """What adaptive came to."""

    flatness: Flatness | None
    share: float
    """Of all pixels, those that were interpolated: 0 … 1."""
    tuned: bool
    """Whether it was on because ``subpixel tune`` found it faster, not because it was asked for."""

    def __str__(self) -> str:
        if self.flatness is None:
            return "nothing was interpolated: even areas that are quite even would differ more"
        why = "; on by subpixel tune (--no-adaptive: off)" if self.tuned else ""
        return (
            f"{self.share:.0%} of the pixels were interpolated: parts that span no more than "
            f"{self.flatness.span} of 255 code values, where the network was measured to be at "
            f"most {self.flatness.bound:.2f} code values away{why}"
        )


@dataclass(frozen=True)
class Orders:
    """What the command line asked for, beside the network and the files."""

    encode: EncodeOptions
    strict: bool
    overwrite: bool
    max_pixels: int
    max_memory: int | None


@click.command(no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, type=FILE, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    type=FILE,
    metavar="FILE|FOLDER",
    help="[default: NAME_x3.EXT beside the input]",
)
@MODEL
@INPUT_RANGE
@OUTPUT_RANGE
@CHANNEL_ORDER
@OUTPUT_ORDER
@LAYOUT
@SET_INPUT
@PICTURE_OUTPUT
@DENOISING
@SCALE
@DEVICE
@click.option(
    "--tile",
    type=click.IntRange(min=0),
    help="Side of a tile in pixels; 0: the whole picture. [default: 512]",
)
@THREADS
@PRECISION
@click.option(
    "--no-tuning", is_flag=True, help="The default setting, whatever `subpixel tune` found here."
)
@click.option(
    "--adaptive/--no-adaptive",
    default=None,
    help="Interpolate flat parts, as far as that is within one 8-bit code value of the network. "
    "[default: as tuned, else not]",
)
@click.option("--strict", is_flag=True, help="Refuse to write what would lose anything.")
@OVERWRITE
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=DEFAULT_MAX_PIXELS,
    show_default=True,
    help="Refuse larger inputs.",
)
@click.option(
    "--max-memory",
    type=SIZE,
    metavar="SIZE",
    help="Of the whole process, such as 1G, 500M or 1.5GiB. [default: half of what is free]",
)
@click.option("--quality", type=click.IntRange(1, 100), help="Of JPEG, WebP and AVIF.")
@click.option("--lossless", is_flag=True, help="WebP and AVIF without loss.")
@click.option(
    "--compression", type=click.IntRange(0, 9), help="Of PNG: 0 fast and large … 9 slow and small."
)
@JSON
def command(
    inputs: tuple[Path, ...],
    output: Path | None,
    model: str,
    input_range: ValueRange | None,
    output_range: ValueRange | None,
    input_order: ChannelOrder | None,
    output_order: ChannelOrder | None,
    layout: TensorLayout | None,
    inputs_set: tuple[tuple[str, float], ...],
    output_name: str | None,
    scale: int | None,
    device: str,
    tile: int | None,
    threads: int | None,
    precision: Precision | None,
    no_tuning: bool,
    adaptive: bool | None,
    strict: bool,
    overwrite: bool,
    max_pixels: int,
    max_memory: int | None,
    quality: int | None,
    lossless: bool,
    compression: int | None,
    as_json: bool,
) -> int:
    """Enlarge pictures and folders of pictures.

    Colours, transparency, bit depth, colour profile and metadata are kept. What the output
    format can't hold is said on stderr, or refused with --strict. A picture that fails is
    reported and the others go on; the exit code is then 1. Where `subpixel tune` was run for this
    network, its setting is used; what is named here goes before it.
    """
    tuning = None if no_tuning else _tuning(model, scale, inputs, max_pixels)
    wish = Wish(None if device == "auto" else device, precision, tile, threads, adaptive)
    convention = make_convention(
        input_range, output_range, input_order, output_order, layout, inputs_set, output_name
    )
    upscaler = TunedUpscaler(model, scale=scale, wish=wish, tuning=tuning, convention=convention)
    if upscaler.remark:
        click.echo(f"subpixel: {model}: taken as {upscaler.remark}", err=True)
    jobs = plan_jobs(inputs, output, PICTURE_SUFFIXES, f"_x{upscaler.spec.scale}")
    encode = EncodeOptions(quality=quality, lossless=lossless, png_compression=compression)
    orders = Orders(encode, strict, overwrite, max_pixels, max_memory)
    with progress() as show:
        outcomes = [_attempt(upscaler, job, orders, show) for job in jobs]
    skipped = _skipped(upscaler, outcomes, adaptive)
    if as_json:
        facts = {"model": upscaler.spec, "provider": upscaler.provider, "adaptive": skipped}
        print_json({**facts, "files": outcomes})
    elif skipped:
        click.echo(f"subpixel: {skipped}", err=True)
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _skipped(
    upscaler: TunedUpscaler, outcomes: Sequence[Outcome], adaptive: bool | None
) -> Skipped | None:
    """None where no picture was computed adaptively; ``adaptive`` is what was asked for."""
    if not any(outcome.setting and outcome.setting.adaptive for outcome in outcomes):
        return None
    return Skipped(upscaler.flatness, upscaler.tally.share, tuned=adaptive is None)


def _tuning(
    model: str, scale: int | None, inputs: Sequence[Path], max_pixels: int
) -> Tuning | None:
    """What was found on this machine, as far as it pays for these pictures."""
    found = remembered(
        model, scale=scale, complain=lambda line: click.echo(f"subpixel: {line}", err=True)
    )
    if found is None:
        return None
    try:
        headers = [open_picture(file, max_pixels=max_pixels).header for file in inputs]
    except SubpixelError:  # a folder: work enough; else it is said when its turn comes
        return found
    return found.for_work(sum(h.expect_count("tuning") * h.height * h.width for h in headers) / 1e6)


def _attempt(
    upscaler: TunedUpscaler, job: Job, orders: Orders, show: Callable[[str, int, int], None]
) -> Outcome:
    try:
        outcome = _upscale(upscaler, job, orders, show)
    except SubpixelError as error:
        return _failed(job, str(error))
    except MemoryError as error:
        return _failed(job, f"{job.source}: not enough memory: {error}")
    for loss in outcome.losses:
        click.echo(f"subpixel: {job.target}: lost {loss}", err=True)
    return outcome


def _failed(job: Job, reason: str) -> Outcome:
    click.echo(f"subpixel: {reason}", err=True)
    return Outcome(job.source, error=reason)


def _upscale(
    upscaler: TunedUpscaler, job: Job, orders: Orders, show: Callable[[str, int, int], None]
) -> Outcome:
    started = time.perf_counter()
    expect_free(job.target, overwrite=orders.overwrite)
    source = open_picture(job.source, max_pixels=orders.max_pixels)
    make_folder(job.target.parent)
    deep = is_deep(source.header)
    losses = upscaler.upscaler(deep=deep).file(
        source,
        job.target,
        orders.encode,
        strict=orders.strict,
        overwrite=orders.overwrite,
        max_memory=orders.max_memory,
        report=lambda done, total: show(job.source.name, done, total),
    )
    larger = source.header.enlarged(upscaler.spec.scale)
    return Outcome(
        job.source,
        job.target,
        larger.width,
        larger.height,
        round(time.perf_counter() - started, 3),
        tuple(map(str, losses)),
        upscaler.setting(deep=deep),
    )
