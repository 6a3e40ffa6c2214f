"""JPEG: segments before the first scan hold everything but the pixels.

Sources: ITU-T T.81 and T.871 (JPEG, JFIF).
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from subpixel.media.compression.read import Compression, judge_jpeg
from subpixel.media.formats.account import FilePart
from subpixel.media.formats.format import (
    Capacity,
    EncodeTask,
    Format,
    FormatReader,
    FormatWriter,
    hold_comments,
)
from subpixel.media.formats.jpeg.description import describe_head
from subpixel.media.formats.jpeg.mending import mend_jpeg
from subpixel.media.formats.jpeg.parts import ICC_LABEL, JFIF_LABEL, XMP_LABEL, list_jpeg_parts
from subpixel.media.formats.jpeg.profile import set_whole_profile
from subpixel.media.formats.jpeg.segments import (
    APP0,
    APP1,
    APP2,
    APP13,
    COM,
    MAX_SEGMENT,
    build_segment,
    read_head,
    select_contents,
    walk_head,
)
from subpixel.media.formats.jpeg.ultra_hdr import (
    announce_map,
    append_map,
    build_announcement,
    enlarge_map,
    find_gain_map,
)
from subpixel.media.libvips import (
    MAX_HELD_BYTES,
    FileContents,
    FileTarget,
    Patches,
    Strictness,
    VipsImage,
    VipsLoad,
    load_bytes,
    load_first_page,
    load_rows,
    patch_bytes,
)
from subpixel.media.metadata import iptc
from subpixel.media.metadata.exif import EXIF_PREFIX, hide_tangled
from subpixel.media.metadata.xmp.xmp_extension import build_pieces, split_extension
from subpixel.media.picture import Loss, Metadata

JFIF_END = 20
"""Where a JFIF header ends that holds no thumbnail."""

_MAX_DENSITY = 65_535
_MAX_XMP = MAX_SEGMENT - len(XMP_LABEL)


_FEW_LEFT = r"\b([1-9]|1[0-6]) extraneous bytes before marker 0xd[0-79]"
"""Cameras for video leave some behind the last block; damage leaves tens to hundreds, or none."""


def _load_jpeg(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    correction = mend_jpeg(contents.look(), ends_itself=fail_on == "warning")
    with contents.stream() as stream:
        hidden = _hide_segments(stream)
    if correction is not None:
        image = load_bytes(patch_bytes(correction, hidden), fail_on)
    elif hidden:
        image = load_first_page("jpegload_source", contents, fail_on, hidden)
    else:
        image = load_rows("jpegload_source", contents, fail_on)
    with contents.stream() as stream:
        segments, _ = read_head(stream)
    return set_whole_profile(image, select_contents(segments, APP2, ICC_LABEL))


def _hide_segments(stream: BinaryIO) -> Patches:
    """What hides EXIF from libvips that keeps it busy."""
    patches: dict[int, bytes] = {}
    for segment in walk_head(stream):
        if segment.marker == APP1 and segment.has_label(EXIF_PREFIX):
            patches |= hide_tangled(segment.data, segment.at)
    return patches


def _describe_jpeg(contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    with contents.stream() as stream:
        segments, is_complete = read_head(stream)
    gain_map = find_gain_map(contents, segments)
    if gain_map is None:
        return describe_head(segments, is_complete)
    meta, losses = describe_head(segments, is_complete, exceptions=("GainMap",))
    return gain_map.take(meta, losses, image)


def _list_jpeg_parts(contents: FileContents) -> Iterator[FilePart]:
    with contents.stream() as stream:
        segments, _ = read_head(stream)
        gain_map = find_gain_map(contents, segments)
        yield from list_jpeg_parts(stream, () if gain_map is None else (gain_map.start,))


def _read_compression(contents: FileContents) -> Compression:
    with contents.stream() as stream:
        return judge_jpeg((segment.marker, segment.data) for segment in walk_head(stream))


def _save_jpeg(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    quality, meta = task.options.quality or 95, task.header.metadata
    chroma, block = "off" if quality >= 90 else "on", task.exif_block(meta.orientation)

    gain_map = (task.grow_map or enlarge_map)(task.header, quality)
    announcement = b"" if gain_map is None else build_announcement(gain_map)
    if gain_map is not None:
        meta = replace(meta, xmp=announce_map(meta.xmp, gain_map))

    def splice(head: bytes) -> bytes | None:
        if len(head) < JFIF_END:
            return None
        return _splice_segments(head, meta, block, announcement)

    image.jpegsave_target(target.for_libvips(splice), keep="icc", Q=quality, subsample_mode=chroma)
    if gain_map is not None:
        append_map(target.stream, gain_map)


def _splice_segments(
    file: bytes, meta: Metadata, block: bytes | None, announcement: bytes
) -> bytes:
    """libvips' JPEG with a JFIF header of the metadata's resolution, EXIF, XMP, IPTC, comments,
    and the announcement of a gain map.

    Its first :data:`JFIF_END` bytes will do.
    """
    segments = b"".join(
        build_segment(marker, data)
        for marker, data in _list_segments(meta, block)
        if len(data) <= MAX_SEGMENT
    )
    has_jfif = file[2:4] == b"\xff\xe0" and file[6:11] == JFIF_LABEL
    start = 4 + int.from_bytes(file[4:6]) if has_jfif else 2
    return b"".join((b"\xff\xd8", segments, announcement, memoryview(file)[start:]))


def _list_segments(meta: Metadata, block: bytes | None) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment; one that is too long has been named as a loss."""
    yield APP0, _build_jfif(meta)
    if block is not None:
        yield APP1, EXIF_PREFIX + block
    if meta.xmp is not None:
        yield from _list_xmp(meta.xmp)
    if meta.iptc is not None:
        yield from ((APP13, content) for content in iptc.split_segments(meta.iptc, MAX_SEGMENT))
    yield from ((COM, text.encode()) for text in hold_comments(JPEG.capacity, meta.text))


