"""TIFF: directories of fields; those of the first one describe the photograph.

Sources: TIFF 6.0 (Adobe, 1992), BigTIFF (libtiff's design page).
"""

from dataclasses import replace

import pyvips

from subpixel.media.formats.format import (
    Capacity,
    EncodeTask,
    Format,
    FormatReader,
    FormatWriter,
    count_sample_bytes,
)
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    get_number,
    load_all_pages,
    load_first_page,
    read_metadata,
    set_blob,
)
from subpixel.media.metadata import exif, iptc
from subpixel.media.picture import Loss, Metadata

CLASSIC_BYTES = 3 << 30
"""Bytes of pixels up to which a file's offsets surely fit in 32 bits. A larger one is a BigTIFF,
which gets no EXIF or IPTC."""

_LAB = (8, 9, 10)


def _load_tiff(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    first = load_first_page("tiffload_source", contents, fail_on)
    pages = first.get_n_pages()
    if pages == 1:
        return first, ()
    try:
        return load_all_pages("tiffload_source", contents, fail_on), ()
    except pyvips.Error:  # pages of several sizes: a pyramid, or a thumbnail
        return first, (
            Loss("frames", f"pages 2 to {pages} are of other sizes, or damaged; left out"),
        )


def _describe_tiff(contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    whole = contents.map()
    resources, records = (exif.value_in(whole, tag) for tag in (exif.PHOTOSHOP, exif.IPTC))
    meta = replace(
        read_metadata(image),
        exif=exif.extract_block(whole),
        iptc=iptc.join_resources(resources, records),
        orientation=get_number(image, "orientation", 1),
        resolution=exif.resolution_in(whole),
    )
    if exif.photometric_in(whole) in _LAB:
        raise ValueError("its colours are Lab; convert it to RGB first")
    return meta, ()


def _save_tiff(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    meta = task.header.metadata
    if meta.xmp is not None:
        set_blob(image, "xmp-data", meta.xmp)
    image.tiffsave_target(
        target.for_libvips(),
        keep="icc:xmp:other",
        compression=task.options.tiff_compression,
        predictor="horizontal",
        level=2,
        resunit="inch",
        bigtiff=count_sample_bytes(task.header) > CLASSIC_BYTES,
    )
    order = exif.order_of(target.stream)
    fields = _build_tiff_fields(meta, task.exif_block(orientation=1), order)
    exif.insert_fields(target.stream, fields)


def _build_tiff_fields(
    meta: Metadata, block: bytes | None, order: exif.ByteOrder
) -> list[exif.Field]:
    fields = [exif.no_resolution(order)] if meta.resolution is None else []
    if meta.iptc is not None:
        resources, records = iptc.split_resources(meta.iptc)
        fields.append(exif.raw_field(exif.PHOTOSHOP, resources))
        fields += [exif.raw_field(exif.IPTC, records)] if records else []
    return fields + (exif.descriptive_fields(block, order) if block is not None else [])


TIFF = Format(
    name="TIFF",
    suffixes=(".tif", ".tiff"),
    recognize=lambda head: head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    capacity=Capacity(
        depth=16,
        alpha="full",
        grey=True,
        animation="pages",
        iptc=True,
        max_samples=CLASSIC_BYTES,
        moves_exif=True,
    ),
    reader=FormatReader(load=_load_tiff, describe=_describe_tiff),
    writer=FormatWriter(save=_save_tiff, options=frozenset({"tiff_compression", "lossless"})),
)
