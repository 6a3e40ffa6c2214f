"""``subpixel upscale``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from subpixel.cli.options.choices import (
    DEVICE,
    FILE,
    JSON,
    OVERWRITE,
    PRECISION,
    SCALE,
    SIZE,
    THREADS,
)
from subpixel.cli.options.convention import (
    CHANNEL_ORDER,
    INPUT_RANGE,
    LAYOUT_OPTION,
    OUTPUT_ORDER,
    OUTPUT_RANGE,
    PICTURE_OUTPUT,
    SET_INPUT,
    make_convention,
)
from subpixel.cli.options.network_choice import (
    NETWORK,
    STRENGTH,
    ChoiceLines,
    StrengthCommand,
    tuned_name,
)
from subpixel.cli.output import print_json, progress
from subpixel.convention import ChannelOrder, TensorLayout, ValueRange
from subpixel.jobs.outputs import plan_jobs
from subpixel.jobs.pictures import (
    JobOptions,
    JobResult,
    PictureFiles,
    limit_tuning,
    upscale_files,
)
from subpixel.media.image_file import DEFAULT_MAX_PIXELS, PICTURE_SUFFIXES, EncodeOptions
from subpixel.network.flatness import Flatness
from subpixel.network.tuning_cache import load_tuning
from subpixel.spec import Precision
from subpixel.upscaling.upscaler import Upscaler


@dataclass(frozen=True)
class Interpolation:
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


@click.command(cls=StrengthCommand, no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, type=FILE, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    type=FILE,
    metavar="FILE|FOLDER",
    help="[default: NAME_x3.EXT beside the input]",
)
@NETWORK
@INPUT_RANGE
@OUTPUT_RANGE
@CHANNEL_ORDER
@OUTPUT_ORDER
@LAYOUT_OPTION
@SET_INPUT
@PICTURE_OUTPUT
@STRENGTH
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
    denoise: float | None,
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
    reported and the others go on; the exit code is then 1. Which network a picture goes through,
    and why, is said on stderr. 8-bit pictures are computed in 8-bit integers, where the network has
    such a form and the processor computes: the same picture on every machine. Where `subpixel
    tune` was run for this network, its setting is used; what is named here goes before it.
    """
    files = PictureFiles(max_pixels)
    tuned = tuned_name(model, denoise)
    tuning = None if no_tuning else load_tuning(tuned, scale=scale, warn=_warn)
    upscaler = Upscaler(
        model,
        scale=scale,
        denoise=denoise,
        device=device,
        precision=precision,
        tile=tile,
        threads=threads,
        adaptive=adaptive,
        tuning=limit_tuning(tuning, inputs, files) if tuning else False,
        convention=make_convention(
            input_range, output_range, input_order, output_order, layout, inputs_set, output_name
        ),
    )
    if upscaler.remark:
        _warn(f"{model}: taken as {upscaler.remark}")
    jobs = plan_jobs(inputs, output, PICTURE_SUFFIXES, f"_x{upscaler.spec.scale}")
    encode = EncodeOptions(quality=quality, lossless=lossless, png_compression=compression)
    options = JobOptions(encode, strict, overwrite, max_memory)
    results, choices = [], ChoiceLines()
    with progress() as show:
        for result in upscale_files(upscaler, jobs, files, options, show):
            if line := choices.say(result.input.name, result.choice):
                _warn(line)
            _warn_of(result)
            results.append(result)
    interpolation = _summarize(upscaler, results, adaptive)
    if as_json:
        facts = {"model": upscaler.spec, "provider": upscaler.provider, "adaptive": interpolation}
        print_json({**facts, "files": results})
    elif interpolation:
        _warn(str(interpolation))
    return 1 if any(result.error for result in results) else 0


def _warn(line: str) -> None:
    click.echo(f"subpixel: {line}", err=True)


def _warn_of(result: JobResult) -> None:
    """What went wrong with a picture, or what was lost."""
    if result.error:
        _warn(result.error)
    for loss in result.losses:
        _warn(f"{result.output}: lost {loss}")


def _summarize(
    upscaler: Upscaler, results: Sequence[JobResult], adaptive: bool | None
) -> Interpolation | None:
    """None where no picture was computed adaptively; ``adaptive`` is what was asked for."""
    if not any(result.setting and result.setting.adaptive for result in results):
        return None
    return Interpolation(upscaler.flatness, upscaler.tally.share, tuned=adaptive is None)