def _list_xmp(packet: bytes) -> Iterator[tuple[int, bytes]]:
    if len(packet) <= _MAX_XMP:
        yield APP1, XMP_LABEL + packet
        return
    try:
        main, extension = split_extension(packet, _MAX_XMP)
    except ValueError:  # named as a loss
        return
    yield APP1, XMP_LABEL + main
    yield from ((APP1, content) for content in build_pieces(extension, MAX_SEGMENT))


def _build_jfif(meta: Metadata) -> bytes:
    unit, (across, down) = 0, meta.aspect or (1, 1)
    if meta.resolution is not None:
        unit, (across, down) = 1, (round(number * 25.4) for number in meta.resolution)
    elif max(across, down) > _MAX_DENSITY:
        across, down = (n * _MAX_DENSITY // max(across, down) for n in (across, down))
    across, down = (min(max(number, 1), _MAX_DENSITY) for number in (across, down))
    return JFIF_LABEL + struct.pack(">HBHHBB", 0x0102, unit, across, down, 0, 0)


JPEG = Format(
    name="JPEG",
    suffixes=(".jpg", ".jpeg"),
    recognize=lambda head: head[:3] == b"\xff\xd8\xff",
    capacity=Capacity(
        depth=8,
        alpha="none",
        grey=True,
        animation="none",
        iptc=True,
        aspect=True,
        text="comments",
        gain_map=True,
        max_side=65_500,
        max_exif=MAX_SEGMENT - len(EXIF_PREFIX),
        max_xmp=_MAX_XMP,
        max_comment=MAX_SEGMENT,
    ),
    reader=FormatReader(
        load=_load_jpeg,
        describe=_describe_jpeg,
        parts=_list_jpeg_parts,
        compression=_read_compression,
        # what libjpeg warns of in whole pictures; its other warnings mean damaged pixels
        harmless_warnings=(_FEW_LEFT, "bad ICC marker"),
        interlaced_rows=2,
        held_bytes=MAX_HELD_BYTES,
    ),
    writer=FormatWriter(save=_save_jpeg, options=frozenset({"quality"})),
)
