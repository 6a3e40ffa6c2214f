"""Options for films: how they are encoded, which part of them is taken."""

import re
from fractions import Fraction

import click

from subpixel.cli.options.grouping import group_options
from subpixel.cli.options.number_types import WholeNumber
from subpixel.jobs.film.options import FilmOptions, Preview
from subpixel.media.film.encoding.codecs import CODEC_NAMES, VideoCodec, codec_named

_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:\.\d{1,9})?)")
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s?")


class CodecName(click.ParamType):  # type: ignore[type-arg]
    """A video codec by its name."""

    name = "codec"

    def convert(
        self, value: str | VideoCodec, param: click.Parameter | None, ctx: click.Context | None
    ) -> VideoCodec:
        if isinstance(value, VideoCodec):
            return value
        try:
            return codec_named(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class FilmPart(click.ParamType):  # type: ignore[type-arg]
    """So many seconds from a time on: 10s@1:20."""

    name = "length@time"

    def convert(
        self, value: str | Preview, param: click.Parameter | None, ctx: click.Context | None
    ) -> Preview:
        if isinstance(value, Preview):
            return value
        length, _, start = value.strip().partition("@")
        seconds, first = _read_seconds(length), _read_seconds(start or "0")
        if not seconds or first is None:
            text = f"{value!r} is no part of a film; write 10s@1:20 for 10 seconds from 1:20 on"
            self.fail(text, param, ctx)
        return Preview(seconds, first)


def _read_seconds(text: str) -> Fraction | None:
    """Of ``90``, ``90s``, ``1:30``, ``0:01:30``, ``1:30.5``; None for another text."""
    clock, plain = _CLOCK.fullmatch(text), _SECONDS.fullmatch(text)
    if clock:
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + Fraction(clock[3])
    return Fraction(plain[1]) if plain else None


FILM_NAMES = {
    "codec": "--video-codec",
    "crf": "--crf",
    "preset": "--preset",
    "deinterlace": "--deinterlace",
    "preview": "--preview",
}
"""What the command line calls the fields of :class:`FilmOptions`."""

FILM = group_options(
    "film",
    FilmOptions,
    click.option(
        "--video-codec",
        "codec",
        type=CodecName(),
        metavar="NAME",
        help=f"One of {', '.join(CODEC_NAMES)}. [default: h264, with more than 8 bits h265; "
        "WebM: vp9, av1]",
    ),
    click.option(
        "--crf",
        type=WholeNumber(0, 100),
        help="Constant quality, in the codec's scale, lower is better. [default: h264 "
        "18, h265 20, av1 28, vp9 24]",
    ),
    click.option("--preset", metavar="NAME", help="How hard the encoder tries."),
    click.option(
        "--deinterlace",
        is_flag=True,
        help="Make whole frames of two interlaced half pictures each.",
    ),
    click.option(
        "--preview",
        type=FilmPart(),
        metavar="LENGTH@TIME",
        help="Only this part, such as 10s@1:20.",
    ),
)
