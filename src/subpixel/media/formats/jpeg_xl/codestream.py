"""What the first bits of a JPEG XL codestream say of the picture. Source: ISO/IEC 18181-1, annex D.

Bits are read from the least significant one of each byte on.
"""

from dataclasses import dataclass

CODESTREAM_SIGNATURE = b"\xff\x0a"
HEADER_BYTES = 8192
"""More than what is read here takes, names of extra channels included."""

_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIDE = ((0, 9, 1), (0, 13, 1), (0, 18, 1), (0, 30, 1))
_ALPHA, _SPOT_COLOUR, _FILTER_ARRAY = 0, 2, 5
_GREY_SPACE = 1


@dataclass(frozen=True)
class ImageHeader:
    """The form of the picture, before it is turned."""

    width: int
    height: int
    orientation: int
    """1 … 8, as in EXIF; decoders apply it."""
    is_animated: bool
    bits: int
    """Per sample of the colours."""
    is_float: bool
    grey: bool
    has_alpha: bool
    premultiplied: bool
    extra_channels: int
    """Beside colours and the first alpha."""
    is_srgb: bool
    """Whether the colours are sRGB's; else a profile, or numbers, say which."""
    is_converted: bool
    """Whether a profile is embedded, and samples aren't stored as that describes them: a decoder
    gives others."""


class _LowBits:
    """A reader; raises :class:`ValueError` at the end."""

    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def read(self, count: int) -> int:
        if count > self._left:
            raise ValueError("its header is cut off")
        value = self._number & ((1 << count) - 1)
        self._number >>= count
        self._left -= count
        return value

    def flag(self) -> bool:
        return self.read(1) == 1

    def choose(self, *forms: tuple[int, int, int]) -> int:
        """``U32``: two bits say which of four; each is a number, or bits to read and an offset."""
        constant, count, offset = forms[self.read(2)]
        return constant + (self.read(count) + offset if count else 0)

    def enumeration(self) -> int:
        return self.choose((0, 0, 0), (1, 0, 0), (0, 4, 2), (0, 6, 18))


def parse_header(codestream: bytes) -> ImageHeader:
    """The header of a codestream that begins with these bytes, :data:`HEADER_BYTES` of them.

    Raises :class:`ValueError` where it is none or is cut off.
    """
    if codestream[:2] != CODESTREAM_SIGNATURE:
        raise ValueError("it holds no codestream")
    bits = _LowBits(codestream[2:HEADER_BYTES])
    width, height = _read_image_size(bits)
    if bits.flag():  # all fields as usual
        return ImageHeader(width, height, 1, False, 8, False, False, False, False, 0, True, False)
    orientation, is_animated = _read_extra_fields(bits) if bits.flag() else (1, False)
    is_float, depth = _read_depth(bits)
    bits.flag()
    channels = bits.choose((0, 0, 0), (1, 0, 0), (0, 4, 2), (0, 12, 1))
    kinds = [_read_channel(bits) for _ in range(channels)]
    alphas = [premultiplied for kind, premultiplied in kinds if kind == _ALPHA]
    is_xyb = bits.flag()
    is_srgb, grey, has_profile = _read_colour(bits)
    return ImageHeader(
        width,
        height,
        orientation,
        is_animated,
        depth,
        is_float,
        grey,
        bool(alphas),
        any(alphas[:1]),
        channels - bool(alphas),
        is_srgb,
        is_xyb and has_profile,
    )


def _read_image_size(bits: _LowBits) -> tuple[int, int]:
    small = bits.flag()
    height = 8 * (bits.read(5) + 1) if small else bits.choose(*_SIDE)
    ratio = bits.read(3)
    if ratio:
        across, down = _RATIOS[ratio]
        return height * across // down, height
    return (8 * (bits.read(5) + 1) if small else bits.choose(*_SIDE)), height


def _read_extra_fields(bits: _LowBits) -> tuple[int, bool]:
    """The orientation, and whether there is an animation."""
    orientation = 1 + bits.read(3)
    if bits.flag():
        _read_image_size(bits)
    if bits.flag():
        _skip_preview(bits)
    is_animated = bits.flag()
    if is_animated:
        bits.choose((100, 0, 0), (1000, 0, 0), (0, 10, 1), (0, 30, 1))
        bits.choose((1, 0, 0), (1001, 0, 0), (0, 8, 1), (0, 10, 1))
        bits.choose((0, 0, 0), (0, 3, 0), (0, 16, 0), (0, 32, 0))
        bits.flag()
    return orientation, is_animated


def _skip_preview(bits: _LowBits) -> None:
    by_eight = bits.flag()
    eighths = ((16, 0, 0), (32, 0, 0), (0, 5, 1), (0, 9, 33))
    side = eighths if by_eight else ((0, 6, 1), (0, 8, 65), (0, 10, 321), (0, 12, 1345))
    bits.choose(*side)
    if not bits.read(3):
        bits.choose(*side)


def _read_depth(bits: _LowBits) -> tuple[bool, int]:
    """Whether samples are floating-point, and their bits."""
    is_float = bits.flag()
    if not is_float:
        return False, bits.choose((8, 0, 0), (10, 0, 0), (12, 0, 0), (0, 6, 1))
    depth = bits.choose((32, 0, 0), (16, 0, 0), (24, 0, 0), (0, 6, 1))
    bits.read(4)
    return True, depth


def _read_channel(bits: _LowBits) -> tuple[int, bool]:
    """The kind of an extra channel, and of alpha whether colours are multiplied by it."""
    if bits.flag():
        return _ALPHA, False
    kind = bits.enumeration()
    _read_depth(bits)
    bits.choose((0, 0, 0), (3, 0, 0), (4, 0, 0), (0, 3, 1))
    bits.read(8 * bits.choose((0, 0, 0), (0, 4, 0), (0, 5, 16), (0, 10, 48)))
    premultiplied = kind == _ALPHA and bits.flag()
    if kind == _SPOT_COLOUR:
        bits.read(4 * 16)
    if kind == _FILTER_ARRAY:
        bits.choose((1, 0, 0), (0, 2, 0), (0, 4, 3), (0, 8, 19))
    return kind, premultiplied


def _read_colour(bits: _LowBits) -> tuple[bool, bool, bool]:
    """Whether the colours are sRGB's, whether they are grey, and whether a profile is embedded."""
    if bits.flag():
        return True, False, False
    has_profile = bits.flag()
    space = bits.enumeration()
    if has_profile or space > _GREY_SPACE:
        return False, space == _GREY_SPACE, has_profile
    return _names_srgb(bits, space), space == _GREY_SPACE, False


def _names_srgb(bits: _LowBits, space: int) -> bool:
    """Whether white, primaries and transfer function are sRGB's."""
    if bits.enumeration() != 1:
        return False
    if space != _GREY_SPACE and bits.enumeration() != 1:
        return False
    has_gamma = bits.flag()
    return not has_gamma and bits.enumeration() == 13
