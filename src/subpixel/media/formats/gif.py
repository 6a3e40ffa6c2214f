"""GIF: frames of up to 256 colours. It has no tag for the orientation, so pixels go out upright."""

import pyvips

from subpixel.media.formats.format import (
    Capacity,
    DelayUnit,
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
    load_all_pages,
    set_timing,
)

MAX_COLOURS = 255
"""Colours of a frame that are kept exactly; one more may stand for transparent pixels."""


def _load_gif(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    return load_all_pages("gifload_source", contents, fail_on), ()


def _save_gif(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    meta = task.header.metadata
    if meta.orientation != 1:
        image = _turn_upright(image.copy_memory(), meta.orientation)
    set_timing(image, meta)
    image.gifsave_target(
        target.for_libvips(), keep="none", interpalette_maxerror=0, keep_duplicate_frames=True
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
        xmp=False,
        resolution=False,
        delay_unit=DelayUnit(10, "hundredths of a second"),
        colours=MAX_COLOURS,
        max_side=65_535,
    ),
    # libvips makes room for transparency in every GIF, be it used or not
    reader=FormatReader(load=_load_gif, spare_alpha=True, pixel_bytes=8),
    writer=FormatWriter(save=_save_gif, options=frozenset({"lossless"}), pixel_bytes=16),
)
