"""What each picture format can hold, and what a picture would lose in it. Pure data."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from subpixel.errors import LossError, PictureError
from subpixel.media.metadata import exif
from subpixel.media.picture import Header, Loss, Picture, Rows

FormatName = Literal["JPEG", "PNG", "WebP", "TIFF", "AVIF", "GIF"]
Animation = Literal["none", "pages", "timed"]


@dataclass(frozen=True)
class Format:
    """What one format can hold, as subpixel writes it."""

    name: FormatName
    suffixes: tuple[str, ...]
    depth: int
    """Most bits per sample."""
    alpha: Literal["none", "binary", "full"]
    grey: bool
    """Whether grey is stored as such; where not, grey becomes RGB of three equal channels."""
    animation: Animation
    icc: bool = True
    exif: bool = True
    xmp: bool = True
    iptc: bool = False
    text: Literal["no", "comments", "yes"] = "no"
    """Whether text is held by any key, or as the key ``Comment`` alone."""
    max_side: int | None = None
    """Most pixels along one side."""
    segment: int | None = None
    """Most bytes of an EXIF, XMP or Photoshop block."""


FORMATS = (
    Format(
        "JPEG",
        (".jpg", ".jpeg"),
        depth=8,
        alpha="none",
        grey=True,
        animation="none",
        iptc=True,
        text="comments",
        max_side=65_500,
        segment=65_533,
    ),
    Format("PNG", (".png",), depth=16, alpha="full", grey=True, animation="none", text="yes"),
    Format(
        "WebP", (".webp",), depth=8, alpha="full", grey=False, animation="timed", max_side=16_383
    ),
    Format(
        "TIFF", (".tif", ".tiff"), depth=16, alpha="full", grey=True, animation="pages", iptc=True
    ),
    Format(
        "AVIF", (".avif",), depth=12, alpha="full", grey=False, animation="none", max_side=16_384
    ),
    Format(
        "GIF",
        (".gif",),
        depth=8,
        alpha="binary",
        grey=False,
        animation="timed",
        icc=False,
        exif=False,
        xmp=False,
        max_side=65_535,
    ),
)

PICTURE_SUFFIXES = frozenset(suffix for form in FORMATS for suffix in form.suffixes)
"""The suffixes of files that can be read and written, in lower case."""

GIF_COLOURS = 255
"""Colours of a frame that GIF keeps exactly; one more may stand for transparent pixels."""


def format_of(file: Path) -> Format:
    """The format that a file's suffix names; raises :class:`PictureError` for an unknown one."""
    for form in FORMATS:
        if file.suffix.lower() in form.suffixes:
            return form
    allowed = ", ".join(suffix for form in FORMATS for suffix in form.suffixes)
    got = f"the suffix {file.suffix!r}" if file.suffix else "no suffix"
    raise PictureError(f"{file}: {got} names no picture format; use one of {allowed}")


def sniff(head: bytes) -> FormatName | None:
    """The format that a file's first bytes announce; 16 of them are enough."""
    if head[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"mif1", b"msf1"):
        return "AVIF"
    return "GIF" if head[:6] in (b"GIF87a", b"GIF89a") else None


@dataclass
class Look:
    """What only the pixels can say about what a format keeps, row by row."""

    header: Header
    form: Format
    opaque: bool = True
    """Whether no pixel so far lets anything through; also when there is no alpha."""
    binary: bool = True
    """Whether every pixel so far is opaque or transparent, nothing between."""
    few_colours: bool = True
    """Whether every frame so far fits a GIF's palette."""
    _seen: "_Colours" = field(default_factory=lambda: _Colours(()), repr=False)
    _row: int = 0

    def at(self, rows: Rows) -> None:
        """Take in the next ``rows``, of one frame."""
        if self.form.alpha != "full" and self.header.has_alpha:
            alpha = rows[..., -1]
            self.opaque = self.opaque and bool((alpha >= self.header.full_scale).all())
            hard = self.opaque or ((alpha == 0) | (alpha == self.header.full_scale)).all()
            self.binary = self.binary and bool(hard)
        if self.form.name == "GIF" and self.few_colours:
            self._count(rows)

    def _count(self, rows: Rows) -> None:
        if self._row % self.header.height == 0:
            self._seen = _Colours(())
        self._row += len(rows)
        self._seen = _colours(rows) | self._seen
        self.few_colours = len(self._seen) <= GIF_COLOURS


