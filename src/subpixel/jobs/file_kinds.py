"""What a file in a folder is: a picture of which format, or which other kind, by its first bytes.

A suffix of ours is taken at its word: what is wrong with such a file is said when it is read.
"""

from dataclasses import dataclass
from pathlib import Path

from subpixel.media.formats.registry import PICTURE_SUFFIXES, sniff
from subpixel.system.extras import EXTRAS

HEAD_BYTES = 64
"""How much of a file tells its kind."""


@dataclass(frozen=True)
class ForeignKind:
    """A kind of picture that no format of ours claims."""

    name: str
    suffixes: frozenset[str]
    """In lower case, with their dots. They decide before the first bytes do: those of camera raw
    are TIFF's, and those of HEIC may be AVIF's."""
    beginnings: tuple[bytes, ...] = ()
    """Of the file."""
    brands: tuple[bytes, ...] = ()
    """Of an ISO base media file (ISO/IEC 14496-12)."""
    package: str | None = None
    """What reads it, where an extra brings that, by its import name."""

    @property
    def label(self) -> str:
        """For people: its name, and how to have it read."""
        extra = EXTRAS.get(self.package or "")
        return f"{self.name}, read after pip install '.[{extra}]'" if extra else self.name

    def matches(self, head: bytes) -> bool:
        """Whether a file of these first bytes is of this kind."""
        return head.startswith(self.beginnings) or (
            head[4:8] == b"ftyp" and head[8:12] in self.brands
        )


HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef"}
    | {".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf"}
    | {".srw", ".x3f"}
)

FOREIGN_KINDS: tuple[ForeignKind, ...] = (
    ForeignKind(
        "HEIC", frozenset({".heic", ".heif", ".hif"}), brands=HEIC_BRANDS, package="pillow_heif"
    ),
    ForeignKind(
        "JPEG XL",
        frozenset({".jxl"}),
        (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
        package="pillow_jxl",
    ),
    ForeignKind(
        "camera raw", RAW_SUFFIXES, (b"FUJIFILMCCD-RAW ",), brands=(b"crx ",), package="rawpy"
    ),
    ForeignKind("BMP", frozenset({".bmp", ".dib"})),
    ForeignKind("Photoshop", frozenset({".psd", ".psb"}), (b"8BPS",)),
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


def kind_of(file: Path) -> FileKind:
    """What ``file`` is; it is opened where its suffix doesn't tell.

    Raises :class:`OSError` where it can't be opened.
    """
    suffix = file.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return FileKind(file.suffix)
    by_suffix = next((kind for kind in FOREIGN_KINDS if suffix in kind.suffixes), None)
    if by_suffix is not None:
        return FileKind(None, by_suffix.label)
    with file.open("rb") as stream:
        return _kind_of_head(stream.read(HEAD_BYTES))


def _kind_of_head(head: bytes) -> FileKind:
    form = sniff(head)
    if form is not None:
        return FileKind(form.suffixes[0])
    foreign = next((kind for kind in FOREIGN_KINDS if kind.matches(head)), None)
    return FileKind(None, foreign.label if foreign else "")
