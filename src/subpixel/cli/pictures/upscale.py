"""``subpixel upscale``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import click

from subpixel.cli.options.choices import FILE, JSON
from subpixel.cli.options.grouping import SectionedCommand, list_options
from subpixel.cli.options.pictures.cluster import CLUSTER, ClusterOptions
from subpixel.cli.options.pictures.film import FILM
from subpixel.cli.options.pictures.network_choice import StrengthCommand
from subpixel.cli.options.pictures.resuming import RESUMING, Resuming
from subpixel.cli.options.pictures.target_size import TARGET_SIZE
from subpixel.cli.options.pictures.upscaling import (
    CONVENTION,
    ENCODE,
    LIMITS,
    NETWORK,
    TARGETS,
    VOLUME,
    Limits,
    NetworkOptions,
    TargetOptions,
    Volume,
)
from subpixel.cli.upscaling.local import run_here
from subpixel.cli.upscaling.request import UpscaleRequest
from subpixel.convention import Convention
from subpixel.jobs.film.options import FilmOptions
from subpixel.media.image_file import EncodeOptions
from subpixel.upscaling.size.target_size import TargetSize


class UpscaleCommand(SectionedCommand, StrengthCommand):
    """Its options by what they are for."""

    sections: ClassVar[Mapping[str, Sequence[str]]] = {
        "Where results go": list_options(TARGETS),
        "Long jobs": [*list_options(RESUMING), *list_options(CLUSTER)],
        "How large they become": list_options(TARGET_SIZE),
        "How they are saved": list_options(ENCODE),
        "Films": list_options(FILM),
        "Which network, and how it runs": list_options(NETWORK),
        "Third-party networks, where what is found out by running them is wrong": list_options(
            CONVENTION
        ),
        "Limits": list_options(LIMITS),
    }


@click.command(cls=UpscaleCommand, no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, type=FILE, metavar="INPUT...")
@TARGETS
@RESUMING
@CLUSTER
@TARGET_SIZE
@NETWORK
@CONVENTION
@click.option("--strict", is_flag=True, help="Refuse to write what would lose anything.")
@LIMITS
@ENCODE
@FILM
@VOLUME
@JSON
def command(
    inputs: tuple[Path, ...],
    targets: TargetOptions,
    resuming: Resuming,
    cluster: ClusterOptions,
    size: TargetSize | None,
    network: NetworkOptions,
    convention: Convention,
    strict: bool,
    limits: Limits,
    encode: EncodeOptions,
    film: FilmOptions,
    volume: Volume,
    as_json: bool,
) -> int:
    """Enlarge pictures, films and folders of them.

    \b
    subpixel upscale cat.jpg                   three times as large: cat_x3.jpg
    subpixel upscale cat.jpg -o large.webp     under another name, in another format
    subpixel upscale photos -o larger          a folder, with its subfolders
    subpixel upscale cat.jpg --fit 3840x2160   to a size
    subpixel upscale film.mp4 --preview 10s    the first seconds of a film

    By a factor, or to a size in pixels of the picture upright; where that is not larger, no network
    is used, and that is said. - is a picture from standard input.

    Colours, transparency, bit depth, colour profile and metadata are kept. What the output
    format can't hold is said on stderr, or refused with --strict. A picture that fails is
    reported and the others go on; the exit code is then 1.

    Which network a picture goes through, and why, is said on stderr. 8-bit pictures are computed in
    8-bit integers, where the network has such a form and the processor computes: the same picture
    on every machine. Where `subpixel tune` was run for this network, its setting is used; what is
    named here goes before it.

    Of a folder and its subfolders every picture is taken, told by what the files hold. Left out,
    and counted at the end, are hidden files, thumbnails, and earlier results beside their sources.
    What was done is kept in a journal, and the same command goes on there after any end.

    Of a film all other streams are kept as they are: sound, subtitles, chapters, attachments. What
    the container can't hold is said before the work. A run that was ended goes on where it was.

    With --engine ray a cluster does it, from one folder or URL to another.
    """
    request = UpscaleRequest(
        inputs,
        targets,
        resuming,
        cluster,
        size,
        network,
        convention,
        strict,
        limits,
        encode,
        film,
        volume,
        as_json,
    )
    cluster.expect_places(inputs, targets)
    if not cluster.is_used:
        return run_here(request)
    from subpixel.cli.upscaling.cluster import run_on_cluster  # loaded for clusters alone

    return run_on_cluster(request)
