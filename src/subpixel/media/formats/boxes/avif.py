"""AVIF: boxes of ISO/IEC 14496-12. Pixels come in and go out upright: orientation is a property
of its own (``irot``, ``imir``), which libheif applies and writes."""

import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from subpixel.media.formats.format import Capacity, EncodeTask, Format, FormatReader, FormatWriter
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    get_number,
    load_first_page,
    load_page,
    read_metadata,
    select_metadata,
)
from subpixel.media.picture import Loss, Metadata, Rows

AVIF_MAX_DEPTH = 12
"""Most bits per sample."""


def _load_avif(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    first = load_first_page("heifload_source", contents, fail_on)
    pages = first.get_n_pages()
    if pages == 1:
        return first, ()
    primary = first.get("heif-primary")
    image = load_page("heifload_source", contents, fail_on, primary)
    return image, (Loss("frames", f"one of the {pages} pictures in the file is used"),)


def _describe_avif(_contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    return replace(read_metadata(image), orientation=1), ()


def _read_bit_depth(image: VipsImage) -> int:
    return get_number(image, "bits-per-sample", 16)


def _scale_up(rows: Rows, depth: int) -> Rows:
    """libvips shifts 10 and 12 bits up, so that white is below 65535: scale instead."""
    if depth in (8, 16):
        return rows
    white = (1 << depth) - 1
    samples = (rows >> (16 - depth)).astype(np.uint32)
    return ((samples * 65535 + white // 2) // white).astype(np.uint16)


def _save_avif(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    options, block = task.options, _build_upright_exif(task)
    data = image.heifsave_buffer(
        keep=select_metadata(image, task.header.metadata, block),
        compression="av1",
        Q=options.quality or 80,
        lossless=options.lossless,
        bitdepth=min(task.header.bit_depth, AVIF_MAX_DEPTH),
        subsample_mode="off",
        effort=1 if options.effort is None else options.effort,
    )
    target.take(data if block is None else _point_to_exif(data, block))


def _build_upright_exif(task: EncodeTask) -> bytes | None:
    """The block of the picture as it is written, which is upright."""
    meta, (count, height, width, channels) = task.header.metadata, task.header.shape
    upright = (count, width, height, channels) if meta.orientation >= 5 else task.header.shape
    task = replace(task, header=replace(task.header, shape=upright))
    return task.exif_block(1, meta.resolution)


def _point_to_exif(file: bytes, block: bytes) -> bytes:
    """libvips' AVIF, its EXIF item pointed to a new block at the end."""
    boxes = {name: (start, end) for name, start, end in _boxes(file, 0, len(file))}
    start, end = boxes[b"meta"]
    inner = {name: (s, e) for name, s, e in _boxes(file, start + 4, end)}
    item = _find_exif_item(file, *inner[b"iinf"])
    payload = bytes(4) + block  # a TIFF header follows at once
    whole = bytearray(file)
    _set_extent(whole, inner[b"iloc"][0], item, len(file) + 8, len(payload))
    return b"".join((whole, struct.pack(">I4s", len(payload) + 8, b"mdat"), payload))


def _boxes(file: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte of content and end of each box."""
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", file, start)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", file, start + 8)
            header = 16
        stop = start + size if size else end
        yield name, start + header, stop
        start = stop


def _find_exif_item(file: bytes, start: int, end: int) -> int:
    """The number of the item of type ``Exif``; ``infe`` boxes of version 2 (16-bit numbers)."""
    for name, at, _ in _boxes(file, start + 6, end):
        if name == b"infe" and file[at + 8 : at + 12] == b"Exif":
            return int.from_bytes(file[at + 4 : at + 6])
    raise ValueError("no Exif item")


def _set_extent(file: bytearray, at: int, item: int, offset: int, length: int) -> None:
    """Set the one extent of an item, in an ``iloc`` box as libheif writes it."""
    version, sizes, sizes2, count = struct.unpack_from(">B3xBBH", file, at)
    if version > 1 or sizes != 0x44:
        raise ValueError("an item table of another kind")
    base, index = sizes2 >> 4, (sizes2 & 15) if version == 1 else 0
    at += 8
    for _ in range(count):
        (number,) = struct.unpack_from(">H", file, at)
        at += (6 if version == 1 else 4) + base
        (extents,) = struct.unpack_from(">H", file, at)
        if number == item:
            file[at - base : at] = bytes(base)
            struct.pack_into(">II", file, at + 2 + index, offset, length)
            return
        at += 2 + extents * (8 + index)
    raise ValueError("no place of the Exif item")


AVIF = Format(
    name="AVIF",
    suffixes=(".avif",),
    recognize=lambda head: (
        head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"mif1", b"msf1")
    ),
    capacity=Capacity(
        depth=AVIF_MAX_DEPTH, alpha="full", grey=False, animation="none", max_side=16_384
    ),
    reader=FormatReader(
        load=_load_avif,
        describe=_describe_avif,
        bit_depth=_read_bit_depth,
        true_samples=_scale_up,
        pixel_bytes=20,
    ),
    # lossy alpha would be a little less than opaque
    writer=FormatWriter(
        save=_save_avif,
        options=frozenset({"quality", "lossless", "effort"}),
        drops_opaque_alpha=True,
        pixel_bytes=46,
    ),
)
