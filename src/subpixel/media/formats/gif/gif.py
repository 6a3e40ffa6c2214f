"""GIF: frames of up to 256 colours. It has no tag for the orientation, so pixels go out upright."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

import pyvips

from subpixel.media.formats.account import MAX_PARTS, FilePart
from subpixel.media.formats.format import (
    COMMENT,
    Capacity,
    EncodeTask,
    Format,
    FormatReader,
    FormatWriter,
    hold_comments,
)
from subpixel.media.formats.gif.blocks import (
    APPLICATION_LABEL,
    COMMENT_LABEL,
    GIF_HEAD,
    IMAGE,
    XMP_NAME,
    GifBlock,
    build_comment,
    build_xmp,
    join_blocks,
    list_gif_parts,
    read_sub_blocks,
    read_xmp,
    walk_gif,
)
from subpixel.media.formats.gif.gif_disposal import clear_as_browsers, leaves_screen_bare
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    load_bytes,
    read_metadata,
    set_timing,
)
from subpixel.media.metadata.budget import Budget
from subpixel.media.metadata.comment import decode_comment
from subpixel.media.metadata.xmp.xmp import state_upright
from subpixel.media.picture import Loss, Metadata
from subpixel.media.timing import MAX_SHORT, TimingLimits

MAX_COLOURS = 255
"""Colours of a frame that are kept exactly; one more may stand for transparent pixels."""


def _load_gif(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    file = contents.hold()
    replacement = clear_as_browsers(file)
    if replacement is None:
        return load_bytes(file, fail_on, pages=-1), ()
    return _take_pages(load_bytes(replacement.file, fail_on, pages=-1), replacement.pages), ()


def _take_pages(image: VipsImage, numbers: range) -> VipsImage:
    """The pages of these numbers below each other; all where some are missing."""
    height, count = image.get_page_height(), len(numbers)
    first, step = numbers.start, numbers.step
    if image.height < (first + count * step) * height:
        return image
    whole = image.crop(0, first * height, image.width, count * step * height)
    if step > 1:  # one operation, however many pages there are
        whole = whole.grid(height, step, count).crop(0, 0, image.width, count * height)
    whole = whole.copy()
    whole.set_type(pyvips.GValue.gint_type, "page-height", height)
    whole.set_type(pyvips.GValue.gint_type, "n-pages", count)
    if image.get_typeof("delay"):
        delays = image.get("delay")
        whole.set_type(pyvips.GValue.array_int_type, "delay", [delays[n] for n in numbers])
    return whole


def _describe_gif(contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    with contents.stream() as stream:
        texts = _Texts(stream)
    meta = replace(
        read_metadata(image),
        text=tuple(texts.comments),
        xmp=texts.xmp,
        aspect=_read_aspect(contents),
    )
    return meta, tuple(texts.losses)


class _Texts:
    """Comments and XMP of a file, within a budget."""

    def __init__(self, stream: BinaryIO) -> None:
        self.comments: list[tuple[str, str]] = []
        self.xmp: bytes | None = None
        self.losses: list[Loss] = []
        self._budget = Budget()
        for block in walk_gif(stream):
            if block.is_cut and block.kind == IMAGE:
                raise ValueError("it is cut off; download or copy it again")
            if block.label in (COMMENT_LABEL, APPLICATION_LABEL) and not self.losses:
                self._add(stream, block)

    def _add(self, stream: BinaryIO, block: GifBlock) -> None:
        is_comment = block.label == COMMENT_LABEL
        if not is_comment and (block.name != XMP_NAME or self.xmp is not None):
            return
        if len(self.comments) == MAX_PARTS or not self._budget.take(block.size):
            self.losses.append(Loss("text", "more than there is room for in memory; left out"))
        elif is_comment:
            self.comments.append((COMMENT, decode_comment(read_sub_blocks(stream, block))))
        else:
            self.xmp = read_xmp(stream, block)


def _read_aspect(contents: FileContents) -> tuple[int, int] | None:
    """A pixel's width is (number + 15) / 64 of its height; 0 says nothing."""
    with contents.stream() as stream:
        number = stream.read(GIF_HEAD)[-1]
    return (64, number + 15) if number not in (0, 49) else None


def _list_gif_parts(contents: FileContents) -> Iterator[FilePart]:
    with contents.stream() as stream:
        yield from list_gif_parts(stream)


GIF_TIMING = TimingLimits(
    "hundredths of a second", 10, max_delay_ms=10 * MAX_SHORT, max_loop=MAX_SHORT + 1
)


def _save_gif(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    meta = task.header.metadata
    if meta.orientation != 1:
        image = _turn_upright(image.copy_memory(), meta.orientation)
    set_timing(image, meta, GIF_TIMING)
    blocks = [build_comment(text.encode()) for text in hold_comments(GIF.capacity, meta.text)]
    if meta.xmp is not None and 0 not in meta.xmp:
        blocks.append(build_xmp(state_upright(meta.xmp)))
    image.gifsave_target(
        target.for_libvips(lambda head: join_blocks(head, blocks)),
        keep="none",
        interpalette_maxerror=0,
        keep_duplicate_frames=True,
    )


def _turn_upright(image: VipsImage, orientation: int) -> VipsImage:
    """Every frame turned as its EXIF orientation asks."""
    height = image.get_page_height()
    pages = [image.crop(0, top, image.width, height) for top in range(0, image.height, height)]
    for page in pages:
        page.set_type(pyvips.GValue.gint_type, "page-height", height)
        page.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    upright = [page.autorot() for page in pages]
    whole = pyvips.Image.arrayjoin(upright, across=1).copy()
    whole.set_type(pyvips.GValue.gint_type, "page-height", upright[0].height)
    return whole


GIF = Format(
    name="GIF",
    suffixes=(".gif",),
    recognize=lambda head: head[:6] in (b"GIF87a", b"GIF89a"),
    capacity=Capacity(
        depth=8,
        alpha="binary",
        grey=False,
        animation="timed",
        icc=False,
        exif=False,
        text="comments",
        xmp_zeros=False,
        resolution=False,
        timing=GIF_TIMING,
        colours=MAX_COLOURS,
        max_side=65_535,
    ),
    # libvips makes room for transparency in every GIF, be it used or not
    reader=FormatReader(
        load=_load_gif,
        describe=_describe_gif,
        parts=_list_gif_parts,
        spare_alpha=True,
        shows_through=lambda contents: leaves_screen_bare(contents.hold()),
        pixel_bytes=8,
        held_bytes=sys.maxsize,
    ),
    writer=FormatWriter(save=_save_gif, options=frozenset({"lossless"}), pixel_bytes=16),
)
