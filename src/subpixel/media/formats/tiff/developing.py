"""A camera's raw file developed: a sensor's values become a picture, by LibRaw in the package
rawpy.

White balance is the camera's, as the file says it, colours are sRGB in 16 bits, exposure is as it
was. White is the sensor's, or the brightest value in the file where that is over three quarters of
it: sensors saturate below what is said of them, and highlights would be pink. Pixels come out
upright.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from subpixel.media.formats.tiff.directories import Directory, read_directories
from subpixel.media.formats.tiff.fields import PageReader
from subpixel.media.formats.tiff.raw import is_raw_head
from subpixel.media.libvips import (
    DECODER_PIXEL_BYTES,
    FileContents,
    VipsImage,
    build_header,
    get_blob,
    set_number,
    srgb_profile,
)
from subpixel.media.metadata import exif, tags
from subpixel.media.metadata.budget import Budget
from subpixel.media.picture import Loss, Metadata, Rows

RAW_PACKAGE = "rawpy"

_PIXEL_BYTES = 16
"""What LibRaw holds, for each byte of a pixel's samples of 8 bits: the sensor's value, four
channels, the result, and the file."""

_SRGB_CURVE = (2.4, 12.92)
"""The exponent, and the slope near black."""

_TURNED = (5, 6)
"""What LibRaw calls a quarter turn."""

_ROWS = 256
"""Rows that are given at a time."""

RawImage = Any
"""A :class:`rawpy.RawPy`: a file that is open."""

_DESCRIPTIVE = (tags.KNOWN - tags.COLOUR) | tags.SEPARATE | (tags.BLOCKS - {tags.PROFILE})
"""Fields of the first directory that hold of the picture, and not of the sensor or a preview."""


def can_develop() -> bool:
    """Whether the package is installed."""
    return find_spec(RAW_PACKAGE) is not None


def load_raw(contents: FileContents) -> VipsImage:
    """The form of the picture that a raw file gives; raises :class:`ValueError` for one that LibRaw
    doesn't know."""
    with _open_raw(contents) as raw:
        sizes = raw.sizes
    height, width = sizes.iheight, sizes.iwidth
    if sizes.flip in _TURNED:
        height, width = width, height
    image = build_header((1, height, width, 3), 16, srgb_profile())
    set_number(image, DECODER_PIXEL_BYTES, _PIXEL_BYTES)
    return image


@contextmanager
def _open_raw(contents: FileContents) -> Iterator[RawImage]:
    """The file, not developed yet; LibRaw's errors as those that all readers raise."""
    import rawpy

    try:
        with contents.stream() as stream, rawpy.imread(stream) as raw:
            yield raw
    except rawpy.LibRawError as error:
        reason = error.args[0] if error.args else error
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise ValueError(f"LibRaw can't develop it ({reason})") from error


def describe_raw(
    contents: FileContents, image: VipsImage, kind: str
) -> tuple[Metadata, tuple[Loss, ...]]:
    """What a raw file says of its picture, and what of it is lost; ``kind`` is what to call it."""
    losses = [Loss("raw", _describe_loss(kind))]
    profile, page = get_blob(image, "icc-profile-data"), describe_directory(contents)
    if page is None:
        losses.append(Loss("exif", f"the metadata of {kind} isn't read; left out"))
        return Metadata(icc=profile), tuple(losses)
    reader = PageReader(Budget())
    meta = reader.describe(page)
    if exif.has_maker_note(meta.exif):
        losses.append(Loss("maker note", "kept, but moved: offsets inside it may no longer hold"))
    return replace(meta, icc=profile, orientation=1), (*losses, *reader.losses.values())


def _describe_loss(kind: str) -> str:
    return (
        f"{kind} is developed into sRGB with the camera's white balance; light beyond white, "
        "previews, and what describes the sensor are left out"
    )


def describe_directory(contents: FileContents) -> Directory | None:
    """The first directory of a raw file that is a TIFF, with what holds of the picture; None for
    other files."""
    if is_raw_head(contents.head):
        return None
    first = read_directories(contents.look()).pages[0]
    fields = tuple(field for field in first.fields if field.tag in _DESCRIPTIVE)
    return replace(first, fields=fields)


def develop(contents: FileContents) -> Iterator[Rows]:
    """All rows, ``(h, W, 3)`` of uint16."""
    with _open_raw(contents) as raw:
        samples = raw.postprocess(
            use_camera_wb=True, no_auto_bright=True, output_bps=16, gamma=_SRGB_CURVE
        )
    for top in range(0, len(samples), _ROWS):
        yield np.asarray(samples[top : top + _ROWS])
