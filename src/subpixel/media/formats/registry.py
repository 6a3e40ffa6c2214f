"""The list of formats, the one place where each is met, and how a file's format is told."""

from collections.abc import Iterable
from pathlib import Path

from subpixel.errors import PictureError, UsageError
from subpixel.media.formats.boxes.avif import AVIF
from subpixel.media.formats.boxes.heic import HEIC
from subpixel.media.formats.format import EncodeOptions, Format
from subpixel.media.formats.gif.gif import GIF
from subpixel.media.formats.jpeg.jpeg import JPEG
from subpixel.media.formats.jpeg_xl.jpeg_xl import JPEG_XL
from subpixel.media.formats.plain.bmp import BMP
from subpixel.media.formats.plain.pam import PAM
from subpixel.media.formats.plain.ppm import PPM
from subpixel.media.formats.png.png import PNG
from subpixel.media.formats.tiff.tiff import TIFF
from subpixel.media.formats.webp.webp import WEBP

FORMATS: tuple[Format, ...] = (
    *(JPEG, PNG, WEBP, TIFF, AVIF, HEIC, JPEG_XL, GIF),
    *(BMP, PPM, PAM),
)

PICTURE_SUFFIXES = frozenset(suffix for form in FORMATS for suffix in form.suffixes)
"""The suffixes of files that can be read and written, in lower case."""


def format_of(file: Path) -> Format:
    """The format that a file's suffix names; raises :class:`PictureError` for an unknown one."""
    for form in FORMATS:
        if file.suffix.lower() in form.suffixes:
            return form
    allowed = ", ".join(suffix for form in FORMATS for suffix in form.suffixes)
    got = f": the suffix {file.suffix!r}" if file.suffix else " has no suffix, and"
    raise PictureError(f"{file}{got} names no picture format; use one of {allowed}")


def sniff(head: bytes) -> Format | None:
    """The format that a file's first bytes announce; 64 of them are enough."""
    return next((form for form in FORMATS if form.recognize(head)), None)


def expect_all_used(options: EncodeOptions, form: Format) -> None:
    """Raises :class:`UsageError` for an option that means nothing for files of ``form``."""
    for name in options.unused_by(form):
        raise UsageError(f"{name} {explain_unused(options, name, [form])}")


def explain_unused(options: EncodeOptions, name: str, forms: Iterable[Format]) -> str:
    """That a field of ``options`` means nothing for ``forms``, and which formats it goes with."""
    sharp = " without loss" if name == "quality" and options.lossless else ""
    takers = list_names(form for form in FORMATS if name in form.writer.options)
    return f"means nothing for {list_names(forms)}{sharp}; it goes with {takers}"


def list_names(forms: Iterable[Format] | None = None) -> str:
    """The names of formats (None: all) for people: ``"A, B or C"``."""
    names = [form.name for form in (FORMATS if forms is None else forms)]
    return " or ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
