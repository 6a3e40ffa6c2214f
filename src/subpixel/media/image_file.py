"""Picture files, read and written: one door to :mod:`reading`, :mod:`writing` and
:mod:`apart`."""

from pathlib import Path

from subpixel.media.formats.format import EncodeOptions
from subpixel.media.formats.registry import PICTURE_SUFFIXES
from subpixel.media.losses import losses_in, refuse_losses
from subpixel.media.picture import Picture, read_source
from subpixel.media.reading import (
    DEFAULT_MAX_PIXELS,
    PictureFile,
    open_picture,
    open_stream,
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


def read_picture(
    file: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS, untrusted: bool = False
) -> Picture:
    """Read the whole of what :func:`open_picture` opens.

    Frames come as ``(N, H, W, C)``. With ``untrusted`` the file is decoded in a process of its own,
    within limits of memory and time; who reads many keeps a
    :class:`~subpixel.media.apart.pool.DecoderPool`, as starting one takes a while. Raises what
    :func:`open_picture` and :meth:`PictureFile.chunks` raise.
    """
    if not untrusted:
        return read_source(open_picture(file, max_pixels=max_pixels))
    from subpixel.media.apart.pool import DecoderPool  # loaded for such files alone

    with DecoderPool() as decoders:
        return read_source(decoders.open(file, max_pixels=max_pixels))
