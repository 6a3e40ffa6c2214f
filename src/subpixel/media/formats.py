"""What each picture format can hold, and what a picture would lose in it. Pure data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from subpixel.errors import LossError, PictureError
from subpixel.media import exif
from subpixel.media.picture import Loss, Picture

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


def refuse_losses(picture: Picture, file: Path) -> None:
    """Raise :class:`LossError`, naming everything, when ``file`` can't hold all of ``picture``.

    What reading already could not keep counts too.
    """
    losses = picture.losses + losses_in(picture, file.suffix)
    if losses:
        raise LossError(f"{file} would lose " + "; ".join(map(str, losses)))


def losses_in(picture: Picture, suffix: str) -> tuple[Loss, ...]:
    """What ``picture`` would lose in a file of this suffix; empty when all is kept.

    The rounding of lossy compression is no loss in this sense: it is what such a format is.
    Raises :class:`PictureError` for an unknown suffix.
    """
    form = format_of(Path("picture" + suffix))
    found = (
        _depth(picture, form),
        _alpha(picture, form),
        _colours(picture, form),
        *_animation(picture, form),
        *_metadata(picture, form),
    )
    return tuple(loss for loss in found if loss is not None)


def frames_kept(picture: Picture, form: Format) -> int:
    """How many of the picture's frames the format takes."""
    return 1 if form.animation == "none" else len(picture.frames)


def _depth(picture: Picture, form: Format) -> Loss | None:
    if picture.bit_depth <= form.depth:
        return None
    return Loss(
        "bit depth",
        f"{picture.bit_depth} bits per sample are rounded to the {form.depth} of {form.name}",
    )


def _alpha(picture: Picture, form: Format) -> Loss | None:
    if form.alpha == "full" or is_opaque(picture):
        return None
    if form.alpha == "none":
        return Loss("alpha", f"{form.name} holds no transparency; laid on white")
    alpha = picture.frames[..., -1]
    if ((alpha == 0) | (alpha == picture.full_scale)).all():
        return None
    return Loss("alpha", f"{form.name} pixels are opaque or transparent, nothing between")


def is_opaque(picture: Picture) -> bool:
    """Whether no pixel lets anything through; also when there is no alpha."""
    return not picture.has_alpha or bool((picture.frames[..., -1] >= picture.full_scale).all())


def _colours(picture: Picture, form: Format) -> Loss | None:
    if form.name != "GIF" or all(_fits_palette(frame) for frame in picture.frames):
        return None
    return Loss("colours", f"GIF holds up to {GIF_COLOURS} per frame; reduced to a palette")


def _fits_palette(frame: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bool:
    pixels = np.ascontiguousarray(frame).reshape(-1, frame.shape[-1])
    if frame.shape[-1] in (2, 4):
        pixels = np.where(pixels[:, -1:] == 0, 0, pixels)
    whole = np.ascontiguousarray(pixels).view(f"V{pixels.itemsize * pixels.shape[1]}")
    return len(np.unique(whole)) <= GIF_COLOURS


def _animation(picture: Picture, form: Format) -> tuple[Loss | None, ...]:
    count, delays = len(picture.frames), picture.metadata.delays_ms
    if count == 1:
        return ()
    if form.animation == "none":
        return (Loss("frames", f"{form.name} holds one of the {count}; the first is kept"),)
    if form.animation == "pages":
        return (Loss("timing", f"{form.name} pages have no delays") if delays else None,)
    if form.name == "GIF" and any(delay % 10 for delay in delays):
        return (Loss("timing", "GIF counts in hundredths of a second; delays are rounded"),)
    return ()


def _metadata(picture: Picture, form: Format) -> tuple[Loss | None, ...]:
    meta = picture.metadata
    classic = not (form.name == "TIFF" and needs_bigtiff(picture))
    return (
        _icc(picture, form),
        _block("exif", meta.exif, form.exif and classic, form),
        _maker_note(picture) if form.name == "TIFF" and classic else None,
        _block("xmp", meta.xmp, form.xmp, form),
        _block("iptc", meta.iptc, form.iptc and classic, form),
        _text(picture, form),
        _resolution(picture, form),
    )


def profile_fate(picture: Picture, form: Format) -> Literal["none", "kept", "applied", "left out"]:
    """What becomes of the colour profile: written, or turned into sRGB pixels, or impossible.

    The ICC header (ICC.1:2022, 7.2) says the profile's size and the colour space it is for.
    """
    icc = picture.metadata.icc
    if icc is None:
        return "none"
    space = icc[16:20]
    sound = icc[36:40] == b"acsp" and int.from_bytes(icc[:4]) == len(icc)
    grey_file = picture.is_grey and form.grey
    if form.icc and sound and space == (b"GRAY" if grey_file else b"RGB "):
        return "kept"
    fits = sound and space == (b"GRAY" if picture.is_grey else b"RGB ")
    return "applied" if fits else "left out"


def _icc(picture: Picture, form: Format) -> Loss | None:
    fate = profile_fate(picture, form)
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


def needs_bigtiff(picture: Picture) -> bool:
    """Whether the pixels may not fit a TIFF with 32-bit offsets; a BigTIFF gets no EXIF or IPTC."""
    return picture.frames.size * (1 if picture.bit_depth == 8 else 2) > CLASSIC_TIFF


def _text(picture: Picture, form: Format) -> Loss | None:
    lost = [key for key, text in picture.metadata.text if not keeps_text(form, key, text)]
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


def _maker_note(picture: Picture) -> Loss | None:
    if not exif.has_maker_note(picture.metadata.exif):
        return None
    return Loss("maker note", "kept, but moved: offsets inside it may no longer hold")


def _resolution(picture: Picture, form: Format) -> Loss | None:
    if picture.metadata.resolution is None or form.name != "GIF":
        return None
    return Loss("resolution", f"{form.name} has no place for it")
