"""Picture files, read and written: one door to :mod:`reading` and :mod:`writing`."""

from subpixel.media.formats import PICTURE_SUFFIXES, losses_in, refuse_losses
from subpixel.media.reading import DEFAULT_MAX_PIXELS, PictureFile, open_picture, read_picture
from subpixel.media.writing import EncodeOptions, PictureWriter, encode_picture, write_picture

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PICTURE_SUFFIXES",
    "EncodeOptions",
    "PictureFile",
    "PictureWriter",
    "encode_picture",
    "losses_in",
    "open_picture",
    "read_picture",
    "refuse_losses",
    "write_picture",
]
