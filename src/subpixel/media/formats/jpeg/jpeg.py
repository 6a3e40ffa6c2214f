"""JPEG: segments before the first scan hold everything but the pixels.

Sources: ITU-T T.81 and T.871 (JPEG, JFIF).
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from subpixel.media.formats.format import (
    COMMENT,
    Capacity,
    EncodeTask,
    Format,
    FormatReader,
    FormatWriter,
)
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    get_blob,
    load_first_page,
    read_metadata,
)
from subpixel.media.metadata import exif
from subpixel.media.picture import Loss, Metadata

MAX_SEGMENT = 65_533
"""Most bytes that one segment holds."""

JFIF_END = 20
"""Where a JFIF header ends that holds no thumbnail."""

_XMP_LABEL = b"http://ns.adobe.com/xap/1.0/\0"


def _load_jpeg(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    return load_first_page("jpegload_source", contents, fail_on), ()


def _describe_jpeg(contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    meta = read_metadata(image)
    with contents.stream() as stream:
        head = _read_head(stream)
    meta = replace(
        meta,
        resolution=_find_resolution(head) or meta.resolution,
        iptc=get_blob(image, "iptc-data"),
        text=_find_comments(head),
    )
    return meta, _find_jpeg_losses(head)


def _read_head(file: BinaryIO) -> bytes:
    """The segments before the first scan."""
    file.seek(0)
    parts = [file.read(2)]
    while len(head := file.read(4)) == 4 and head[0] == 0xFF:
        length = int.from_bytes(head[2:])
        if head[1] == 0xDA or length < 2:
            break
        parts += [head, file.read(length - 2)]
    return b"".join(parts)


def _find_resolution(head: bytes) -> tuple[float, float] | None:
    """Pixels per millimetre of the JFIF header; None when it states none."""
    for marker, data in _segments(head):
        if marker == 0xE0 and data[:5] == b"JFIF\0" and len(data) >= 12:
            unit, across, down = struct.unpack_from(">BHH", data, 7)
            per_mm = {1: 25.4, 2: 10.0}.get(unit)
            return (across / per_mm, down / per_mm) if per_mm and across and down else None
    return None


def _find_comments(head: bytes) -> tuple[tuple[str, str], ...]:
    """Comments as text chunks; T.81 names no encoding: UTF-8, or else Latin-1."""
    return tuple(
        (COMMENT, _decode_comment(data)) for marker, data in _segments(head) if marker == 0xFE
    )


def _decode_comment(data: bytes) -> str:
    data = data.rstrip(b"\0")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _find_jpeg_losses(head: bytes) -> tuple[Loss, ...]:
    """What the file holds beside its picture and can't be kept."""
    if any(m == 0xE2 and data[:4] == b"MPF\0" for m, data in _segments(head)):
        return (Loss("further pictures", "a gain map or preview is left out (MPF)"),)
    return ()


def _segments(head: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and data of each segment before the first scan."""
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker, length = struct.unpack_from(">xBH", head, at)
        if marker == 0xDA or length < 2:
            return
        yield marker, head[at + 4 : at + 2 + length]
        at += 2 + length


def _save_jpeg(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    quality, meta = task.options.quality or 95, task.header.metadata
    chroma, block = "off" if quality >= 90 else "on", task.exif_block(meta.orientation)

    def splice(head: bytes) -> bytes | None:
        return _splice_segments(head, meta, block) if len(head) >= JFIF_END else None

    image.jpegsave_target(target.for_libvips(splice), keep="icc", Q=quality, subsample_mode=chroma)


def _splice_segments(file: bytes, meta: Metadata, block: bytes | None) -> bytes:
    """libvips' JPEG with a JFIF header of the metadata's resolution, EXIF, XMP, IPTC, comments.

    Its first :data:`JFIF_END` bytes will do.
    """
    segments = _build_segment(0xE0, _build_jfif(meta.resolution))
    comments = ((0xFE, b"", text.encode()) for key, text in meta.text if key == COMMENT)
    for marker, label, data in (
        (0xE1, exif.EXIF_PREFIX, block),
        (0xE1, _XMP_LABEL, meta.xmp),
        (0xED, b"", meta.iptc),
        *comments,
    ):
        if data is not None and len(label) + len(data) <= MAX_SEGMENT:
            segments += _build_segment(marker, label + data)
    has_jfif = file[2:4] == b"\xff\xe0" and file[6:11] == b"JFIF\0"
    start = 4 + int.from_bytes(file[4:6]) if has_jfif else 2
    return b"".join((b"\xff\xd8", segments, memoryview(file)[start:]))


def _build_jfif(resolution: tuple[float, float] | None) -> bytes:
    if resolution is None:
        return b"JFIF\0" + struct.pack(">HBHHBB", 0x0102, 0, 1, 1, 0, 0)
    across, down = (min(max(round(r * 25.4), 1), 65_535) for r in resolution)
    return b"JFIF\0" + struct.pack(">HBHHBB", 0x0102, 1, across, down, 0, 0)


def _build_segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


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
        text="comments",
        max_side=65_500,
        max_block=MAX_SEGMENT,
    ),
    reader=FormatReader(
        load=_load_jpeg,
        describe=_describe_jpeg,
        # what libjpeg warns of in whole pictures; its other warnings mean damaged pixels
        harmless_warnings=(
            "extraneous bytes",
            "JFIF revision",
            "color transform code",
            "bad ICC marker",
        ),
        interlaced_rows=2,
    ),
    writer=FormatWriter(save=_save_jpeg, options=frozenset({"quality"})),
)
