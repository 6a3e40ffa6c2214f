"""What a picture would lose in a format: by its header, and by a look at its pixels."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from subpixel.errors import LossError
from subpixel.media.formats.format import COMMENT, Format, count_sample_bytes
from subpixel.media.formats.registry import FORMATS, format_of, list_names
from subpixel.media.metadata import colour_tags, exif, icc
from subpixel.media.picture import Header, Loss, Picture, Rows

BLOCK_OVERHEAD = 128
"""Room that a block's own label, an added orientation and resolution take."""

_Colours = frozenset[bytes]


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
    """Whether every frame so far fits the format's palette."""
    _colours: _Colours = field(default_factory=lambda: _Colours(()), repr=False)
    _row: int = 0

    def at(self, rows: Rows) -> None:
        """Take in the next ``rows``, of one frame."""
        if self.form.capacity.alpha != "full" and self.header.has_alpha:
            alpha = rows[..., -1]
            self.opaque = self.opaque and bool((alpha >= self.header.full_scale).all())
            hard = self.opaque or ((alpha == 0) | (alpha == self.header.full_scale)).all()
            self.binary = self.binary and bool(hard)
        if self.form.capacity.colours is not None and self.few_colours:
            self._count(rows, self.form.capacity.colours)

    def _count(self, rows: Rows, limit: int) -> None:
        if self._row % self.header.height == 0:
            self._colours = _Colours(())
        self._row += len(rows)
        self._colours = _list_colours(rows, limit) | self._colours
        self.few_colours = len(self._colours) <= limit


def _list_colours(rows: Rows, limit: int) -> _Colours:
    """The colours of pixels that can be seen, and one for all that can't; few beyond ``limit``."""
    pixels = np.ascontiguousarray(rows).reshape(-1, rows.shape[-1])
    if rows.shape[-1] in (2, 4):
        pixels = np.ascontiguousarray(np.where(pixels[:, -1:] == 0, 0, pixels))
    whole = pixels.view(f"V{pixels.itemsize * pixels.shape[1]}")
    return _Colours(colour.tobytes() for colour in np.unique(whole)[: limit + 1])


def refuse_losses(picture: Picture, file: Path) -> None:
    """Raise :class:`LossError`, naming everything, when ``file`` can't hold all of ``picture``.

    What reading already could not keep counts too.
    """
    expect_no_loss(picture.losses + losses_in(picture, file.suffix), file)


def expect_no_loss(losses: tuple[Loss, ...], file: Path) -> None:
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
    losses = (
        _depth_loss(header, form),
        _alpha_loss(header, form, look),
        _palette_loss(form, look),
        _frames_loss(header, form),
        _timing_loss(header, form),
        *_metadata_losses(header, form),
    )
    return tuple(loss for loss in losses if loss is not None)


def is_opaque(picture: Picture) -> bool:
    """Whether no pixel lets anything through; also when there is no alpha."""
    return not picture.has_alpha or bool((picture.frames[..., -1] >= picture.full_scale).all())


def profile_fate(header: Header, form: Format) -> Literal["none", "kept", "applied", "left out"]:
    """What becomes of the colour profile: written, or turned into sRGB pixels, or impossible."""
    profile = header.metadata.icc
    if profile is None:
        return "none"
    hdr = colour_tags.hdr_in(profile)
    if hdr and form.capacity.coding_points:
        return "kept"
    grey_file = header.is_grey and form.capacity.grey
    if form.capacity.icc and icc.fits_colours(profile, grey=grey_file):
        return "kept"
    if hdr:
        return "left out"
    return "applied" if icc.fits_colours(profile, grey=header.is_grey) else "left out"


def _depth_loss(header: Header, form: Format) -> Loss | None:
    depth = form.capacity.depth
    if header.bit_depth <= depth:
        return None
    return Loss(
        "bit depth", f"{header.bit_depth} bits per sample are rounded to the {depth} of {form.name}"
    )


def _alpha_loss(header: Header, form: Format, look: Look) -> Loss | None:
    if form.capacity.alpha == "full" or not header.has_alpha or look.opaque:
        return None
    if form.capacity.alpha == "none":
        return Loss("alpha", f"{form.name} holds no transparency; laid on white")
    if look.binary:
        return None
    return Loss("alpha", f"{form.name} pixels are opaque or transparent, nothing between")


