"""WebP: RIFF chunks. Source: RFC 9649."""

import struct

from subpixel.media.formats.format import Capacity, EncodeTask, Format, FormatReader, FormatWriter
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    load_all_pages,
    select_metadata,
    set_timing,
)


def _load_webp(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    return load_all_pages("webpload_source", contents, fail_on), ()


def _save_webp(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    options, meta = task.options, task.header.metadata
    set_timing(image, meta)
    block = task.exif_block(meta.orientation, meta.resolution)
    data = image.webpsave_buffer(
        keep=select_metadata(image, meta, block),
        Q=options.quality or 90,
        lossless=options.lossless,
        exact=options.lossless,
        effort=2 if options.effort is None else min(options.effort, 6),
    )
    target.take(data if block is None else _replace_exif(data, block))


def _replace_exif(file: bytes, block: bytes) -> bytes:
    """libvips' WebP, its EXIF chunk replaced."""
    parts, at = [b"WEBP"], 12
    while at + 8 <= len(file):
        name, length = struct.unpack_from("<4sI", file, at)
        data = block if name == b"EXIF" else file[at + 8 : at + 8 + length]
        parts.append(struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2))
        at += 8 + length + length % 2
    return b"RIFF" + struct.pack("<I", sum(map(len, parts))) + b"".join(parts)


WEBP = Format(
    name="WebP",
    suffixes=(".webp",),
    recognize=lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    capacity=Capacity(depth=8, alpha="full", grey=False, animation="timed", max_side=16_383),
    reader=FormatReader(load=_load_webp, pixel_bytes=10),
    writer=FormatWriter(
        save=_save_webp, options=frozenset({"quality", "lossless", "effort"}), pixel_bytes=28
    ),
)
