"""AVIF: boxes of ISO/IEC 14496-12. Pixels come in and go out upright: orientation is a property
of its own (``irot``, ``imir``), which libheif applies and writes."""

from dataclasses import replace
from functools import partial

import numpy as np
import pyvips

from subpixel.media.compression.av1_frame import AV1_HEADER_BYTES
from subpixel.media.compression.read import UNKNOWN_COMPRESSION, Compression, judge_av1
from subpixel.media.formats.account import MAX_PARTS
from subpixel.media.formats.boxes.box_account import list_box_parts
from subpixel.media.formats.boxes.box_colour import describe_colours
from subpixel.media.formats.boxes.brands import HEVC_BRANDS, list_brands
from subpixel.media.formats.boxes.editing import point_to_exif, set_coding_points
from subpixel.media.formats.boxes.gain_map import take_map
from subpixel.media.formats.boxes.items import Items, find_alpha, read_av1_head, read_items
from subpixel.media.formats.format import Capacity, EncodeTask, Format, FormatReader, FormatWriter
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Patches,
    Strictness,
    VipsImage,
    VipsLoad,
    explain_error,
    get_number,
    load_first_page,
    load_page,
    read_metadata,
    select_metadata,
    set_blob,
)
from subpixel.media.metadata import exif
from subpixel.media.metadata.colour_tags import coding_points_in
from subpixel.media.metadata.exif import MAX_PLAIN_BLOCK, Block
from subpixel.media.metadata.xmp.xmp import state_upright
from subpixel.media.picture import Loss, Metadata, Rows

AVIF_MAX_DEPTH = 12
"""Most bits per sample."""


def is_avif(head: bytes) -> bool:
    """Whether a file's first bytes announce AVIF, or pictures in boxes of no known codec."""
    brands = list_brands(head)
    generic = brands[:1] in ([b"mif1"], [b"msf1"]) and HEVC_BRANDS.isdisjoint(brands)
    return brands[:1] in ([b"avif"], [b"avis"]) or generic


def _load_avif(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    file = contents.look()
    items = read_items(file)
    image, losses = _load_primary(contents, fail_on, _hide_items(file, items))
    if image.hasalpha() and _is_premultiplied(file, items):
        image = _unpremultiply(image)
    profile, unread = describe_colours(file, items, grey=image.bands <= 2)
    if profile is not None:
        image = image.copy()
        set_blob(image, "icc-profile-data", profile)
    return image, losses + unread


def _hide_items(file: Block, items: Items) -> Patches:
    """What hides EXIF from libvips that keeps it busy."""
    patches: dict[int, bytes] = {}
    for item in items.by_number.values():
        if item.kind == b"Exif" and item.extents and len(patches) < MAX_PARTS:
            start = item.extents[0][0]
            at = start + 4 + int.from_bytes(file[start : start + 4])
            size = min(item.extents[0][1], MAX_PLAIN_BLOCK + 1)
            patches |= exif.hide_tangled(bytes(file[at : at + size]), at)
    return patches


def _load_primary(contents: FileContents, fail_on: Strictness, hidden: Patches) -> VipsLoad:
    first = load_first_page("heifload_source", contents, fail_on, hidden)
    pages = first.get_n_pages()
    if pages == 1:
        return first, ()
    primary = first.get("heif-primary")
    image = load_page("heifload_source", contents, fail_on, primary, hidden)
    return image, (Loss("frames", f"one of the {pages} pictures in the file is used"),)


def _is_premultiplied(file: Block, items: Items) -> bool:
    """Whether colours are stored multiplied by their transparency."""
    alpha = find_alpha(file, items)
    return alpha is not None and items.refers(b"prem", items.primary, alpha)


def _unpremultiply(image: VipsImage) -> VipsImage:
    """Straight colours, rounded to the file's depth; those of no transparency at all are black."""
    depth = _read_bit_depth(image) if image.format == "ushort" else 8
    shift, white = (16 - depth if depth > 8 else 0), (1 << depth) - 1
    small = image >> shift if shift else image
    straight = small.unpremultiply(max_alpha=white).rint()
    whole = (straight > white).ifthenelse(white, straight).cast(image.format)
    return (whole << shift if shift else whole).copy(interpretation=image.interpretation)


def _describe_avif(contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    meta = read_metadata(image)
    block = None if meta.exif is None else exif.reveal_tangled(meta.exif)
    meta = replace(
        meta,
        exif=block,
        resolution=exif.resolution_in(block),
        orientation=1,
        xmp=meta.xmp and state_upright(meta.xmp),
    )
    file = contents.look()
    items = read_items(file)
    hidden = _hide_items(file, items)
    return take_map(meta, file, image, items, partial(_decode_map, contents, hidden))


def _decode_map(contents: FileContents, hidden: Patches, patches: Patches) -> Rows:
    """The samples of the picture that the file has with these changes."""
    try:
        image, _ = _load_primary(contents, "error", {**hidden, **patches})
        depth = _read_bit_depth(image) if image.format == "ushort" else 8
        rows = np.asarray(image.numpy())
    except pyvips.Error as error:
        raise ValueError(f"it can't be decoded ({explain_error(error)})") from error
    return _scale_up(rows.reshape(image.height, image.width, image.bands), depth)


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
    options, block, meta = task.options, task.upright_exif_block(), task.header.metadata
    points = coding_points_in(meta.icc)
    if points is not None and points.hdr:  # readers would take the profile instead
        image = image.copy()
        image.remove("icc-profile-data")
    data = image.heifsave_buffer(
        keep=select_metadata(image, replace(meta, xmp=meta.xmp and state_upright(meta.xmp)), block),
        compression="av1",
        Q=options.quality or 80,
        lossless=options.lossless,
        bitdepth=min(task.header.bit_depth, AVIF_MAX_DEPTH),
        subsample_mode="off",
        effort=1 if options.effort is None else options.effort,
    )
    if points is not None:
        data = set_coding_points(data, points)
    target.take(data if block is None else point_to_exif(data, block))


def _read_av1_compression(contents: FileContents) -> Compression:
    file = contents.look()
    head = read_av1_head(file, read_items(file), AV1_HEADER_BYTES)
    return UNKNOWN_COMPRESSION if head is None else judge_av1(head)


AVIF = Format(
    name="AVIF",
    suffixes=(".avif",),
    recognize=is_avif,
    capacity=Capacity(
        depth=AVIF_MAX_DEPTH,
        alpha="full",
        grey=False,
        animation="none",
        max_side=16_384,
        coding_points=True,
        exif_header=True,
    ),
    reader=FormatReader(
        load=_load_avif,
        describe=_describe_avif,
        parts=list_box_parts,
        compression=_read_av1_compression,
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
