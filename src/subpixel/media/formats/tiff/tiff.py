"""TIFF: directories of fields, a page each.

Sources: TIFF 6.0 (Adobe, 1992), BigTIFF (libtiff's design page).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import pyvips

from subpixel.media.formats.account import FilePart
from subpixel.media.formats.format import (
    Capacity,
    EncodeTask,
    Format,
    FormatReader,
    FormatWriter,
    count_sample_bytes,
)
from subpixel.media.formats.tiff.by_rows import DEFLATE_LEVEL, ORDER, write_tiff_rows
from subpixel.media.formats.tiff.developing import (
    can_develop,
    describe_directory,
    describe_raw,
    develop,
    load_raw,
)
from subpixel.media.formats.tiff.directories import (
    Directory,
    TiffFile,
    read_directories,
)
from subpixel.media.formats.tiff.fields import PageReader, list_field_parts, read_profile
from subpixel.media.formats.tiff.pages import (
    EXTRA_SAMPLES,
    SEPARATED,
    choose_pages,
    kind_of,
    name_other_pages,
)
from subpixel.media.formats.tiff.raw import explain_raw, is_raw_head, name_raw, name_raw_head
from subpixel.media.formats.tiff.stored.opening import open_pages
from subpixel.media.formats.tiff.stored.samples import (
    FLOAT,
    name_extras,
    name_float_losses,
    name_sample_losses,
    plan_samples,
)
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    load_first_page,
    read_metadata,
    set_blob,
)
from subpixel.media.metadata import exif, icc, iptc, tags
from subpixel.media.metadata.budget import Budget
from subpixel.media.metadata.exif import ByteOrder, Field
from subpixel.media.picture import ExtraChannel, Loss, Metadata, Rows

CLASSIC_BYTES = 3 << 30
"""Bytes of pixels up to which a file's offsets surely fit in 32 bits. A larger one is a BigTIFF,
which gets no EXIF or IPTC."""

_PROFILE = "icc-profile-data"
_EXTRAS = "subpixel-extras"
"""The field of an image in libvips that names its channels beside the colours."""


@dataclass(frozen=True)
class _FileSurvey:
    """What a file is, as far as its directories say it."""

    raw: str | None = None
    """What a camera's raw file is, for people; it is developed."""
    tiff: TiffFile | None = None
    pages: tuple[Directory, ...] = ()
    """Those that are read; none of a raw file."""


def _survey_file(contents: FileContents) -> _FileSurvey:
    """Raises :class:`ValueError` for a raw file that can't be developed here."""
    raw = name_raw_head(contents.head)
    tiff = read_directories(contents.look()) if raw is None else None
    raw = raw if tiff is None else name_raw(tiff)
    if raw is not None and not can_develop():
        raise ValueError(explain_raw(raw))
    return _FileSurvey(raw, tiff, () if tiff is None or raw is not None else choose_pages(tiff))


def _load_tiff(contents: FileContents, _fail_on: Strictness) -> VipsLoad:
    survey = _survey_file(contents)
    if survey.raw is not None:
        return load_raw(contents), ()
    tiff, pages = survey.tiff, survey.pages
    if tiff is None or not pages:  # libvips says what is wrong
        return load_first_page("tiffload_source", contents, "warning"), ()
    kind = kind_of(pages[0])
    recipe = plan_samples(pages[0], kind)
    image = open_pages(contents, tiff, pages, recipe.changes).copy()
    _set_first_profile(image, read_profile(pages[0]))
    image = recipe.convert(image).copy()
    image.set_type(pyvips.GValue.gstr_type, _EXTRAS, "|".join(name_extras(kind)))
    return image, (*name_other_pages(tiff, pages), *name_sample_losses(kind))


def _decode_tiff(contents: FileContents) -> Iterator[Rows] | None:
    """A raw file's rows; libvips decodes the others."""
    is_raw = can_develop() and _survey_file(contents).raw is not None
    return develop(contents) if is_raw else None


def _set_first_profile(image: VipsImage, profile: bytes | None) -> None:
    """The first page's: libvips gives another where pages differ."""
    image.remove(_PROFILE)
    if profile is not None:
        set_blob(image, _PROFILE, profile)


