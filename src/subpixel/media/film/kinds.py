"""Which files are films: by their suffix, else by their first bytes. Nothing is imported for it."""

from dataclasses import dataclass
from pathlib import Path

from subpixel.system.extras import expect_installed

FILM_PACKAGE = "av"
"""What reads and writes films, by its import name."""


@dataclass(frozen=True)
class FilmKind:
    """A container of films."""

    name: str
    suffixes: tuple[str, ...]
    """In lower case, with their dots."""
    muxer: str | None
    """What writes it, by FFmpeg's name; None where its films become Matroska, which holds what
    they hold."""


MATROSKA_SUFFIX = ".mkv"

FILM_KINDS: tuple[FilmKind, ...] = (
    FilmKind("MP4", (".mp4", ".m4v"), "mp4"),
    FilmKind("QuickTime", (".mov", ".qt"), "mov"),
    FilmKind("Matroska", (MATROSKA_SUFFIX,), "matroska"),
    FilmKind("WebM", (".webm",), "webm"),
    FilmKind("3GPP", (".3gp", ".3g2"), None),
    FilmKind("AVI", (".avi",), None),
    FilmKind("MPEG transport stream", (".m2ts", ".mts", ".ts"), None),
    FilmKind("MPEG programme stream", (".mpeg", ".mpg", ".vob"), None),
    FilmKind("Windows Media", (".asf", ".wmv"), None),
    FilmKind("Flash video", (".flv",), None),
    FilmKind("Ogg", (".ogv",), None),
    FilmKind("MXF", (".mxf",), None),
    FilmKind("YUV4MPEG", (".y4m",), None),
    FilmKind("digital video of tapes", (".dv",), None),
    FilmKind("stream of H.264 alone", (".264", ".h264"), None),
    FilmKind("stream of HEVC alone", (".265", ".h265", ".hevc"), None),
    FilmKind("stream of MPEG video alone", (".m1v", ".m2v"), None),
    FilmKind("stream of VP8, VP9 or AV1 alone", (".ivf",), None),
)

FILM_TARGETS = frozenset(suffix for kind in FILM_KINDS if kind.muxer for suffix in kind.suffixes)
"""Of the films that are written."""

_BEGINNINGS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftypqt  ", ".mov"),
    (4, b"ftyp", ".mp4"),
    (4, b"moov", ".mov"),
    (0, b"\x1aE\xdf\xa3", MATROSKA_SUFFIX),
    (8, b"AVI LIST", ".avi"),
    (0, b"FLV\x01", ".flv"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ".wmv"),
    (0, b"\x00\x00\x01\xba", ".mpg"),
    (0, b"YUV4MPEG2 ", ".y4m"),
)
"""The place of some bytes in a file, the bytes, and the suffix of such films."""


def film_kind_of(suffix: str) -> FilmKind | None:
    """The kind of film that ``suffix``, in any case, names; None: no film."""
    lower = suffix.lower()
    return next((kind for kind in FILM_KINDS if lower in kind.suffixes), None)


def is_film(file: Path) -> bool:
    """Whether the suffix of ``file`` names a film."""
    return film_kind_of(file.suffix) is not None


def is_film_target(file: Path) -> bool:
    """Whether the suffix of ``file`` names a film that can be written."""
    return file.suffix.lower() in FILM_TARGETS


def sniff_film(head: bytes) -> str | None:
    """The suffix of a film with these first bytes, which no picture format claims."""
    return next((s for at, start, s in _BEGINNINGS if head[at:].startswith(start)), None)


TS_PACKET, TS_SYNC = 188, 0x47
"""Bytes of a packet of an MPEG transport stream, and the first of each (ISO/IEC 13818-1, 2.4.3.2).
In .m2ts four more stand before it."""
TS_HEAD_BYTES = 4 * (TS_PACKET + 4)
"""Of a file, that show whether it is one: recordings may begin within a packet."""


def is_transport_stream(head: bytes) -> bool:
    """Whether a file with these first :data:`TS_HEAD_BYTES` holds packets; ``.ts`` is also the
    suffix of programs and of translations. A shorter file has to begin with a packet."""
    if len(head) < TS_HEAD_BYTES:
        return TS_SYNC in (*head[:1], *head[4:5])
    return any(
        all(head[start + step * number] == TS_SYNC for number in range(3))
        for step in (TS_PACKET, TS_PACKET + 4)
        for start in range(step)
    )


def target_suffix(suffix: str) -> str:
    """That of the enlarged film: the same where such films are written, else Matroska's."""
    return suffix if suffix.lower() in FILM_TARGETS else MATROSKA_SUFFIX


def expect_film_package() -> None:
    """Raise :class:`~subpixel.errors.ProviderError`, which names the extra, where the package is
    missing."""
    expect_installed(FILM_PACKAGE)