_Colours = frozenset[bytes]


def _colours(rows: Rows) -> _Colours:
    """The colours of pixels that can be seen, and one for all that can't."""
    pixels = np.ascontiguousarray(rows).reshape(-1, rows.shape[-1])
    if rows.shape[-1] in (2, 4):
        pixels = np.ascontiguousarray(np.where(pixels[:, -1:] == 0, 0, pixels))
    whole = pixels.view(f"V{pixels.itemsize * pixels.shape[1]}")
    return _Colours(colour.tobytes() for colour in np.unique(whole)[: GIF_COLOURS + 1])


def refuse_losses(picture: Picture, file: Path) -> None:
    """Raise :class:`LossError`, naming everything, when ``file`` can't hold all of ``picture``.

    What reading already could not keep counts too.
    """
    refuse(picture.losses + losses_in(picture, file.suffix), file)


def refuse(losses: tuple[Loss, ...], file: Path) -> None:
    """Raise :class:`LossError`, naming them, when there are any."""
    if losses:
        raise LossError(f"{file} would lose " + "; ".join(map(str, losses)))


def losses_in(picture: Picture, suffix: str) -> tuple[Loss, ...]:
    """What ``picture`` would lose in a file of this suffix; empty when all is kept.

    The rounding of lossy compression is no loss in this sense: it is what such a format is.
    Raises :class:`PictureError` for an unknown suffix.
    """
    header, form = picture.header, format_of(Path("picture" + suffix))
    look = Look(header, form)
    for frame in picture.frames:
        look.at(frame)
    return losses_of(header, form, look)


def losses_of(header: Header, form: Format, look: Look) -> tuple[Loss, ...]:
    """What a picture would lose in this format, after a look at its pixels.

    After none at all: what its header alone says.
    """
    found = (
        _depth(header, form),
        _alpha(header, form, look),
        _palette(form, look),
        *_animation(header, form),
        *_metadata(header, form),
    )
    return tuple(loss for loss in found if loss is not None)


def frames_kept(header: Header, form: Format) -> int:
    """How many of the picture's frames the format takes."""
    return 1 if form.animation == "none" else header.count


def _depth(header: Header, form: Format) -> Loss | None:
    if header.bit_depth <= form.depth:
        return None
    return Loss(
        "bit depth",
        f"{header.bit_depth} bits per sample are rounded to the {form.depth} of {form.name}",
    )


def _alpha(header: Header, form: Format, look: Look) -> Loss | None:
    if form.alpha == "full" or not header.has_alpha or look.opaque:
        return None
    if form.alpha == "none":
        return Loss("alpha", f"{form.name} holds no transparency; laid on white")
    if look.binary:
        return None
    return Loss("alpha", f"{form.name} pixels are opaque or transparent, nothing between")


def is_opaque(picture: Picture) -> bool:
    """Whether no pixel lets anything through; also when there is no alpha."""
    return not picture.has_alpha or bool((picture.frames[..., -1] >= picture.full_scale).all())


def _palette(form: Format, look: Look) -> Loss | None:
    if look.few_colours:
        return None
    return Loss("colours", f"{form.name} holds up to {GIF_COLOURS} per frame; reduced to a palette")


