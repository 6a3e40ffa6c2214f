"""What writing a file needs done with a stranger's bytes: their profile applied, their gain map
enlarged. Each service turns pieces of bytes into others."""

from collections.abc import Callable, Sequence

import numpy as np

from subpixel.media.apart.messages.forms import RowForm
from subpixel.media.display.render import apply_profile
from subpixel.media.formats.jpeg.ultra_hdr import enlarge_map
from subpixel.media.picture import GainMap, Header, Metadata

PieceService = Callable[[bytes], bytes]


def make_colour_service(profile: bytes, numbers: Sequence[float]) -> PieceService:
    """Rows of the :class:`RowForm` with those numbers become rows in sRGB."""
    form = RowForm(*map(int, numbers))
    dtype = np.dtype(np.uint8 if form.sample_bytes == 1 else np.uint16)

    def convert(piece: bytes) -> bytes:
        rows = np.frombuffer(piece, dtype).reshape(-1, form.width, form.channels)
        return apply_profile(rows, profile, grey=form.colours == 1).tobytes()

    return convert


def make_map_service(numbers: Sequence[float]) -> PieceService:
    """The gain map of the :class:`MapForm` with those numbers is enlarged; nothing: it doesn't
    fit."""
    width, height, quality, map_width, map_height = map(int, numbers[:5])
    left, top, right, bottom = numbers[5:]

    def enlarge(data: bytes) -> bytes:
        gain_map = GainMap(data, map_width, map_height, (left, top, right, bottom))
        meta = Metadata(gain_map=gain_map)
        header = Header((1, height, width, 3), np.dtype(np.uint8), meta)
        return enlarge_map(header, quality) or b""

    return enlarge
