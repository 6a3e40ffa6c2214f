"""What a picture would lose in a format: by its header, and by a look at its pixels."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from subpixel.errors import LossError
from subpixel.media.formats.account import FilePart, collect_losses
from subpixel.media.formats.format import COMMENT, Format, count_sample_bytes, hold_comments
from subpixel.media.formats.registry import FORMATS, format_of, list_names
from subpixel.media.metadata import colour_tags, exif, icc, tags
from subpixel.media.metadata.xmp import xmp_extension
from subpixel.media.picture import Header, Loss, Picture, Rows
from subpixel.media.timing import explain_changes

_EXIF_GROWTH = 128
"""Bytes by which a block grows at most when its orientation is added."""

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
        channel = self.header.alpha_channel
        if self.form.capacity.alpha != "full" and channel is not None:
            alpha = rows[..., channel]
            self.opaque = self.opaque and bool((alpha >= self.header.full_scale).all())
            hard = self.opaque or ((alpha == 0) | (alpha == self.header.full_scale)).all()
            self.binary = self.binary and bool(hard)
        if self.form.capacity.colours is not None and self.few_colours:
            self._count(rows, self.form.capacity.colours)

    def _count(self, rows: Rows, limit: int) -> None:
        if self._row % self.header.height == 0:
            self._colours = _Colours(())
        self._row += len(rows)
        if self.header.extra_channels and not self.header.has_alpha:
            rows = rows[..., : self.header.colours]
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
        _extra_loss(header, form),
        _palette_loss(form, look),
        _frames_loss(header, form),
        *_timing_losses(header, form),
        *_page_losses(header, form),
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
    if form.capacity.alpha == "full" or header.alpha_channel is None or look.opaque:
        return None
    if form.capacity.alpha == "none":
        fate = "laid on white" if header.has_alpha else "left out, the colours as they are"
        return Loss("alpha", f"{form.name} holds no transparency; {fate}")
    if look.binary:
        return None
    return Loss("alpha", f"{form.name} pixels are opaque or transparent, nothing between")


def _extra_loss(header: Header, form: Format) -> Loss | None:
    if form.capacity.extra_channels:
        return None
    alpha = header.alpha_channel
    numbers = [c + 1 for c in range(header.colours, header.channels) if c != alpha]
    if not numbers:
        return None
    which = f"{'channels' if numbers[1:] else 'channel'} {', '.join(map(str, numbers))}"
    return Loss(
        "channels", f"{form.name} has no place for data beside the colours; {which} left out"
    )


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


def _timing_losses(header: Header, form: Format) -> Iterator[Loss]:
    if header.count == 1 or not header.metadata.delays_ms:
        return
    if form.capacity.animation == "pages":
        yield Loss("timing", f"{form.name} pages have no delays")
    if form.capacity.timing is not None:
        for what in explain_changes(header.metadata, form.capacity.timing):
            yield Loss("timing", f"{form.name} {what}")


def _page_losses(header: Header, form: Format) -> Iterator[Loss]:
    """What pages say by themselves where all frames of a file share one description."""
    meta, holds = header.metadata, form.capacity
    if holds.max_samples is not None and count_sample_bytes(header) > holds.max_samples:
        yield from _large_losses(header, form)
    if holds.animation != "timed":
        return
    if any(page.icc != meta.icc for page in meta.pages):
        yield Loss("icc", f"{form.name} has one profile for all frames: the first page's")
    if any(replace(page, icc=None) != replace(meta, icc=None, pages=()) for page in meta.pages):
        yield Loss("pages", f"{form.name} has one description for all frames: the first page's")


def _large_losses(header: Header, form: Format) -> Iterator[Loss]:
    """Of a file beside whose samples no field finds a place."""
    if "data" in header.extra_channels:
        yield Loss("channels", f"{form.name} of this size calls data beside colours transparency")
    if header.metadata.pages:
        yield Loss("pages", f"{form.name} of this size keeps nothing that pages say by themselves")


def _metadata_losses(header: Header, form: Format) -> tuple[Loss | None, ...]:
    meta, holds = header.metadata, form.capacity
    room = holds.max_samples is None or count_sample_bytes(header) <= holds.max_samples
    return (
        _profile_loss(header, form),
        _place_loss("exif", meta.exif, holds.exif and room, form),
        _exif_loss(header, form),
        *(_moving_losses(header) if holds.moves_exif and room else ()),
        _chain_loss(header) if holds.exif and not holds.moves_exif else None,
        _geo_loss(header) if holds.exif and room else None,
        _place_loss("xmp", meta.xmp, holds.xmp, form),
        _xmp_loss(meta.xmp, form),
        _place_loss("iptc", meta.iptc, holds.iptc and room, form),
        _text_loss(header, form),
        _place_loss("resolution", meta.resolution, holds.resolution, form),
        _place_loss("aspect", meta.aspect, holds.aspect, form),
        _gain_map_loss(header, form),
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


def _place_loss(what: str, value: object, has_place: bool, form: Format) -> Loss | None:
    if value is None or has_place:
        return None
    return Loss(what, f"{form.name} has no place for it")


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


def _exif_loss(header: Header, form: Format) -> Loss | None:
    meta, limit = header.metadata, form.capacity.max_exif
    if meta.exif is not None and form.capacity.exif_header and not exif.has_header(meta.exif):
        return Loss(
            "exif", f"it begins otherwise than EXIF does, which {form.name} can't hold; left out"
        )
    if meta.exif is None or limit is None or len(meta.exif) + _EXIF_GROWTH <= limit:
        return None
    block = exif.adjust_block(
        meta.exif, width=header.width, height=header.height, orientation=meta.orientation
    )
    return _size_loss("exif", block, limit, form)


def _xmp_loss(packet: bytes | None, form: Format) -> Loss | None:
    """XMP that is too long is split, where it is sound."""
    if packet is not None and not form.capacity.xmp_zeros and 0 in packet:
        return Loss("xmp", f"it holds bytes of zero (UTF-16, or damage); {form.name} holds none")
    limit = form.capacity.max_xmp
    if packet is None or limit is None or len(packet) <= limit:
        return None
    can_split = xmp_extension.can_split(packet, limit)
    return None if can_split else _size_loss("xmp", packet, limit, form)


def _size_loss(what: str, block: bytes | None, limit: int, form: Format) -> Loss | None:
    if block is None or len(block) <= limit:
        return None
    return Loss(what, f"{len(block):,} bytes; {form.name} holds up to {limit:,}")


def _moving_losses(header: Header) -> Iterator[Loss]:
    """Of a block whose fields get new places, in another directory."""
    block = header.metadata.exif
    if exif.has_maker_note(block) and "maker note" not in {loss.what for loss in header.losses}:
        yield Loss("maker note", "kept, but moved: offsets inside it may no longer hold")
    yield from collect_losses(map(_lose_field, exif.fields_left_out(block)))
    further = _chain_loss(header)
    if further is not None:
        yield further


def _lose_field(field: exif.Field) -> FilePart:
    size = len(field.value)
    return FilePart(f"a field {field.tag}", size, Loss(*tags.explain_loss(field.tag, size)))


def _chain_loss(header: Header) -> Loss | None:
    count = exif.count_further_directories(header.metadata.exif)
    if not count:
        return None
    return Loss("exif", f"directories after the first one ({count}) are left out")


def _geo_loss(header: Header) -> Loss | None:
    blocks = [page.exif for page in (header.metadata, *header.metadata.pages)]
    if not any(exif.is_geo_lost(block, header.width, header.height) for block in blocks):
        return None
    return Loss("georeference", "it holds for other pixels; left out")


def _text_loss(header: Header, form: Format) -> Loss | None:
    lost = list(_list_lost_texts(header, form))
    if not lost:
        return None
    return Loss("text", f"{form.name} has no place for {', '.join(map(repr, lost))}")


def _list_lost_texts(header: Header, form: Format) -> Iterator[str]:
    """The keys of those that the format doesn't hold."""
    if form.capacity.text == "yes":
        return
    is_held = form.capacity.text == "comments"
    held = deque(hold_comments(form.capacity, header.metadata.text) if is_held else ())
    for key, text in header.metadata.text:
        if key == COMMENT and held and held[0] == text:
            held.popleft()
        else:
            yield key


def _gain_map_loss(header: Header, form: Format) -> Loss | None:
    gain_map = header.metadata.gain_map
    if gain_map is None:
        return None
    if not form.capacity.gain_map:
        return Loss("gain map", f"{form.name} has no place for it; high dynamic range is lost")
    if not gain_map.fits(header.width, header.height):
        return Loss("gain map", "the picture was given another shape than the map; left out")
    return None