def _describe_tiff(contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    survey = _survey_file(contents)
    if survey.raw is not None:
        return describe_raw(contents, image, survey.raw)
    tiff, pages = survey.tiff, survey.pages
    if tiff is None or not pages:
        return read_metadata(image), (_UNREAD,)
    reader = PageReader(Budget())
    metas = tuple(map(reader.describe, pages))
    alike = all(meta == metas[0] for meta in metas) and _is_bare(metas[0])
    meta = metas[0] if alike else replace(metas[0], pages=metas if pages[1:] else ())
    losses = tuple(reader.losses.values())
    losses += tuple(_MOVED for meta in metas[:1] if exif.has_maker_note(meta.exif))
    kind = kind_of(pages[0])
    if kind.photometric == SEPARATED and any(page.icc != meta.icc for page in metas):
        losses += (Loss("icc", "pages of several profiles; the first one's is used for all"),)
    if kind.sample_format == FLOAT:
        recipe = plan_samples(pages[0], kind)
        losses += name_float_losses(
            lambda: recipe.numbers(open_pages(contents, tiff, pages, recipe.changes)), kind
        )
    return meta, losses


_MOVED = Loss("maker note", "kept, but moved: offsets inside it may no longer hold")


_UNREAD = Loss("unknown data", "directories that can't be read; what they describe is left out")


def _is_bare(meta: Metadata) -> bool:
    """Whether a page says nothing but what is written on each page anyhow."""
    return meta == Metadata(icc=meta.icc, resolution=meta.resolution, orientation=meta.orientation)


def _list_tiff_parts(contents: FileContents) -> Iterable[FilePart]:
    survey = _survey_file(contents)
    page = None if survey.raw is None else describe_directory(contents)
    return list_field_parts(survey.pages if page is None else (page,))


def _name_extras(image: VipsImage) -> tuple[ExtraChannel, ...] | None:
    """The channels that :func:`_load_tiff` has named."""
    if not image.get_typeof(_EXTRAS):
        return None
    names = str(image.get(_EXTRAS)).split("|")
    return tuple(kind for name in names for kind in get_args(ExtraChannel) if kind == name)


def _save_tiff(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    meta = task.header.metadata
    if meta.xmp is not None and not meta.pages:
        set_blob(image, "xmp-data", meta.xmp)
    image.tiffsave_target(
        target.for_libvips(),
        keep="other" if meta.pages else "icc:xmp:other",
        compression=task.options.tiff_compression,
        predictor="horizontal",
        level=DEFLATE_LEVEL,
        resunit="inch",
        bigtiff=count_sample_bytes(task.header) > CLASSIC_BYTES,
    )
    order = exif.order_of(target.stream)
    exif.insert_fields(target.stream, _list_page_fields(task, order))


def _takes_rows(task: EncodeTask) -> bool:
    """LZW is libvips' affair, and so is a BigTIFF."""
    is_classic = count_sample_bytes(task.file_header) <= CLASSIC_BYTES
    return is_classic and task.options.tiff_compression != "lzw"


def _save_tiff_rows(
    blocks: Iterator[Rows], task: EncodeTask, profile: bytes | None, target: FileTarget
) -> None:
    meta, header = replace(task.header.metadata, icc=profile), task.file_header
    fields = _own_fields(meta, ORDER, grey=header.is_grey)
    fields += next(iter(_list_page_fields(task, ORDER)))
    deflate = task.options.tiff_compression == "deflate"
    write_tiff_rows(blocks, header, fields, target, deflate=deflate)


def _list_page_fields(task: EncodeTask, order: ByteOrder) -> Iterator[list[Field]]:
    """What each page gets beside what libvips has written."""
    meta, count = task.header.metadata, task.file_header.expect_count("TIFF")
    channels = _channel_fields(task.file_header.extra_channels, order)
    for page in meta.pages[:count]:
        fields = _build_tiff_fields(page, _adjust_block(page, task), order)
        yield fields + _own_fields(page, order, grey=task.file_header.is_grey) + channels
    if not meta.pages:
        yield _build_tiff_fields(meta, task.exif_block(orientation=1), order) + channels
    for _ in range(max(len(meta.pages), 1), count):
        yield ([exif.no_resolution(order)] if meta.resolution is None else []) + channels


def _adjust_block(page: Metadata, task: EncodeTask) -> bytes | None:
    header = task.header
    return exif.adjust_block(page.exif, width=header.width, height=header.height, orientation=1)


def _channel_fields(extras: Sequence[ExtraChannel], order: ByteOrder) -> list[Field]:
    """ExtraSamples, where libvips' own, which calls all of them transparency, is wrong."""
    if "data" not in extras:
        return []
    return [exif.whole_numbers(EXTRA_SAMPLES, [2 * (kind != "data") for kind in extras], order)]


def _own_fields(page: Metadata, order: ByteOrder, *, grey: bool) -> list[Field]:
    """A page's profile, XMP, orientation and resolution."""
    fields = [exif.whole_numbers(tags.ORIENTATION, [page.orientation], order)]
    if page.icc is not None and icc.fits_colours(page.icc, grey=grey):
        fields.append(exif.raw_field(tags.PROFILE, page.icc))
    if page.xmp is not None:
        fields.append(exif.raw_field(tags.XMP, page.xmp))
    return fields + exif.resolution_fields(page.resolution, order)


def _build_tiff_fields(meta: Metadata, block: bytes | None, order: ByteOrder) -> list[Field]:
    fields = [exif.no_resolution(order)] if meta.resolution is None else []
    if meta.iptc is not None:
        resources, records = iptc.split_resources(meta.iptc)
        fields.append(exif.raw_field(exif.PHOTOSHOP, resources))
        fields += [exif.raw_field(exif.IPTC, records)] if records else []
    return fields + (exif.descriptive_fields(block, order) if block is not None else [])


TIFF = Format(
    name="TIFF",
    suffixes=(".tif", ".tiff"),
    recognize=lambda head: (
        head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") or is_raw_head(head)
    ),
    capacity=Capacity(
        depth=16,
        alpha="full",
        grey=True,
        animation="pages",
        iptc=True,
        max_samples=CLASSIC_BYTES,
        moves_exif=True,
        extra_channels=True,
    ),
    reader=FormatReader(
        load=_load_tiff,
        decode=_decode_tiff,
        describe=_describe_tiff,
        parts=_list_tiff_parts,
        extras=_name_extras,
    ),
    writer=FormatWriter(
        save=_save_tiff,
        save_rows=_save_tiff_rows,
        takes_rows=_takes_rows,
        options=frozenset({"tiff_compression", "lossless"}),
    ),
)
