"""How coarsely an AV1 picture was quantised, from the header of its first frame.

Source: AV1 Bitstream & Decoding Process Specification, 5.9.
"""

from dataclasses import dataclass

from subpixel.media.compression.av1_sequence import (
    SELECT,
    HighBits,
    SequenceHeader,
    find_sequence_header,
    walk_units,
)

AV1_HEADER_BYTES = 4096
"""Of a stream: far more than its headers take up to the quantiser."""

_FRAME_UNITS = (3, 6)
"""A frame header, and a frame with its header."""

_KEY_FRAME = 0
_MAX_TILE_SIDE = 4096
_MAX_TILE_PIXELS = 4096 * 2304
_MAX_TILES = 64


def read_base_quantizer(stream: bytes) -> int | None:
    """The base quantiser index of a stream's first frame, 0 (without loss) … 255 (coarse).

    ``stream`` is the begin of an AV1 stream. None where it doesn't begin with a key frame that is
    shown, as a picture does, and for what can't be read.
    """
    try:
        sequence = find_sequence_header(stream)
        frame = next((data for kind, data in walk_units(stream) if kind in _FRAME_UNITS), None)
        if sequence is None or frame is None:
            return None
        return _read_frame_header(HighBits(frame), sequence)
    except IndexError:
        return None


def _read_frame_header(bits: HighBits, sequence: SequenceHeader) -> int | None:
    if not sequence.is_reduced and not _begin_shown_key_frame(bits, sequence):
        return None
    is_fixed = bits.flag()  # its probabilities don't adapt
    screen = bits.flag() if sequence.screen_content == SELECT else bool(sequence.screen_content)
    if screen and sequence.integer_motion == SELECT:
        bits.take(1)
    bits.take(sequence.id_bits)
    has_own_size = not sequence.is_reduced and bits.flag()
    bits.take(sequence.order_bits)
    if sequence.has_decoder_model and bits.flag():
        return None  # times of buffers, of which pictures have none
    size = _read_frame_size(bits, sequence, has_own_size=has_own_size)
    if screen and not size.is_stretched:
        bits.take(1)
    if not (sequence.is_reduced or is_fixed):
        bits.take(1)
    _skip_tiles(bits, size, 128 if sequence.has_large_blocks else 64)
    return bits.take(8)


def _begin_shown_key_frame(bits: HighBits, sequence: SequenceHeader) -> bool:
    """Whether it is one; the bits are then behind what says so."""
    is_repeated = bits.flag()
    kind, is_shown = bits.take(2), bits.flag()
    if is_repeated or kind != _KEY_FRAME or not is_shown:
        return False
    bits.take(sequence.timing_bits or 0)
    return True


@dataclass(frozen=True)
class _FrameSize:
    """Of what is coded, in pixels."""

    width: int
    height: int
    is_stretched: bool
    """Whether it is coded narrower than it is."""


def _read_frame_size(bits: HighBits, sequence: SequenceHeader, *, has_own_size: bool) -> _FrameSize:
    width, height = sequence.width, sequence.height
    if has_own_size:
        width, height = bits.take(sequence.width_bits) + 1, bits.take(sequence.height_bits) + 1
    eighths = 8
    if sequence.has_superres and bits.flag():
        eighths = bits.take(3) + 9
    if bits.flag():  # the size at which it is shown
        bits.take(32)
    return _FrameSize((width * 8 + eighths // 2) // eighths, height, eighths != 8)


def _skip_tiles(bits: HighBits, size: _FrameSize, side: int) -> None:
    """Skip how the frame is divided into tiles; ``side`` is a superblock's, in pixels."""
    across, down = -(-size.width // side), -(-size.height // side)
    max_width, max_area = _MAX_TILE_SIDE // side, _MAX_TILE_PIXELS // side**2
    min_columns = _halvings(max_width, across)
    min_tiles = max(min_columns, _halvings(max_area, across * down))
    if bits.flag():
        columns = _count_up(bits, min_columns, _halvings(1, min(across, _MAX_TILES)))
        rows = _count_up(bits, max(min_tiles - columns, 0), _halvings(1, min(down, _MAX_TILES)))
    else:
        widths = _read_tile_sides(bits, across, max_width)
        area = across * down >> (min_tiles + 1 if min_tiles else 0)
        heights = _read_tile_sides(bits, down, max(area // max(widths), 1))
        columns, rows = _halvings(1, len(widths)), _halvings(1, len(heights))
    if columns or rows:
        bits.take(columns + rows + 2)


def _halvings(small: int, large: int) -> int:
    """How often ``small`` must be doubled to reach ``large``."""
    count = 0
    while small << count < large:
        count += 1
    return count


def _count_up(bits: HighBits, least: int, most: int) -> int:
    number = least
    while number < most and bits.flag():
        number += 1
    return number


def _read_tile_sides(bits: HighBits, total: int, max_side: int) -> list[int]:
    """Sides of tiles in superblocks, until they reach ``total``."""
    sides: list[int] = []
    while total > 0:
        sides.append(_take_below(bits, min(total, max_side)) + 1)
        total -= sides[-1]
    return sides


def _take_below(bits: HighBits, limit: int) -> int:
    """A number below ``limit``, whose smallest take one bit less (4.10.7, ns)."""
    wide = limit.bit_length()
    short = (1 << wide) - limit
    number = bits.take(wide - 1)
    return number if number < short else (number << 1) - short + bits.take(1)
