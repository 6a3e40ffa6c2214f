"""The option that names a picture format, whatever the names of the files."""

from pathlib import Path
from typing import NoReturn

import click

from subpixel.errors import UsageError
from subpixel.media.film.kinds import FILM_TARGETS
from subpixel.media.formats.registry import FORMATS


class PictureFormat(click.ParamType):  # type: ignore[type-arg]
    """A format's name or suffix, in any case: its usual suffix, such as ``.jpg``."""

    name = "format"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = value.strip().lower()
        for form in FORMATS:
            if name == form.name.lower() or f".{name.removeprefix('.')}" in form.suffixes:
                return form.suffixes[0]
        return self._refuse(value, param, ctx)

    def _refuse(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> NoReturn:
        suffix = f".{value.strip().lower().removeprefix('.')}"
        hint = f"; a film is named by its file: -o film{suffix}" if suffix in FILM_TARGETS else ""
        self.fail(f"{value!r} is no picture format; use one of {_list_formats()}{hint}", param, ctx)


def _list_formats() -> str:
    return ", ".join(form.name.lower() for form in FORMATS)


FORMAT = click.option(
    "--format",
    "suffix",
    type=PictureFormat(),
    metavar="NAME",
    help=f"Write {_list_formats()}, whatever the input is. [default: as the output's name says, "
    "else as the input]",
)


def expect_one_format(output: Path | None, suffix: str | None) -> None:
    """Raise :class:`UsageError` where an output file's name says another format than ``suffix``."""
    if output is None or suffix is None or output.is_dir():
        return
    named = next((form for form in FORMATS if output.suffix.lower() in form.suffixes), None)
    if named is not None and suffix not in named.suffixes:
        raise UsageError(
            f"{output} names {named.name}, and --format another ({suffix}); leave one of them out"
        )
