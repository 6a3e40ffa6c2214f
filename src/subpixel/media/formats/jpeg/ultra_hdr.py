"""Ultra HDR: a JPEG with a gain map, which is a JPEG of its own behind it.

The first file says where the map lies in MPF (CIPA DC-007) and, written before 2025, in XMP
too (Google's Ultra HDR image format); the map's own segments say how it is applied: in XMP
(``hdrgm``), as ISO 21496-1, or as Apple does. These are carried over as they are, and the map's
pixels grow with the picture.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import BinaryIO

import pyvips

from subpixel.media.formats.account import MAX_PARTS
from subpixel.media.formats.jpeg.parts import XMP_LABEL
from subpixel.media.formats.jpeg.segments import (
    APP0,
    APP1,
    APP2,
    APP14,
    COM,
    Segment,
    build_segment,
    read_head,
    walk_head,
)
from subpixel.media.libvips import FileContents, VipsImage, explain_error
from subpixel.media.metadata import exif
from subpixel.media.metadata.budget import MAX_METADATA, Budget
from subpixel.media.metadata.xmp.xmp import add_description
from subpixel.media.picture import GainMap, Header, Loss, Metadata

APP15 = 0xEF
MPF_LABEL = b"MPF\0"
MAX_MPF_PICTURES = 100
"""Most pictures of a list that are looked at."""

MAX_MAP_HEAD = 1 << 20
"""Most bytes of one in which it is looked for what it is."""

ISO_LABEL = b"urn:iso:std:iso:ts:21496:-1\0"

APPLE_MAP = b"urn:com:apple:photo:2020:aux:hdrgainmap"
"""The kind of Apple's gain maps, in XMP and among the items of a HEIC."""

_HDRGM = b"http://ns.adobe.com/hdr-gain-map/1.0/"
_ISO_VERSIONS = bytes(4)
"""Least version of a reader, and the writer's: 0 both, in 16 bits."""
_MP_ENTRY = 0xB002
_PRIMARY = 0x030000


@dataclass(frozen=True)
class GainMapFile:
    """A gain map as it lies in the file of its picture."""

    start: int
    """Where."""
    data: bytes
    """A JPEG file of its own."""

    def take(
        self, meta: Metadata, losses: tuple[Loss, ...], image: VipsImage
    ) -> tuple[Metadata, tuple[Loss, ...]]:
        """``meta`` with the map, and ``losses``; or with why it is of no use for the picture
        ``image``: it can't be decoded, or is larger."""
        reason = _find_map_fault(self.data, image)
        if reason is not None:
            return meta, (*losses, Loss("gain map", f"{reason}; left out"))
        return replace(meta, gain_map=GainMap(self.data, image.width, image.height)), losses


def find_gain_map(contents: FileContents, segments: Iterable[Segment]) -> GainMapFile | None:
    """The first gain map that MPF lists behind the picture whose segments these are."""
    blocks = [s for s in segments if s.marker == APP2 and s.has_label(MPF_LABEL)]
    if not blocks:
        return None
    file, at = contents.look(), blocks[0].at + len(MPF_LABEL)
    budget = Budget(MAX_PARTS, min(len(file), MAX_METADATA))
    for start, end in islice(_parse_mpf(blocks[0].data[len(MPF_LABEL) :], at), MAX_MPF_PICTURES):
        if end > len(file) or not budget.take(end - start):
            continue
        if _is_gain_map(file[start : min(end, start + MAX_MAP_HEAD)], budget):
            return GainMapFile(start, file[start:end])
    return None


