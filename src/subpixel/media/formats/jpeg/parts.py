"""The account of a JPEG: what becomes of each of its segments, and of what stands behind its end.

What isn't here has no place: ITU-T T.81 leaves APP0 to APP15 to everybody.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from subpixel.media.formats.account import MAX_PARTS, FilePart, escape_name, leave_out, lose
from subpixel.media.formats.jpeg.segments import (
    APP0,
    APP1,
    APP2,
    APP11,
    APP12,
    APP13,
    APP14,
    COM,
    EOI,
    SOS,
    STRAY,
    Segment,
    walk_segments,
)
from subpixel.media.formats.jpeg.trailer import is_further_picture, list_trailing_parts
from subpixel.media.metadata.exif import EXIF_PREFIX
from subpixel.media.metadata.iptc import PHOTOSHOP_LABEL
from subpixel.media.metadata.xmp.xmp_extension import EXTENSION_LABEL

JFIF_LABEL, XMP_LABEL = b"JFIF\0", b"http://ns.adobe.com/xap/1.0/\0"
ICC_LABEL, ADOBE_LABEL, DUCKY_LABEL = b"ICC_PROFILE\0", b"Adobe", b"Ducky"

_LOOK = 512
"""Bytes of a segment that are looked at."""

_STORAGE_SEGMENTS = frozenset({*range(0xC0, 0xD0), SOS, EOI, 0xDB, 0xDD})
"""Frames, Huffman and arithmetic tables, scans, quantisation tables, restarts."""

_SEGMENT_SIZES = {0xDC: 2, APP14: 12}
"""Bytes of a line count (DNL), which decoders skip, and of Adobe's note on the samples."""

_SINGLE_SEGMENTS = ((APP0, JFIF_LABEL), (APP1, EXIF_PREFIX), (APP1, XMP_LABEL))
"""What is kept of the first segment that begins so."""

_MANY = (
    (APP1, EXTENSION_LABEL),
    (APP2, ICC_LABEL),
    (APP13, PHOTOSHOP_LABEL),
)
"""What is kept however many segments it takes."""


@dataclass(frozen=True)
class _Known:
    """A segment that is understood and can't be kept."""

    marker: int
    label: bytes
    what: str
    remark: str


_SIGNED = "C2PA or another JUMBF box; what is signed for the original can't hold for other pixels"
_KNOWN = (
    _Known(APP0, b"JFXX\0", "preview", "a JFIF thumbnail"),
    _Known(APP2, b"MPF\0", "further pictures", "the index of a gain map or preview, MPF"),
    _Known(APP2, b"urn:iso:std:iso:ts:21496:-1\0", "further pictures", "facts of a gain map"),
    _Known(APP11, b"JP", "content credentials", _SIGNED),
    _Known(APP12, DUCKY_LABEL, "text", "Photoshop's texts, Ducky"),
)

_SEGMENT_GUESSES = (
    (APP0, b"AVI1", "Motion JPEG"),
    (APP0, b"CIFF", "Canon"),
    (APP1, b"FLIR\0", "a thermal picture of FLIR"),
    (APP1, EXIF_PREFIX, "a further EXIF block"),
    (APP1, XMP_LABEL, "a further XMP packet"),
    (APP2, b"FPXR\0", "FlashPix"),
    (0xE3, b"Meta", "Kodak"),
    (0xE3, b"_JPSJPS_", "a stereo pair"),
    (0xE5, b"RMETA\0", "Ricoh"),
    (APP11, b"HDR_RI", "JPEG-HDR"),
    (APP12, b"", "Picture Info of a camera"),
    (APP13, b"Adobe_CM", "Photoshop's colour management"),
    (APP13, b"Adobe_Photoshop", "an old Photoshop"),
    (0xEF, b"Q ", "GraphicConverter"),
)


