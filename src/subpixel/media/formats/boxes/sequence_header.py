"""What the sequence header of an AV1 stream says of its colours.

Source: AV1 Bitstream & Decoding Process Specification, 5.3 and 5.5.
"""

from dataclasses import dataclass

_SEQUENCE_HEADER = 1
_SELECT = 2


def read_colour_description(stream: bytes) -> tuple[int, int, int] | None:
    """Primaries, transfer and matrix as ITU-T H.273 numbers them; None where they aren't stated.

    ``stream`` is the begin of an AV1 stream; one that ends too early states nothing.
    """
    try:
        payload = _find_sequence_header(stream)
        return None if payload is None else _read_sequence_header(_HighBits(payload))
    except IndexError:
        return None


@dataclass
class _HighBits:
    """Numbers of any number of bits, the highest first; raises :class:`IndexError` at the end."""

    data: bytes
    at: int = 0

    def take(self, count: int) -> int:
        """The next ``count`` bits as a number."""
        number = 0
        for place in range(self.at, self.at + count):
            number = number << 1 | (self.data[place >> 3] >> (7 - (place & 7))) & 1
        self.at += count
        return number

    def flag(self) -> bool:
        """The next bit."""
        return bool(self.take(1))

    def skip_exp_golomb(self) -> None:
        """Skip a number that states its own length."""
        zeros = 0
        while not self.flag():
            zeros += 1
        self.take(zeros)


def _find_sequence_header(stream: bytes) -> bytes | None:
    at = 0
    while at < len(stream):
        head = stream[at]
        at += 2 if head & 4 else 1
        size, length = _read_leb128(stream, at) if head & 2 else (len(stream) - at, 0)
        at += length
        if head >> 3 & 15 == _SEQUENCE_HEADER:
            return stream[at : at + size]
        at += size
    return None


def _read_leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and how many bytes it takes."""
    number = 0
    for i in range(8):
        number |= (data[at + i] & 127) << 7 * i
        if data[at + i] < 128:
            return number, i + 1
    raise IndexError("a number of more than eight bytes")


def _read_sequence_header(bits: _HighBits) -> tuple[int, int, int] | None:
    profile = bits.take(3)
    bits.take(1)
    is_reduced = bits.flag()
    if is_reduced:
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width, height = bits.take(4) + 1, bits.take(4) + 1
    bits.take(width + height)
    if not is_reduced and bits.flag():
        bits.take(7)
    bits.take(3)
    if not is_reduced:
        _skip_tools(bits)
    bits.take(3)
    return _read_colours(bits, profile)


def _skip_operating_points(bits: _HighBits) -> None:
    delay_bits = 0
    has_model = False
    if bits.flag():
        bits.take(64)
        if bits.flag():
            bits.skip_exp_golomb()
        has_model = bits.flag()
        if has_model:
            delay_bits = bits.take(5) + 1
            bits.take(42)
    has_delays = bits.flag()
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if has_model and bits.flag():
            bits.take(2 * delay_bits + 1)
        if has_delays and bits.flag():
            bits.take(4)


def _skip_tools(bits: _HighBits) -> None:
    bits.take(4)
    has_order = bits.flag()
    if has_order:
        bits.take(2)
    screen = _SELECT if bits.flag() else bits.take(1)
    if screen and not bits.flag():
        bits.take(1)
    if has_order:
        bits.take(3)


def _read_colours(bits: _HighBits, profile: int) -> tuple[int, int, int] | None:
    if bits.flag() and profile == 2:
        bits.take(1)
    if profile != 1:
        bits.take(1)
    return (bits.take(8), bits.take(8), bits.take(8)) if bits.flag() else None
