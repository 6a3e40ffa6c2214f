"""Options of ``subpixel upscale``, each kind of them as one value."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from subpixel.cli.options.choices import (
    DEVICE,
    FILE,
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
from subpixel.cli.options.grouping import group_options
from subpixel.cli.options.number_types import WholeNumber
from subpixel.cli.options.pictures.alpha import ALPHA_OPTION
from subpixel.cli.options.pictures.network_choice import NETWORK_NAME, STRENGTH, expect_own_strength
from subpixel.cli.options.pictures.picture_format import FORMAT, expect_one_format
from subpixel.cli.options.untrusted import UNTRUSTED
from subpixel.errors import UsageError
from subpixel.jobs.outputs import Job, Naming
from subpixel.jobs.pipes import expect_redirected, plan_pipe
from subpixel.media.image_file import DEFAULT_MAX_PIXELS, EncodeOptions
from subpixel.network.settings import RunSettings
from subpixel.spec import Precision
from subpixel.system.files.standard_input import PIPE
from subpixel.upscaling.alpha import AlphaMode
from subpixel.zoo.family import first_network, tuned_network


@dataclass(frozen=True)
class NetworkOptions:
    """Which network, and how it is run; None: as tuned, or the default."""

    model: str
    denoise: float | None
    device: str
    tile: int | None
    threads: int | None
    precision: Precision | None
    no_tuning: bool
    adaptive: bool | None
    alpha: AlphaMode

    def __post_init__(self) -> None:
        expect_own_strength(self.model, self.denoise)

    @property
    def first(self) -> str | Path:
        """The network that pictures go through at first, before one was looked at."""
        return first_network(self.model, self.denoise)

    @property
    def tuned(self) -> str | Path:
        """The network whose tuning holds."""
        return tuned_network(self.first)

    @property
    def settings(self) -> RunSettings:
        """What was asked for of the running."""
        return RunSettings(
            self.device, self.precision, self.tile, self.threads, None, self.adaptive
        )


NETWORK = group_options(
    "network",
    NetworkOptions,
    NETWORK_NAME,
    STRENGTH,
    DEVICE,
    click.option(
        "--tile",
        type=WholeNumber(min=0),
        metavar="PIXELS",
        help="Side of the squares that pictures are computed in; 0: the whole picture at once. "
        "[default: 512]",
    ),
    THREADS,
    PRECISION,
    click.option(
        "--no-tuning",
        is_flag=True,
        help="Run as if `subpixel tune` had found nothing on this machine.",
    ),
    click.option(
        "--adaptive/--no-adaptive",
        default=None,
        help="Interpolate flat parts, as far as that is within one 8-bit code value of the "
        "network. [default: as tuned, else not]",
    ),
    ALPHA_OPTION,
)

CONVENTION = group_options(
    "convention",
    make_convention,
    INPUT_RANGE,
    OUTPUT_RANGE,
    CHANNEL_ORDER,
    OUTPUT_ORDER,
    LAYOUT_OPTION,
    SET_INPUT,
    PICTURE_OUTPUT,
)


@dataclass(frozen=True)
class TargetOptions:
    """Where results go and how they are called."""

    output: Path | None
    suffix: str | None
    """Of the format that all results are to have."""
    mark: str | None
    skip_existing: bool
    overwrite: bool
    keep_date: bool

    def __post_init__(self) -> None:
        if self.skip_existing and self.overwrite:
            raise UsageError("--skip-existing and --overwrite say opposite things; name one")
        if self.mark is not None and not set(self.mark).isdisjoint("/\\\0"):
            raise UsageError(
                f"--suffix {self.mark!r} would name another folder; use -o FOLDER for that"
            )
        expect_one_format(self.output, self.suffix)

    def plan_pipe(self, inputs: Sequence[Path], *, prints_json: bool) -> Job | None:
        """The one job where standard input or output is named, else None; raises
        :class:`UsageError` for what does not go with them."""
        if PIPE not in (*inputs, self.output):
            return None
        job = plan_pipe(inputs, self.output, self.suffix)
        expect_redirected(job)
        if prints_json and job.target == PIPE:
            raise UsageError(
                "--json and the picture would both go to standard output; name a file with -o"
            )
        if self.mark is not None or self.keep_date or self.skip_existing:
            raise UsageError(
                "--suffix, --keep-date and --skip-existing are for files, and - is a stream; leave "
                "them out"
            )
        return job

    def naming(self, label: str) -> Naming:
        """How results of that enlargement are called; raises :class:`UsageError` for a suffix to
        a name that is given in full."""
        mark = f"_{label}" if self.mark is None else self.mark
        marks_all = self.mark is not None
        naming = Naming(self.output, mark, marks_all=marks_all, suffix=self.suffix)
        if self.mark is not None and naming.single is not None:
            raise UsageError(
                f"--suffix is for names that are made here, and -o {self.output} is one in full; "
                "name a folder, or leave one of them out"
            )
        return naming


TARGETS = group_options(
    "targets",
    TargetOptions,
    click.option(
        "-o",
        "--output",
        type=FILE,
        metavar="FILE|FOLDER|-",
        help="A picture file, a folder (made where there is none), or - for standard output. "
        "[default: NAME_x3.EXT beside the input, NAME_w1920.EXT for --width 1920; standard "
        "output for -]",
    ),
    FORMAT,
    click.option(
        "--suffix",
        "mark",
        metavar="TEXT",
        help="End results' names in TEXT instead of _x3; names in an output folder, which else "
        "stay as they are, too.",
    ),
    click.option(
        "--skip-existing",
        is_flag=True,
        help="Leave out pictures whose result is there already.",
    ),
    OVERWRITE,
    click.option("--keep-date", is_flag=True, help="Give result files the dates of their inputs."),
)


@dataclass(frozen=True)
class Limits:
    """How much is taken on."""

    max_pixels: int
    max_memory: int | None
    untrusted: bool


LIMITS = group_options(
    "limits",
    Limits,
    click.option(
        "--max-pixels",
        type=WholeNumber(min=1),
        default=DEFAULT_MAX_PIXELS,
        show_default=True,
        metavar="NUMBER",
        help="Refuse inputs of more pixels, all frames counted.",
    ),
    click.option(
        "--max-memory",
        type=SIZE,
        metavar="SIZE",
        help="Take no more memory, such as 1G, 500M or 1.5GiB. [default: half of what is free]",
    ),
    UNTRUSTED,
)

ENCODE_NAMES = {
    "quality": "--quality",
    "lossless": "--lossless",
    "png_compression": "--compression",
}
"""What the command line calls the fields of :class:`EncodeOptions`."""

ENCODE = group_options(
    "encode",
    EncodeOptions,
    click.option(
        "--quality",
        type=WholeNumber(1, 100),
        metavar="1...100",
        help="Of JPEG [default: 95], WebP and JPEG XL [90], AVIF and HEIC [80].",
    ),
    click.option(
        "--lossless",
        is_flag=True,
        help="Write WebP, AVIF, HEIC or JPEG XL without loss; other formats but JPEG always are.",
    ),
    click.option(
        "--compression",
        "png_compression",
        type=WholeNumber(0, 9),
        metavar="0...9",
        help="Of PNG: from 0 (fast, large) to 9 (slow, small). [default: 2]",
    ),
)


@dataclass(frozen=True)
class Volume:
    """How much is said."""

    quiet: bool
    verbose: bool

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose say opposite things; name one")


VOLUME = group_options(
    "volume",
    Volume,
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors; losses neither."),
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Say what became of each picture.",
    ),
)
