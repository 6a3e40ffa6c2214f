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
    text: bool = False
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
        max_side=65_500,
        segment=65_533,
    ),
    Format("PNG", (".png",), depth=16, alpha="full", grey=True, animation="none", text=True),
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
    return (
        _icc(picture, form),
        _block("exif", meta.exif, form.exif, form),
        _maker_note(picture, form),
        _block("xmp", meta.xmp, form.xmp, form),
        _block("iptc", meta.iptc, form.iptc, form),
        Loss("text", f"{form.name} holds no text chunks") if meta.text and not form.text else None,
        _resolution(picture, form),
    )


def _icc(picture: Picture, form: Format) -> Loss | None:
    if picture.metadata.icc is None:
        return None
    if not form.icc:
        return Loss("icc", f"{form.name} holds no colour profile; colours are turned into sRGB")
    if picture.is_grey and not form.grey:
        return Loss("icc", f"{form.name} is RGB and the profile grey; turned into sRGB")
    return None


def _block(what: str, block: bytes | None, kept: bool, form: Format) -> Loss | None:
    if block is None:
        return None
    if not kept:
        return Loss(what, f"{form.name} has no place for it")
    if form.segment is not None and len(block) + OVERHEAD > form.segment:
        return Loss(what, f"{len(block):,} bytes; {form.name} holds up to {form.segment:,}")
    return None


OVERHEAD = 128
"""Room that a block's own label, an added orientation and resolution take."""


def _maker_note(picture: Picture, form: Format) -> Loss | None:
    if form.name != "TIFF" or not exif.has_maker_note(picture.metadata.exif):
        return None
    return Loss("maker note", "kept, but moved: offsets inside it may no longer hold")


def _resolution(picture: Picture, form: Format) -> Loss | None:
    if picture.metadata.resolution is None or form.name != "GIF":
        return None
    return Loss("resolution", f"{form.name} has no place for it")
