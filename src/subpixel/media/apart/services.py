"""What writing a file needs done with a stranger's bytes: their profile applied, their gain map
enlarged. Each service turns pieces of bytes into others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from subpixel.media.display.render import apply_profile
from subpixel.media.formats.jpeg.ultra_hdr import enlarge_map
from subpixel.media.picture import GainMap, Header, Metadata

Service = Callable[[bytes], bytes]

MAX_MAP = 1 << 27
"""Most bytes of an enlarged gain map."""


@dataclass(frozen=True)
class RowForm:
    """Rows whose profile is to be applied."""

    width: int
    channels: int
    colours: int
    """1, grey, or 3."""
    sample_bytes: int
    """1 or 2."""

    @property
    def numbers(self) -> tuple[float, ...]:
        """As a job has them."""
        return self.width, self.channels, self.colours, self.sample_bytes


@dataclass(frozen=True)
class MapForm:
    """A gain map, and the picture that it grows with."""

    width: int
    height: int
    quality: int
    map_width: int
    map_height: int
    region: tuple[float, float, float, float]

    @property
    def numbers(self) -> tuple[float, ...]:
        """As a job has them."""
        return (
            *(self.width, self.height, self.quality, self.map_width, self.map_height),
            *self.region,
        )


def make_colour_service(profile: bytes, numbers: Sequence[float]) -> Service:
    """Rows of the :class:`RowForm` with those numbers become rows in sRGB."""
    form = RowForm(*map(int, numbers))
    dtype = np.dtype(np.uint8 if form.sample_bytes == 1 else np.uint16)

    def convert(piece: bytes) -> bytes:
        rows = np.frombuffer(piece, dtype).reshape(-1, form.width, form.channels)
        return apply_profile(rows, profile, grey=form.colours == 1).tobytes()

    return convert


def make_map_service(numbers: Sequence[float]) -> Service:
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