def list_jpeg_parts(stream: BinaryIO, gain_maps: Collection[int] = ()) -> Iterator[FilePart]:
    """All parts of the file, in their order.

    The pictures that begin at ``gain_maps`` are kept. What points to
    further pictures is named only where none of them follows.
    """
    account, pointers, end = _Account(), list[FilePart](), None
    for segment in islice(walk_segments(stream, 0, _LOOK), MAX_PARTS):
        part = account.add(segment)
        if is_further_picture(part):
            pointers.append(part)
        else:
            yield part
        end = segment.end if segment.marker == EOI else None
    trailing = [] if end is None else list(list_trailing_parts(stream, end, gain_maps))
    yield from trailing
    yield from [] if any(map(is_further_picture, trailing)) else pointers
    if account.number == MAX_PARTS:
        yield leave_out(f"what follows segment {MAX_PARTS:,}", 0)


class _Account:
    """What has been met so far."""

    def __init__(self) -> None:
        self.number, self._in_scans = 0, False
        self._earlier: set[tuple[int, bytes]] = set()

    def add(self, segment: Segment) -> FilePart:
        """What becomes of the next segment."""
        self.number += 1
        self._in_scans = self._in_scans or segment.marker == SOS
        name = _name_segment(segment)
        if segment.marker in _STORAGE_SEGMENTS or _is_note_on_storage(segment):
            return FilePart(name, segment.size)
        if segment.marker == STRAY:
            return _account_gap(segment)
        if self._in_scans:
            return leave_out(name, segment.size, "behind the first scan")
        return self._account_head(segment, name)

    def _account_head(self, segment: Segment, name: str) -> FilePart:
        if segment.marker == COM or self._is_kept(segment):
            return _account_thumbnail(segment) or FilePart(name, segment.size)
        for known in _KNOWN:
            if segment.marker == known.marker and segment.has_label(known.label):
                return _lose_known(segment, name, known)
        return leave_out(name, segment.size, _guess(segment))

    def _is_kept(self, segment: Segment) -> bool:
        for marker, label in _SINGLE_SEGMENTS:
            if segment.marker == marker and segment.has_label(label):
                is_first = (marker, label) not in self._earlier
                self._earlier.add((marker, label))
                return is_first
        return any(segment.marker == m and segment.has_label(label) for m, label in _MANY)


def _name_segment(segment: Segment) -> str:
    marker = segment.marker
    if marker == COM:
        return "a comment"
    if not 0xE0 <= marker <= 0xEF:
        return f"a segment FF{marker:02X}"
    label = escape_name(segment.data[:24].partition(b"\0")[0])
    return f"a segment APP{marker - APP0}" + (f" {label!r}" if label.isascii() and label else "")


def _is_note_on_storage(segment: Segment) -> bool:
    label = ADOBE_LABEL if segment.marker == APP14 else b""
    return _SEGMENT_SIZES.get(segment.marker) == segment.size and segment.has_label(label)


def _guess(segment: Segment) -> str:
    for marker, label, guess in _SEGMENT_GUESSES:
        if segment.marker == marker and segment.has_label(label):
            return guess
    return ""


def _account_gap(segment: Segment) -> FilePart:
    """Fill bytes are no data."""
    name = "data between segments"
    if segment.size == len(segment.data) and not segment.data.strip(b"\0\xff"):
        return FilePart(name, segment.size)
    return leave_out(name, segment.size)


def _account_thumbnail(segment: Segment) -> FilePart | None:
    """The uncompressed thumbnail that a JFIF header may hold."""
    if segment.marker == APP0 and segment.size > 14 and segment.has_label(JFIF_LABEL):
        return lose("a thumbnail in the JFIF header", segment.size - 14, "preview")
    return None


def _lose_known(segment: Segment, name: str, known: _Known) -> FilePart:
    if known.label == DUCKY_LABEL and not _has_text(segment.data):
        return FilePart(name, segment.size)
    return lose(name, segment.size, known.what, known.remark)


def _has_text(ducky: bytes) -> bool:
    """Whether it holds more than the quality (field 1); a field's number and size take 2 bytes."""
    at = len(DUCKY_LABEL)
    while at + 4 <= len(ducky):
        number = int.from_bytes(ducky[at : at + 2])
        if number == 0:
            return False
        if number != 1:
            return True
        at += 4 + int.from_bytes(ducky[at + 2 : at + 4])
    return False
