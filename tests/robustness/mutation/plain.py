"""Changes to bytes of which nothing is known."""

import random
import struct

Dice = random.Random

EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 1 << 24, 0x7FFFFFFF, 0x80000000)
EXTREMES += (0xFFFFFFFE, 0xFFFFFFFF, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
"""Lengths, counts and offsets at which arithmetic goes wrong."""

WORDS = (
    b"\0" * 8,
    b"\xff" * 8,
    b"%s%n",
    b"\x1b[2J",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"II*\0",
)
WORDS += (b"MM\0*", b"RIFF", b"ftyp", b"meta", b"GIF89a", b"-1", b"1e999", b"9" * 40, b"\xc0\x80")

MAX_RUN = 64
"""Most bytes that one change concerns."""

MAX_BYTES = 1 << 20
"""Most bytes of a mutated file."""


def flip_bits(dice: Dice, data: bytes, _other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def set_bytes(dice: Dice, data: bytes, _other: bytes) -> bytes:
    start, stop = draw_span(dice, data)
    return data[:start] + dice.choice((b"\0", b"\xff", b"\x7f")) * (stop - start) + data[stop:]


def randomize_run(dice: Dice, data: bytes, _other: bytes) -> bytes:
    start, stop = draw_span(dice, data)
    return data[:start] + dice.randbytes(stop - start) + data[stop:]


def remove_run(dice: Dice, data: bytes, _other: bytes) -> bytes:
    start, stop = draw_span(dice, data)
    return data[:start] + data[stop:]


def repeat_run(dice: Dice, data: bytes, _other: bytes) -> bytes:
    start, stop = draw_span(dice, data)
    return data[:stop] + data[start:stop] * dice.choice((1, 2, 16, 200)) + data[stop:]


def move_run(dice: Dice, data: bytes, _other: bytes) -> bytes:
    start, stop = draw_span(dice, data)
    rest = data[:start] + data[stop:]
    at = dice.randrange(len(rest) + 1)
    return rest[:at] + data[start:stop] + rest[at:]


def insert_word(dice: Dice, data: bytes, _other: bytes) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice(WORDS) + data[at:]


def truncate(dice: Dice, data: bytes, _other: bytes) -> bytes:
    return data[: dice.randrange(len(data))]


def extend(dice: Dice, data: bytes, other: bytes) -> bytes:
    return data + dice.choice((other, data, bytes(dice.randrange(1, 4096))))


def splice(dice: Dice, data: bytes, other: bytes) -> bytes:
    """The beginning of one, the end of the other."""
    return data[: dice.randrange(len(data))] + other[dice.randrange(len(other) or 1) :]


def set_extreme(dice: Dice, data: bytes, _other: bytes) -> bytes:
    """A field of 1 to 8 bytes becomes a number at which arithmetic goes wrong."""
    value = pack_extreme(dice, dice.choice((1, 2, 2, 4, 4, 4, 8)))
    at = dice.randrange(len(data))
    return data[:at] + value + data[at + len(value) :]


PLAIN = (flip_bits, flip_bits, set_bytes, randomize_run, remove_run, repeat_run, move_run)
PLAIN += (insert_word, truncate, extend, splice, set_extreme, set_extreme)


def mutate_bytes(dice: Dice, data: bytes, other: bytes = b"") -> bytes:
    """One change to ``data``, with parts of ``other`` where one takes any."""
    if not data:
        return dice.randbytes(dice.randrange(1, MAX_RUN))
    return dice.choice(PLAIN)(dice, data, other)[:MAX_BYTES]


def draw_span(dice: Dice, data: bytes) -> tuple[int, int]:
    """Where a run of up to :data:`MAX_RUN` bytes begins and ends."""
    start = dice.randrange(len(data))
    return start, min(len(data), start + dice.randrange(1, MAX_RUN))


def draw_extreme(dice: Dice, size: int) -> int:
    """A number of ``size`` bytes, near one at which arithmetic goes wrong."""
    return (dice.choice(EXTREMES) + dice.choice((-1, 0, 0, 0, 1))) % (1 << 8 * size)


def pack_extreme(dice: Dice, size: int) -> bytes:
    letter = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
    return struct.pack(dice.choice("<>") + letter, draw_extreme(dice, size))