def _animation(header: Header, form: Format) -> tuple[Loss | None, ...]:
    count, delays = header.count, header.metadata.delays_ms
    if count == 1:
        return ()
    if form.animation == "none":
        return (Loss("frames", f"{form.name} holds one of the {count}; the first is kept"),)
    if form.animation == "pages":
        return (Loss("timing", f"{form.name} pages have no delays") if delays else None,)
    if form.name == "GIF" and any(delay % 10 for delay in delays):
        return (Loss("timing", "GIF counts in hundredths of a second; delays are rounded"),)
    return ()


def _metadata(header: Header, form: Format) -> tuple[Loss | None, ...]:
    meta = header.metadata
    classic = not (form.name == "TIFF" and needs_bigtiff(header))
    return (
        _icc(header, form),
        _block("exif", meta.exif, form.exif and classic, form),
        _maker_note(header) if form.name == "TIFF" and classic else None,
        _block("xmp", meta.xmp, form.xmp, form),
        _block("iptc", meta.iptc, form.iptc and classic, form),
        _text(header, form),
        _resolution(header, form),
    )


def profile_fate(header: Header, form: Format) -> Literal["none", "kept", "applied", "left out"]:
    """What becomes of the colour profile: written, or turned into sRGB pixels, or impossible.

    The ICC header (ICC.1:2022, 7.2) says the profile's size and the colour space it is for.
    """
    icc = header.metadata.icc
    if icc is None:
        return "none"
    space = icc[16:20]
    sound = icc[36:40] == b"acsp" and int.from_bytes(icc[:4]) == len(icc)
    grey_file = header.is_grey and form.grey
    if form.icc and sound and space == (b"GRAY" if grey_file else b"RGB "):
        return "kept"
    fits = sound and space == (b"GRAY" if header.is_grey else b"RGB ")
    return "applied" if fits else "left out"


def _icc(header: Header, form: Format) -> Loss | None:
    fate = profile_fate(header, form)
    if fate == "left out":
        return Loss("icc", "the profile is damaged or of another colour space; left out")
    if fate == "applied":
        reason = "is RGB and the profile grey" if form.icc else "holds no colour profile"
        return Loss("icc", f"{form.name} {reason}; colours are turned into sRGB")
    return None


def _block(what: str, block: bytes | None, kept: bool, form: Format) -> Loss | None:
    if block is None:
        return None
    if not kept:
        return Loss(what, f"{form.name} has no place for it")
    if form.segment is not None and len(block) + OVERHEAD > form.segment:
        return Loss(what, f"{len(block):,} bytes; {form.name} holds up to {form.segment:,}")
    return None


def needs_bigtiff(header: Header) -> bool:
    """Whether the pixels may not fit a TIFF with 32-bit offsets; a BigTIFF gets no EXIF or IPTC."""
    return math.prod(header.shape) * (1 if header.bit_depth == 8 else 2) > CLASSIC_TIFF


def _text(header: Header, form: Format) -> Loss | None:
    lost = [key for key, text in header.metadata.text if not keeps_text(form, key, text)]
    if not lost:
        return None
    return Loss("text", f"{form.name} has no place for {', '.join(map(repr, lost))}")


def keeps_text(form: Format, key: str, text: str) -> bool:
    """Whether the format takes this text chunk."""
    if form.text == "comments":
        fits = form.segment is None or len(text.encode()) <= form.segment
        return key == COMMENT and fits
    return form.text == "yes"


COMMENT = "Comment"
"""The key of a JPEG's comments; PNG's recommended one too."""

CLASSIC_TIFF = 3 << 30
"""Bytes of pixels up to which a file's offsets surely fit in 32 bits."""

OVERHEAD = 128
"""Room that a block's own label, an added orientation and resolution take."""


def _maker_note(header: Header) -> Loss | None:
    if not exif.has_maker_note(header.metadata.exif):
        return None
    return Loss("maker note", "kept, but moved: offsets inside it may no longer hold")


def _resolution(header: Header, form: Format) -> Loss | None:
    if header.metadata.resolution is None or form.name != "GIF":
        return None
    return Loss("resolution", f"{form.name} has no place for it")
