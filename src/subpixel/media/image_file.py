"""Picture files, read and written: one door to :mod:`reading` and :mod:`writing`."""

from subpixel.media.formats.format import EncodeOptions
from subpixel.media.formats.registry import PICTURE_SUFFIXES
from subpixel.media.losses import losses_in, refuse_losses
from subpixel.media.reading import (
    DEFAULT_MAX_PIXELS,
    PictureFile,
    open_picture,
    open_stream,
    read_picture,
)
from subpixel.media.writing import PictureWriter, encode_picture, write_picture

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PICTURE_SUFFIXES",
    "EncodeOptions",
    "PictureFile",
    "PictureWriter",
    "encode_picture",
    "losses_in",
    "open_picture",
    "open_stream",
    "read_picture",
    "refuse_losses",
    "write_picture",
]