def _palette_loss(form: Format, look: Look) -> Loss | None:
    if look.few_colours:
        return None
    limit = form.capacity.colours
    return Loss("colours", f"{form.name} holds up to {limit} per frame; reduced to a palette")


def _frames_loss(header: Header, form: Format) -> Loss | None:
    if header.count == 1 or form.capacity.animation != "none":
        return None
    number = "many" if header.count is None else header.count
    return Loss("frames", f"{form.name} holds one of the {number}; the first is kept")


def _timing_loss(header: Header, form: Format) -> Loss | None:
    delays, unit = header.metadata.delays_ms, form.capacity.delay_unit
    if header.count == 1 or not delays or form.capacity.animation == "none":
        return None
    if form.capacity.animation == "pages":
        return Loss("timing", f"{form.name} pages have no delays")
    if any(delay % unit.milliseconds for delay in delays):
        return Loss("timing", f"{form.name} counts in {unit.name}; delays are rounded")
    return None


def _metadata_losses(header: Header, form: Format) -> tuple[Loss | None, ...]:
    meta, holds = header.metadata, form.capacity
    room = holds.max_samples is None or count_sample_bytes(header) <= holds.max_samples
    return (
        _profile_loss(header, form),
        _block_loss("exif", meta.exif, holds.exif and room, form),
        _maker_note_loss(header) if holds.moves_exif and room else None,
        _block_loss("xmp", meta.xmp, holds.xmp, form),
        _block_loss("iptc", meta.iptc, holds.iptc and room, form),
        _text_loss(header, form),
        _resolution_loss(header, form),
    )


def _profile_loss(header: Header, form: Format) -> Loss | None:
    fate, hdr = profile_fate(header, form), colour_tags.hdr_in(header.metadata.icc)
    if hdr and not form.capacity.coding_points:
        return Loss("hdr", _explain_hdr(hdr, form, fate))
    if fate == "left out":
        return Loss("icc", "the profile is damaged or of another colour space; left out")
    if fate == "applied":
        reason = "is RGB and the profile grey" if form.capacity.icc else "holds no colour profile"
        return Loss("icc", f"{form.name} {reason}; colours are turned into sRGB")
    return None


def _explain_hdr(hdr: str, form: Format, fate: str) -> str:
    others = list_names(f for f in FORMATS if f.capacity.coding_points)
    if fate == "kept":
        return (
            f"{form.name} holds the transfer {hdr} in its profile alone; programs that don't read "
            f"code points there show a dark picture, so use {others}"
        )
    return (
        f"{form.name} has no place for the transfer {hdr}: samples are as they were, and nothing "
        f"says so; use {others}"
    )


def _block_loss(what: str, block: bytes | None, has_place: bool, form: Format) -> Loss | None:
    limit = form.capacity.max_block
    if block is None:
        return None
    if not has_place:
        return Loss(what, f"{form.name} has no place for it")
    if limit is not None and len(block) + BLOCK_OVERHEAD > limit:
        return Loss(what, f"{len(block):,} bytes; {form.name} holds up to {limit:,}")
    return None


def _maker_note_loss(header: Header) -> Loss | None:
    if not exif.has_maker_note(header.metadata.exif):
        return None
    return Loss("maker note", "kept, but moved: offsets inside it may no longer hold")


def _text_loss(header: Header, form: Format) -> Loss | None:
    lost = [key for key, text in header.metadata.text if not _takes_text(form, key, text)]
    if not lost:
        return None
    return Loss("text", f"{form.name} has no place for {', '.join(map(repr, lost))}")


def _takes_text(form: Format, key: str, text: str) -> bool:
    if form.capacity.text == "comments":
        limit = form.capacity.max_block
        return key == COMMENT and (limit is None or len(text.encode()) <= limit)
    return form.capacity.text == "yes"


def _resolution_loss(header: Header, form: Format) -> Loss | None:
    if header.metadata.resolution is None or form.capacity.resolution:
        return None
    return Loss("resolution", f"{form.name} has no place for it")
