"""Options for films: what they take, what is said of others."""

from fractions import Fraction
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from subpixel.cli.options.pictures.film import FILM, FILM_NAMES
from subpixel.errors import UsageError
from subpixel.jobs.film.options import DEFAULT_FILM_OPTIONS, FilmOptions, Preview
from subpixel.jobs.outputs import Job
from subpixel.jobs.pictures import expect_films_used
from subpixel.media.film.encoding.codecs import codec_named
from subpixel.media.formats.format import EncodeOptions
from subpixel.system.files.standard_input import PIPE

PICTURE = Job(Path("a.png"), Path("b.png"))
FILM_JOB = Job(Path("a.mp4"), Path("b.mp4"))


def _parse(*args: str) -> FilmOptions:
    values: list[FilmOptions] = []

    @click.command()
    @FILM
    def command(film: FilmOptions) -> None:
        values.append(film)

    result = CliRunner().invoke(command, args)
    if result.exit_code:
        raise ValueError(result.output)
    return values[0]


def test_nothing_is_the_default() -> None:
    assert _parse() == DEFAULT_FILM_OPTIONS
    assert _parse().changes == ()
    assert set(FILM_NAMES) == set(vars(DEFAULT_FILM_OPTIONS))


@pytest.mark.parametrize(
    ("text", "seconds", "start"),
    [
        ("10s@1:20", Fraction(10), Fraction(80)),
        ("10", Fraction(10), Fraction(0)),
        ("0:30@1:02:03.5", Fraction(30), Fraction(7447, 2)),
        ("2.5s@7s", Fraction(5, 2), Fraction(7)),
    ],
)
def test_a_part_of_a_film(text: str, seconds: Fraction, start: Fraction) -> None:
    assert _parse("--preview", text).preview == Preview(seconds, start)


@pytest.mark.parametrize("text", ["", "@1:20", "0s", "ten", "1:2:3:4", "-5s", "5m"])
def test_what_is_no_part_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"write 10s@1:20 for 10 seconds from 1:20 on"):
        _parse("--preview", text)


def test_codecs_have_names() -> None:
    assert _parse("--video-codec", "HEVC").codec == codec_named("h265")
    assert _parse("--video-codec", "hevc_nvenc").codec == codec_named("h265_nvenc")
    with pytest.raises(ValueError, match="is no video codec here; use one of h264, h265, av1"):
        _parse("--video-codec", "theora")


def test_options_mean_something_for_what_there_is() -> None:
    names = {**FILM_NAMES, "quality": "--quality"}
    plain, film = EncodeOptions(), FilmOptions(crf=20)
    expect_films_used(plain, film, [PICTURE, FILM_JOB], names)
    expect_films_used(EncodeOptions(quality=80), film, [PICTURE, FILM_JOB], names)
    with pytest.raises(UsageError, match="--crf is for films, and there is none here"):
        expect_films_used(plain, film, [PICTURE], names)
    with pytest.raises(UsageError, match="--quality is for pictures; for a film use --crf"):
        expect_films_used(EncodeOptions(quality=80), FilmOptions(), [FILM_JOB], names)
    with pytest.raises(UsageError, match="a film is no stream here"):
        expect_films_used(plain, FilmOptions(), [Job(Path("a.mp4"), PIPE)], names)
