"""WebP: RIFF chunks. Source: RFC 9649."""

import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from subpixel.media.compression.read import Compression, read_webp_compression
from subpixel.media.formats.account import FilePart, lose_oversized
from subpixel.media.formats.format import Capacity, EncodeTask, Format, FormatReader, FormatWriter
from subpixel.media.formats.webp.riff import RIFF_HEAD, list_webp_parts, walk_riff
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Patches,
    Strictness,
    VipsImage,
    VipsLoad,
    load_bytes,
    patch_bytes,
    read_metadata,
    select_metadata,
    set_timing,
)
from subpixel.media.metadata import exif
from subpixel.media.metadata.budget import MAX_METADATA, Budget
from subpixel.media.picture import Loss, Metadata
from subpixel.media.timing import MAX_SHORT, TimingLimits


def _load_webp(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    with contents.stream() as stream:
        hidden = _hide_chunks(stream)
    return load_bytes(patch_bytes(contents.hold(), hidden), fail_on, pages=-1), ()


def _hide_chunks(stream: BinaryIO) -> Patches:
    """What hides EXIF from libvips that keeps it busy."""
    patches: dict[int, bytes] = {}
    for chunk in walk_riff(stream):
        if chunk.name == b"EXIF":
            room = chunk.size <= MAX_METADATA
            block = chunk.read(stream) if room else b""
            patches |= exif.hide_tangled(block, chunk.at) if room else {chunk.at: bytes(8)}
    return patches


def _describe_webp(contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    """The chunks themselves are read: libwebp sees only those that the header has announced."""
    first, losses = _read_first_chunks(contents)
    block = first.get(b"EXIF", b"").removeprefix(exif.EXIF_PREFIX) or None
    meta = replace(
        read_metadata(image),
        exif=block,
        xmp=first.get(b"XMP "),
        orientation=exif.orientation_in(block),
        resolution=exif.resolution_in(block),
    )
    if b"ICCP" in first and not image.get_typeof("icc-profile-data"):
        losses += (Loss("icc", "a profile that the header doesn't announce; left out"),)
    return meta, losses


def _read_first_chunks(
    contents: FileContents,
) -> tuple[dict[bytes, bytes], tuple[Loss, ...]]:
    budget, first, losses = Budget(), dict[bytes, bytes](), list[Loss]()
    with contents.stream() as stream:
        for chunk in walk_riff(stream):
            what = {b"ICCP": "icc", b"EXIF": "exif", b"XMP ": "xmp"}.get(chunk.name)
            if what is None or chunk.name in first:
                continue
            has_room = budget.take(chunk.size)
            first[chunk.name] = chunk.read(stream) if has_room else b""
            if not has_room:
                losses.append(lose_oversized(what, chunk.size))
    return first, tuple(losses)


def _list_webp_parts(contents: FileContents) -> Iterator[FilePart]:
    with contents.stream() as stream:
        yield from list_webp_parts(stream)


WEBP_TIMING = TimingLimits(
    "milliseconds",
    1,
    max_delay_ms=(1 << 24) - 1,
    max_loop=MAX_SHORT,
    default_below_ms=11,  # libvips does so, whatever is asked
)


def _save_webp(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    options, meta = task.options, task.header.metadata
    set_timing(image, meta, WEBP_TIMING)
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
    parts, at = [b"WEBP"], RIFF_HEAD
    while at + 8 <= len(file):
        name, length = struct.unpack_from("<4sI", file, at)
        data = block if name == b"EXIF" else file[at + 8 : at + 8 + length]
        parts.append(struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2))
        at += 8 + length + length % 2
    return b"RIFF" + struct.pack("<I", sum(map(len, parts))) + b"".join(parts)


def _read_compression(contents: FileContents) -> Compression:
    with contents.stream() as stream:
        return read_webp_compression(stream)


WEBP = Format(
    name="WebP",
    suffixes=(".webp",),
    recognize=lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    capacity=Capacity(
        depth=8,
        alpha="full",
        grey=False,
        animation="timed",
        timing=WEBP_TIMING,
        max_side=16_383,
    ),
    reader=FormatReader(
        load=_load_webp,
        describe=_describe_webp,
        parts=_list_webp_parts,
        compression=_read_compression,
        pixel_bytes=10,
        held_bytes=sys.maxsize,
    ),
    writer=FormatWriter(
        save=_save_webp, options=frozenset({"quality", "lossless", "effort"}), pixel_bytes=28
    ),
)