def _parse_mpf(block: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of each picture but the first; ``at`` is where the block stands."""
    layout = exif.layout_of(block)
    for field in exif.fields_of(block):
        if field.tag == _MP_ENTRY and layout is not None:
            value = bytes(field.value)
            for entry in range(16, len(value) - 15, 16):
                size, offset = struct.unpack_from(layout.order + "II", value, entry + 4)
                if size and offset:
                    yield at + offset, at + offset + size


def _read_segments(jpeg: bytes) -> tuple[Segment, ...]:
    return read_head(io.BytesIO(jpeg))[0]


def _is_gain_map(jpeg: bytes, budget: Budget) -> bool:
    segments = takewhile(lambda _: budget.step(), walk_head(io.BytesIO(jpeg)))
    return jpeg[:2] == b"\xff\xd8" and any(map(_describes_map, segments))


def _describes_map(segment: Segment) -> bool:
    if segment.marker == APP1 and segment.has_label(XMP_LABEL):
        return _HDRGM in segment.data or APPLE_MAP in segment.data
    return segment.marker == APP2 and segment.has_label(ISO_LABEL)


def _find_map_fault(jpeg: bytes, picture: VipsImage) -> str | None:
    """Why a map is of no use; it is decoded to see."""
    try:
        image = pyvips.Image.jpegload_buffer(jpeg, access="sequential", fail_on="error")
        if image.width > picture.width or image.height > picture.height or image.bands > 3:
            return f"it has {image.width} x {image.height} pixels in {image.bands} channels"
        image.avg()
    except pyvips.Error as error:
        return f"it is damaged ({explain_error(error)})"
    return None


def enlarge_map(header: Header, quality: int) -> bytes | None:
    """The gain map of a picture of ``header``, grown with it by bicubic interpolation, as a JPEG
    whose segments say what they said; None where there is none that fits."""
    gain_map = header.metadata.gain_map
    if gain_map is None or not gain_map.fits(header.width, header.height):
        return None
    image = pyvips.Image.jpegload_buffer(gain_map.data, access="sequential", fail_on="error")
    across, down = gain_map.scales_to(header.width, header.height)
    size = (
        _scale_side(image.width, header.width, gain_map.width),
        _scale_side(image.height, header.height, gain_map.height),
    )
    whole = image.resize(across, vscale=down, kernel="cubic")
    file = _cut(whole, *gain_map.region[:2], size).jpegsave_buffer(
        Q=quality, keep="none", subsample_mode="off"
    )
    return _copy_segments(gain_map.data, file)


def _scale_side(side: int, picture: int, source: int) -> int:
    """A side of the map that is to the new picture's as the old map's to the old picture's."""
    return max(1, round(picture * side / source))


def _cut(whole: VipsImage, left: float, top: float, size: tuple[int, int]) -> VipsImage:
    width, height = min(size[0], whole.width), min(size[1], whole.height)
    x = min(round(left * whole.width), whole.width - width)
    y = min(round(top * whole.height), whole.height - height)
    return whole.crop(x, y, width, height)


def _copy_segments(source: bytes, target: bytes) -> bytes:
    """``target`` with the application segments and comments of ``source``, but for those that say
    how its samples are stored."""
    copies = b"".join(
        build_segment(s.marker, s.data)
        for s in _read_segments(source)
        if (APP1 <= s.marker <= APP15 and s.marker != APP14) or s.marker == COM
    )
    return insert_segments(target, copies)


def insert_segments(jpeg: bytes, segments: bytes) -> bytes:
    """A file with further segments at its beginning, behind a JFIF header."""
    start = 2
    if jpeg[2:4] == bytes((0xFF, APP0)):
        start = 4 + int.from_bytes(jpeg[4:6])
    return jpeg[:start] + segments + jpeg[start:]


def build_announcement(gain_map: bytes) -> bytes:
    """The segments of a first file that announce this map; where it lies is not in them yet."""
    iso = any(s.has_label(ISO_LABEL) for s in _read_segments(gain_map))
    version = build_segment(APP2, ISO_LABEL + _ISO_VERSIONS) if iso else b""
    return version + build_segment(APP2, _build_mpf(0, 0, 0))


def append_map(stream: BinaryIO, gain_map: bytes) -> None:
    """Put the map behind the whole first file in ``stream``, and its place into that one's MPF."""
    size = stream.seek(0, io.SEEK_END)
    stream.write(gain_map)
    stream.seek(0)
    at = _find_mpf(stream)
    stream.seek(at)
    stream.write(_build_mpf(size, len(gain_map), size - at - len(MPF_LABEL)))
    stream.seek(0, io.SEEK_END)


def _find_mpf(stream: BinaryIO) -> int:
    """Where the data of the segment of MPF begins."""
    at = 2
    while True:
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8 or head[0] != 0xFF:
            raise ValueError("no place for the gain map's address")
        if head[1] == APP2 and head[4:] == MPF_LABEL:
            return at + 4
        at += 2 + int.from_bytes(head[2:4])


def _build_mpf(size: int, map_size: int, offset: int) -> bytes:
    """The list of two pictures; ``offset`` counts from behind the label."""
    version = struct.pack(">HHI4s", 0xB000, exif.UNDEFINED, 4, b"0100")
    number = struct.pack(">HHII", 0xB001, exif.LONG, 1, 2)
    entries = struct.pack(">HHII", _MP_ENTRY, exif.UNDEFINED, 32, 50)
    head = struct.pack(">2sHIH", b"MM", 42, 8, 3) + version + number + entries + bytes(4)
    pictures = struct.pack(">IIIHH", _PRIMARY, size, 0, 0, 0)
    pictures += struct.pack(">IIIHH", 0, map_size, offset, 0, 0)
    return MPF_LABEL + head + pictures


_PACKET = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>'
    b'</x:xmpmeta><?xpacket end="w"?>'
)

_ANNOUNCEMENT = (
    '<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" rdf:about=""'
    ' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
    ' xmlns:Container="http://ns.google.com/photos/1.0/container/"'
    ' xmlns:Item="http://ns.google.com/photos/1.0/container/item/" hdrgm:Version="1.0">'
    "<Container:Directory><rdf:Seq>"
    '<rdf:li rdf:parseType="Resource">'
    '<Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>'
    '<rdf:li rdf:parseType="Resource">'
    '<Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="{}"/></rdf:li>'
    "</rdf:Seq></Container:Directory></rdf:Description>"
)


def announce_map(xmp: bytes | None, gain_map: bytes) -> bytes | None:
    """XMP that announces this map, where the map itself is described in XMP."""
    if not any(s.has_label(XMP_LABEL) and _HDRGM in s.data for s in _read_segments(gain_map)):
        return xmp
    announcement = _ANNOUNCEMENT.format(len(gain_map)).encode()
    return add_description(xmp or _PACKET, announcement)
