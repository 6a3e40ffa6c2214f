"""What the segments before a JPEG's first scan say of its picture.

Sources: ITU-T T.871 (JFIF), Exif 3.0, XMP specification part 3, ICC.1:2022 annex B.
"""

import struct
from collections.abc import Collection, Iterable

from subpixel.media.formats.format import COMMENT
from subpixel.media.formats.jpeg.parts import JFIF_LABEL, XMP_LABEL
from subpixel.media.formats.jpeg.segments import (
    APP0,
    APP1,
    APP13,
    COM,
    MAX_HEAD,
    Segment,
    select_contents,
)
from subpixel.media.metadata import exif, iptc
from subpixel.media.metadata.comment import decode_comment
from subpixel.media.metadata.xmp import xmp, xmp_extension
from subpixel.media.picture import Loss, Metadata


def describe_head(
    segments: tuple[Segment, ...], is_complete: bool, exceptions: Collection[str] = ()
) -> tuple[Metadata, tuple[Loss, ...]]:
    """The metadata, all but the colour profile, and what of it is damaged or corrected.

    The XMP refers to no data elsewhere in the file any more: what it says of ``exceptions``
    (``"GainMap"``) is written anew with that, so it is no loss.
    """
    block = next(iter(select_contents(segments, APP1, exif.EXIF_PREFIX)), None) or None
    packet, losses = _read_xmp(segments, exceptions)
    resolution, aspect = _read_density(segments)
    meta = Metadata(
        exif=block,
        xmp=packet,
        iptc=iptc.join_segments(select_contents(segments, APP13, iptc.PHOTOSHOP_LABEL)),
        orientation=exif.orientation_in(block),
        resolution=resolution or exif.resolution_in(block),
        aspect=aspect,
        text=tuple((COMMENT, decode_comment(s.data)) for s in segments if s.marker == COM),
    )
    if not is_complete:
        losses += (Loss("metadata", f"segments beyond {MAX_HEAD:,} bytes, or too many; left out"),)
    return meta, losses


def _read_density(
    segments: Iterable[Segment],
) -> tuple[tuple[float, float] | None, tuple[int, int] | None]:
    """Pixels per millimetre of the JFIF header, or the pixels' aspect where it has no unit."""
    for content in select_contents(segments, APP0, JFIF_LABEL)[:1]:
        if len(content) < 7:
            break
        unit, across, down = struct.unpack_from(">BHH", content, 2)
        per_mm = {1: 25.4, 2: 10.0}.get(unit)
        if not across or not down:
            break
        if per_mm:
            return (across / per_mm, down / per_mm), None
        return None, (across, down) if unit == 0 and across != down else None
    return None, None


def _read_xmp(
    segments: tuple[Segment, ...], exceptions: Collection[str]
) -> tuple[bytes | None, tuple[Loss, ...]]:
    """The packet with its extension, and without what it says of data that is left out."""
    packet = next(iter(select_contents(segments, APP1, XMP_LABEL)), None)
    contents = select_contents(segments, APP1, xmp_extension.EXTENSION_LABEL)
    if packet is None:
        return None, _lose_pieces(contents)
    packet, losses = _join_packets(packet, contents)
    if packet is None:
        return None, losses
    try:
        packet, promises = xmp.retract_promises(packet)
    except ValueError as error:
        return None, (*losses, Loss("xmp", f"it refers to data that is left out, and {error}"))
    return packet, losses + _name_promises(p for p in promises if p not in exceptions)


def _join_packets(packet: bytes, contents: list[bytes]) -> tuple[bytes | None, tuple[Loss, ...]]:
    candidates = (xmp_extension.parse_piece(content) for content in contents)
    pieces = [piece for piece in candidates if piece is not None]
    try:
        guid = xmp_extension.read_pointer(packet)
        others = [content for content in contents if content[:32] != (guid or "").encode("latin-1")]
        return xmp_extension.join_extension(packet, pieces), _lose_pieces(others)
    except ValueError as error:
        loss = Loss("xmp", f"{error}; the extension is left out")
    try:
        return xmp_extension.drop_pointer(packet), (loss,)
    except ValueError:
        return None, (Loss("xmp", "damaged, and it refers to an extension; left out"),)


def _lose_pieces(contents: list[bytes]) -> tuple[Loss, ...]:
    if not contents:
        return ()
    size = sum(map(len, contents))
    return (Loss("xmp", f"extended XMP of {size:,} bytes that no packet names; left out"),)


def _name_promises(promises: Iterable[str]) -> tuple[Loss, ...]:
    whats = {"MotionPhoto": "motion photo", "GainMap": "further pictures"}
    return tuple(
        Loss(
            whats.get(promise, "further data"),
            f"the XMP's references to it ({promise}) are left out too",
        )
        for promise in promises
    )
