"""What compression as JPEG makes of a picture."""

import numpy as np
import pyvips
from numpy.typing import NDArray


def through_jpeg(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """``(H, W, 3)`` as it comes back from a JPEG file of ``quality`` (1 … 100).

    Below 90 the colour is stored at half the height and width, as libvips and most cameras do.
    """
    data = pyvips.Image.new_from_array(rgb).jpegsave_buffer(Q=quality)
    pixels: NDArray[np.uint8] = pyvips.Image.jpegload_buffer(data).numpy()
    return pixels
