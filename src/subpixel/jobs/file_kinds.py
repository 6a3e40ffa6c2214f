"""What a file in a folder is: a picture of which format, a film, or which other kind, by its first
bytes.

A suffix of ours is taken at its word: what is wrong with such a file is said when it is read.
"""

from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import PictureError, ProviderError
from subpixel.media.film.kinds import (
    TS_HEAD_BYTES,
    expect_film_package,
    film_kind_of,
    is_transport_stream,
    sniff_film,
    target_suffix,
)
from subpixel.media.formats.format import Format
from subpixel.media.formats.registry import FORMATS, sniff
from subpixel.media.formats.tiff.developing import can_develop
from subpixel.media.formats.tiff.tiff import TIFF
from subpixel.media.libvips import HEAD_BYTES
from subpixel.system.files.inputs import open_input


@dataclass(frozen=True)
class ForeignKind:
    """A kind of file that no format of ours claims, though it looks like one that does."""

    name: str
    suffixes: frozenset[str]
    """In lower case, with their dots. They decide before the first bytes do: those of camera raw
    are TIFF's."""
    beginnings: tuple[bytes, ...] = ()
    """Of the file."""


RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef"}
    | {".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf"}
    | {".srw", ".x3f"}
)

SOUND_SUFFIXES = frozenset(
    {".aac", ".flac", ".m4a", ".m4b", ".mka", ".mp3", ".oga", ".opus", ".wav", ".wma"}
)

FOREIGN_KINDS: tuple[ForeignKind, ...] = (
    ForeignKind("camera raw", RAW_SUFFIXES, (b"FUJIFILMCCD-RAW ", b"\0\0\0\x18ftypcrx ")),
    ForeignKind("Photoshop", frozenset({".psd", ".psb"}), (b"8BPS",)),
    ForeignKind("sound", SOUND_SUFFIXES, (b"\0\0\0\x1cftypM4A ", b"\0\0\0\x20ftypM4A ")),
    ForeignKind("JPEG 2000", frozenset({".jp2", ".j2k", ".jpx"}), (b"\0\0\0\x0cjP  \r\n\x87\n",)),
)


@dataclass(frozen=True)
class FileKind:
    """What a file is, as far as it was looked at."""

    suffix: str | None
    """That of a file in its format, as the file writes it where it has one; None where no format
    of ours claims the file."""
    label: str = ""
    """Where none does: what else it is, for people; empty where that isn't known."""


def file_kind_of(file: Path) -> FileKind:
    """What ``file`` is; it is opened where its suffix doesn't tell.

    Raises :class:`OSError` where it can't be opened.
    """
    suffix = file.suffix.lower()
    for form in FORMATS:
        if suffix in form.suffixes:
            return _kind_of_format(form, file.suffix)
    if film_kind_of(suffix):
        return _kind_of_film(file.suffix) if _is_film(file) else FileKind(None)
    if suffix in RAW_SUFFIXES and can_develop():
        return FileKind(TIFF.suffixes[0])
    for foreign in FOREIGN_KINDS:
        if suffix in foreign.suffixes:
            return FileKind(None, foreign.name)
    with open_input(file) as stream:
        return _kind_of_head(stream.read(HEAD_BYTES))


def _is_film(file: Path) -> bool:
    """Whether a file whose suffix is a film's may be one."""
    if file.suffix.lower() != ".ts":
        return True
    with open_input(file) as stream:
        return is_transport_stream(stream.read(TS_HEAD_BYTES))


def _kind_of_head(head: bytes) -> FileKind:
    form = sniff(head)
    if form is not None:
        return _kind_of_format(form, form.suffixes[0])
    foreign = next((kind for kind in FOREIGN_KINDS if head.startswith(kind.beginnings)), None)
    film = sniff_film(head)
    if foreign is None and film is not None:
        return _kind_of_film(film)
    return FileKind(None, foreign.name if foreign else "")


def _kind_of_format(form: Format, suffix: str) -> FileKind:
    """None of ours where the package is missing that reads the format, which is said."""
    try:
        form.expect_package()
    except PictureError as error:
        return FileKind(None, str(error))
    return FileKind(suffix)


def _kind_of_film(suffix: str) -> FileKind:
    """As :func:`_kind_of_format`; its suffix is that of the film that is made of it."""
    try:
        expect_film_package()
    except ProviderError as error:
        return FileKind(None, str(error))
    return FileKind(target_suffix(suffix))
