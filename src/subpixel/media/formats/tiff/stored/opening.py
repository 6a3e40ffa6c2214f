"""A TIFF file's pages as libvips has them: the file's own, or those of a view of it."""

from collections.abc import Callable, Sequence

import pyvips

from subpixel.media.formats.tiff.directories import SUBIFDS, Directory, TiffFile
from subpixel.media.formats.tiff.pages import COLOUR_MAP, COMPRESSION
from subpixel.media.formats.tiff.stored import codecs
from subpixel.media.formats.tiff.stored.planes import has_tiled_planes, merge_planes, split_planes
from subpixel.media.formats.tiff.stored.samples import Changes
from subpixel.media.formats.tiff.stored.strictness import choose_strictness
from subpixel.media.formats.tiff.stored.view import Strips, TiffView, ViewPage
from subpixel.media.libvips import FileContents, Strictness, VipsImage
from subpixel.media.metadata import exif, tags

MAX_JOINED = 256
"""Most pages that are read one by one, as they are stored in different ways."""

LoadPages = Callable[[int, int], VipsImage]
"""Gives so many pages from one on, below each other."""


def open_pages(
    contents: FileContents,
    tiff: TiffFile,
    pages: Sequence[Directory],
    changes: Changes,
) -> VipsImage:
    """The pages below each other, read from top to bottom, with ``changes`` to their fields.

    Raises :class:`pyvips.Error` and :class:`ValueError`.
    """
    fail_on = choose_strictness(pages)
    if any(map(has_tiled_planes, pages)):
        _expect_few(pages)
        images = [_open_planes(contents, tiff, page, changes, fail_on) for page in pages]
        return images[0] if len(images) == 1 else _join_pages(images)
    load = _make_loader(contents, tiff, pages, changes, fail_on)
    # libvips takes the last page's palette for all of them
    palette = pages[0].value(COLOUR_MAP)
    if all(page.value(COLOUR_MAP) == palette for page in pages[1:]):
        try:
            return load(0, len(pages))
        except pyvips.Error:
            if len(pages) == 1:
                raise
    _expect_few(pages)
    return _join_pages([load(page, 1) for page in range(len(pages))])


def _make_loader(
    contents: FileContents,
    tiff: TiffFile,
    pages: Sequence[Directory],
    changes: Changes,
    fail_on: Strictness,
) -> LoadPages:
    views = [_view_page(tiff, page, changes) for page in pages]
    whole = [p.offset for p in pages] == [p.offset for p in tiff.pages]
    # libvips warns of odd fields, too, of which a view has none
    plain = whole and not changes and not any(view.strips for view in views) and fail_on == "error"

    def load(page: int, count: int) -> VipsImage:
        view = None if plain else TiffView(tiff.block, tiff.layout, views)
        source = contents.source() if view is None else view.connect()
        image = pyvips.Image.tiffload_source(
            source, page=page, n=count, fail_on=fail_on, access="sequential"
        )
        image._references.append(source)  # its callbacks: no image keeps them by itself
        return image

    return load


def _open_planes(
    contents: FileContents,
    tiff: TiffFile,
    page: Directory,
    changes: Changes,
    fail_on: Strictness,
) -> VipsImage:
    """Each channel as a grey page of its own, and all of them together."""
    planes = split_planes(page)
    load = _make_loader(contents, tiff, planes, {}, fail_on)
    return merge_planes([load(number, 1) for number in range(len(planes))], page, changes)


def _expect_few(pages: Sequence[Directory]) -> None:
    if len(pages) > MAX_JOINED:
        raise ValueError(
            f"its {len(pages)} pages are stored in too many different ways to be read as frames"
        )


def _join_pages(pages: Sequence[VipsImage]) -> VipsImage:
    """Pages of one size that libvips doesn't load at once."""
    joined = pyvips.Image.arrayjoin(list(pages), across=1).copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", pages[0].height)
    return joined


def _view_page(tiff: TiffFile, page: Directory, changes: Changes) -> ViewPage:
    """A page's directory as libvips is to see it, without what it has no need of."""
    strips: Strips | None = None
    dropped = {*changes, SUBIFDS}
    new = {tag: numbers for tag, numbers in changes.items() if numbers}
    plan = None
    if codecs.is_unpacked_here(page):
        plan = codecs.plan_strips(page)
        strips = codecs.unpack_strips(page, plan, tiff.block)
        dropped |= {COMPRESSION, plan.offsets_tag, plan.counts_tag}
        new |= {COMPRESSION: [codecs.DEFLATE], plan.counts_tag: strips.sizes}
    needed = (tags.STORAGE | tags.SEPARATE) - dropped
    fields = [field for field in page.fields if field.tag in needed and len(field.value)]
    fields += [exif.whole_numbers(tag, numbers, page.order) for tag, numbers in new.items()]
    return ViewPage(fields, plan.offsets_tag if plan else 0, strips)
