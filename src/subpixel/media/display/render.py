"""A picture upright and in sRGB, so that two pictures can be laid side by side."""

from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from subpixel.errors import PictureError
from subpixel.media.libvips import explain_error, set_blob, through_own_profile
from subpixel.media.metadata import icc
from subpixel.media.picture import Picture, Rows


def render_srgb(picture: Picture) -> NDArray[np.uint8]:
    """The first frame as ``(H, W, 3)`` of 8-bit sRGB, without alpha: through its profile, where it
    has one for its channels, and turned as its orientation says.

    Raises :class:`PictureError` for a profile that can't be used.
    """
    return turn_rows_upright(_convert_to_srgb(picture), picture.metadata.orientation)


def apply_profile(rows: Rows, profile: bytes, *, grey: bool) -> Rows:
    """``(h, W, C)`` of uint8 or uint16 in sRGB, three channels in place of one of grey; channels
    beyond stay as they are. Raises :class:`PictureError` for a profile that can't be used."""
    deep = rows.dtype == np.uint16
    image = pyvips.Image.new_from_array(np.ascontiguousarray(rows))
    names = ("grey16", "rgb16") if deep else ("b-w", "srgb")
    image = image.copy(interpretation=names[not grey])
    set_blob(image, "icc-profile-data", profile)
    try:
        return np.asarray(through_own_profile(image).numpy())
    except pyvips.Error as error:
        raise PictureError(f"its colour profile can't be used: {explain_error(error)}") from error


def turn_rows_upright(rows: NDArray[Any], orientation: int) -> NDArray[Any]:
    """``(H, W, C)`` as an EXIF orientation, 1 … 8, wants it seen; 5 … 8 exchange H and W."""
    if orientation >= 5:
        rows = rows.transpose(1, 0, 2)  # 5
    down = orientation in (3, 4, 7, 8)
    across = orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(rows[:: -1 if down else 1, :: -1 if across else 1])


def _convert_to_srgb(picture: Picture) -> NDArray[np.uint8]:
    profile, rgb = picture.metadata.icc, picture.rgb8()
    if profile is None or not icc.fits_colours(profile, grey=picture.is_grey):
        return rgb
    # In 8 bits: from 16, libvips 8.18 is up to 7 code values off where a channel is near black.
    samples = np.ascontiguousarray(rgb[..., :1] if picture.is_grey else rgb)
    image = pyvips.Image.new_from_array(samples)
    image = image.copy(interpretation="b-w" if picture.is_grey else "srgb")
    set_blob(image, "icc-profile-data", profile)
    try:
        return np.asarray(image.icc_transform("srgb", embedded=True, intent="relative").numpy())
    except pyvips.Error as error:
        raise PictureError(f"its colour profile can't be used: {explain_error(error)}") from error
