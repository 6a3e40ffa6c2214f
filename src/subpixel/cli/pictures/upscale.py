"""``subpixel upscale``."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
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
from subpixel.cli.options.picture_format import FORMAT, expect_one_format
from subpixel.cli.options.target_size import (
    FACTOR,
    FILL,
    FIT,
    HEIGHT,
    MEGAPIXELS,
    WIDTH,
    choose_opening_scale,
    make_target_size,
)
from subpixel.cli.output import print_json, progress
from subpixel.convention import ChannelOrder, TensorLayout, ValueRange
from subpixel.errors import UsageError
from subpixel.jobs.outputs import Job, plan_jobs
from subpixel.jobs.pictures import (
    PIPE,
    JobOptions,
    JobResult,
    PictureFiles,
    limit_tuning,
    upscale_files,
)
from subpixel.jobs.pipes import expect_redirected, plan_pipe, upscale_pipe
from subpixel.media.image_file import DEFAULT_MAX_PIXELS, PICTURE_SUFFIXES, EncodeOptions
from subpixel.network.flatness import Flatness
from subpixel.network.locate import bundled_scales
from subpixel.network.tuning_cache import load_tuning
from subpixel.spec import Precision
from subpixel.upscaling.size.enlargement import explain_fixed_scale
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


@click.command(no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, type=FILE, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    type=FILE,
    metavar="FILE|FOLDER|-",
    help="- is standard output. [default: NAME_x3.EXT or NAME_w1920.EXT beside the input; of - "
    "standard output]",
)
@FORMAT
@MODEL
@INPUT_RANGE
@OUTPUT_RANGE
@CHANNEL_ORDER
@OUTPUT_ORDER
@LAYOUT_OPTION
@SET_INPUT
@PICTURE_OUTPUT
@DENOISING
@FACTOR
@WIDTH
@HEIGHT
@FIT
@FILL
@MEGAPIXELS
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
    suffix: str | None,
    model: str,
    input_range: ValueRange | None,
    output_range: ValueRange | None,
    input_order: ChannelOrder | None,
    output_order: ChannelOrder | None,
    layout: TensorLayout | None,
    inputs_set: tuple[tuple[str, float], ...],
    output_name: str | None,
    scale: Fraction | None,
    width: int | None,
    height: int | None,
    fit: tuple[int, int] | None,
    fill: tuple[int, int] | None,
    megapixels: float | None,
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

    By a factor, or to a size in pixels of the picture upright; where that is not larger, no network
    is used, and that is said. - is a picture from standard input.

    Colours, transparency, bit depth, colour profile and metadata are kept. What the output
    format can't hold is said on stderr, or refused with --strict. A picture that fails is
    reported and the others go on; the exit code is then 1. Where `subpixel tune` was run for this
    network, its setting is used; what is named here goes before it.
    """
    files = PictureFiles(max_pixels, max_memory)
    expect_one_format(output, suffix)
    pipe = plan_pipe(inputs, output, suffix) if PIPE in (*inputs, output) else None
    if pipe:
        expect_redirected(pipe)
        _expect_alone_on_stdout(pipe, as_json)
    size = make_target_size(scale, width, height, fit, fill, megapixels)
    opening_scale = choose_opening_scale(size, bundled_scales(model, precision))
    tuning = None if no_tuning else load_tuning(model, scale=opening_scale, warn=_warn)
    upscaler = Upscaler(
        model,
        scale=opening_scale,
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
    if size and size.factor == upscaler.spec.scale:
        size = None  # the network's own
    if size and size.factor and len(upscaler.scales) == 1:
        _warn(explain_fixed_scale(model, upscaler.spec.scale, size.factor))
    label = size.label if size else f"x{upscaler.spec.scale}"
    jobs = () if pipe else plan_jobs(inputs, output, PICTURE_SUFFIXES, f"_{label}", suffix)
    encode = EncodeOptions(quality=quality, lossless=lossless, png_compression=compression)
    options = JobOptions(encode, strict, overwrite, max_memory, size)
    results = []
    with progress() as show:
        for result in upscale_files(upscaler, jobs, files, options, show):
            _warn_of(result)
            results.append(result)
        if pipe:
            results.append(upscale_pipe(upscaler, pipe, suffix, files, options, show))
            _warn_of(results[-1])
    interpolation = _summarize(upscaler, results, adaptive)
    if as_json:
        facts = {"model": upscaler.spec, "provider": upscaler.provider, "adaptive": interpolation}
        print_json({**facts, "files": results})
    elif interpolation:
        _warn(str(interpolation))
    return 1 if any(result.error for result in results) else 0


def _expect_alone_on_stdout(pipe: Job, as_json: bool) -> None:
    if as_json and pipe.target == PIPE:
        raise UsageError(
            "--json and the picture would both go to standard output; name a file with -o"
        )


def _warn(line: str | None) -> None:
    if line:
        click.echo(f"subpixel: {line}", err=True)


def _warn_of(result: JobResult) -> None:
    """What went wrong with a picture, or what was lost."""
    if result.error:
        _warn(result.error)
    if result.note:
        _warn(f"{result.input}: {result.note}")
    for loss in result.losses:
        _warn(f"{result.output}: lost {loss}")


def _summarize(
    upscaler: Upscaler, results: Sequence[JobResult], adaptive: bool | None
) -> Interpolation | None:
    """None where no picture was computed adaptively; ``adaptive`` is what was asked for."""
    if not any(result.setting and result.setting.adaptive for result in results):
        return None
    return Interpolation(upscaler.flatness, upscaler.tally.share, tuned=adaptive is None)
