"""The sequence header of an AV1 stream: its colours, and what its frame headers hold.

Source: AV1 Bitstream & Decoding Process Specification, 5.3 and 5.5.
"""

from collections.abc import Iterator
from dataclasses import dataclass

SELECT = 2
"""A tool that each frame may choose."""

_SEQUENCE_HEADER = 1
_ORDER_BITS = 3


@dataclass(frozen=True)
class SequenceHeader:
    """What the frames of a stream have in common."""

    is_reduced: bool
    """Whether the headers are those of a still picture, in their short form."""
    timing_bits: int | None
    """Of the time at which a frame is shown; None: frames have none."""
    has_decoder_model: bool
    width_bits: int
    height_bits: int
    width: int
    height: int
    id_bits: int
    """Of the number of a frame; 0: frames have none."""
    has_large_blocks: bool
    """Whether superblocks have 128 pixels along a side, instead of 64."""
    screen_content: int
    """0, 1, or :data:`SELECT`."""
    integer_motion: int
    """0, 1, or :data:`SELECT`."""
    order_bits: int
    has_superres: bool
    colours: tuple[int, int, int] | None
    """Primaries, transfer and matrix as ITU-T H.273 numbers them; None where they aren't stated."""


def read_colour_description(stream: bytes) -> tuple[int, int, int] | None:
    """Primaries, transfer and matrix as ITU-T H.273 numbers them; None where they aren't stated.

    ``stream`` is the begin of an AV1 stream; one that ends too early states nothing.
    """
    try:
        header = find_sequence_header(stream)
        return None if header is None else header.colours
    except IndexError:
        return None


def find_sequence_header(stream: bytes) -> SequenceHeader | None:
    """The first of the stream; raises :class:`IndexError` where it ends too early."""
    for kind, payload in walk_units(stream):
        if kind == _SEQUENCE_HEADER:
            return _read_sequence_header(HighBits(payload))
    return None


@dataclass
class HighBits:
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


def walk_units(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and payload of each unit (OBU) of a stream, the last maybe cut off; raises
    :class:`IndexError` where a size is cut off."""
    at = 0
    while at < len(stream):
        head = stream[at]
        at += 2 if head & 4 else 1
        size, length = _read_leb128(stream, at) if head & 2 else (len(stream) - at, 0)
        at += length
        yield head >> 3 & 15, stream[at : at + size]
        at += size


def _read_leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and how many bytes it takes."""
    number = 0
    for i in range(8):
        number |= (data[at + i] & 127) << 7 * i
        if data[at + i] < 128:
            return number, i + 1
    raise IndexError("a number of more than eight bytes")


def _read_sequence_header(bits: HighBits) -> SequenceHeader:
    profile = bits.take(3)
    bits.take(1)
    is_reduced = bits.flag()
    timing = _Timing()
    if is_reduced:
        bits.take(5)
    else:
        timing = _read_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(width_bits) + 1, bits.take(height_bits) + 1
    id_bits = 0
    if not is_reduced and bits.flag():
        more = bits.take(4) + 2
        id_bits = bits.take(3) + more + 1
    has_large_blocks = bits.flag()
    bits.take(2)
    tools = _Tools() if is_reduced else _read_tools(bits)
    has_superres = bits.flag()
    bits.take(2)
    return SequenceHeader(
        is_reduced,
        timing.shown_bits,
        timing.has_model,
        width_bits,
        height_bits,
        width,
        height,
        id_bits,
        has_large_blocks,
        tools.screen_content,
        tools.integer_motion,
        tools.order_bits,
        has_superres,
        _read_colours(bits, profile),
    )


@dataclass(frozen=True)
class _Timing:
    has_model: bool = False
    shown_bits: int | None = None


def _read_operating_points(bits: HighBits) -> _Timing:
    delay_bits = shown_bits = 0
    has_model = is_even = False
    if bits.flag():
        bits.take(64)
        is_even = bits.flag()
        if is_even:
            bits.skip_exp_golomb()
        has_model = bits.flag()
        if has_model:
            delay_bits = bits.take(5) + 1
            bits.take(32 + 5)
            shown_bits = bits.take(5) + 1
    has_delays = bits.flag()
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if has_model and bits.flag():
            bits.take(2 * delay_bits + 1)
        if has_delays and bits.flag():
            bits.take(4)
    return _Timing(has_model, shown_bits if has_model and not is_even else None)


@dataclass(frozen=True)
class _Tools:
    screen_content: int = SELECT
    integer_motion: int = SELECT
    order_bits: int = 0


def _read_tools(bits: HighBits) -> _Tools:
    bits.take(4)
    has_order = bits.flag()
    if has_order:
        bits.take(2)
    screen = SELECT if bits.flag() else bits.take(1)
    motion = SELECT
    if screen and not bits.flag():
        motion = bits.take(1)
    return _Tools(screen, motion, bits.take(_ORDER_BITS) + 1 if has_order else 0)


def _read_colours(bits: HighBits, profile: int) -> tuple[int, int, int] | None:
    if bits.flag() and profile == 2:
        bits.take(1)
    if profile != 1:
        bits.take(1)
    return (bits.take(8), bits.take(8), bits.take(8)) if bits.flag() else None
