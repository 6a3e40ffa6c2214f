"""What compression as JPEG or WebP makes of a picture."""

from typing import Literal

import numpy as np
import pyvips
from numpy.typing import NDArray

JpegTables = Literal["libjpeg", "mozjpeg"]
"""The tables of the JPEG standard's annex, as libjpeg and cameras have them, or mozjpeg's own."""

_TABLE_NUMBERS = {"libjpeg": 0, "mozjpeg": 3}


def through_jpeg(
    rgb: NDArray[np.uint8],
    quality: int,
    *,
    full_colour: bool | None = None,
    tables: JpegTables = "libjpeg",
) -> NDArray[np.uint8]:
    """``(H, W, 3)`` as it comes back from a JPEG file of ``quality`` (1 … 100).

    ``full_colour`` stores the colour at the picture's size (4:4:4), False at half the height and
    width (4:2:0). By None it is halved below 90, as libvips and most cameras do.
    """
    mode = {None: "auto", True: "off", False: "on"}[full_colour]
    image = pyvips.Image.new_from_array(rgb)
    data = image.jpegsave_buffer(Q=quality, subsample_mode=mode, quant_table=_TABLE_NUMBERS[tables])
    pixels: NDArray[np.uint8] = pyvips.Image.jpegload_buffer(data).numpy()
    return pixels


def through_webp(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """``(H, W, 3)`` as it comes back from a lossy WebP file of ``quality`` (0 … 100)."""
    data = pyvips.Image.new_from_array(rgb).webpsave_buffer(Q=quality)
    pixels: NDArray[np.uint8] = pyvips.Image.webpload_buffer(data).numpy()
    return pixels
