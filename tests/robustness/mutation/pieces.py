"""Changes to files that are rows of named pieces, which are then right but for the change."""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.robustness.mutation.plain import MAX_BYTES, Dice, draw_extreme, mutate_bytes


@dataclass(frozen=True)
class Piece:
    """A chunk, a segment, a box or a block."""

    name: bytes
    data: bytes
    children: tuple["Piece", ...] = ()
    """Of a box of boxes; ``data`` is what stands before them."""


Pieces = tuple[Piece, ...]
Split = Callable[[bytes], tuple[bytes, Pieces, bytes]]
"""A file as its head, its pieces, and what is no piece behind them."""

Join = Callable[[Sequence[Piece]], bytes]


@dataclass(frozen=True)
class Grammar:
    """How a format's pieces are told apart and put together, lengths and checksums right."""

    split: Split
    join: Join
    names: tuple[bytes, ...]
    """Those that a parser knows."""
    rebuild: Callable[[bytes, bytes], bytes] = lambda head, body: head + body
    """The whole file of its head and what :attr:`join` gave."""


def mutate_pieces(dice: Dice, data: bytes, other: bytes, grammar: Grammar) -> bytes:
    """One change to a file's pieces; a file without any is changed as bytes."""
    head, pieces, tail = grammar.split(data)
    if not pieces:
        return mutate_bytes(dice, data, other)
    _, others, _ = grammar.split(other)
    changed = change_row(dice, pieces, others or pieces, grammar.names)
    return grammar.rebuild(head, grammar.join(changed) + tail)[:MAX_BYTES]


def change_row(dice: Dice, pieces: Pieces, others: Pieces, names: Sequence[bytes]) -> Pieces:
    """A piece less, more, elsewhere, renamed, or with other contents."""
    at = dice.randrange(len(pieces))
    piece, before, behind = pieces[at], pieces[:at], pieces[at + 1 :]
    match dice.randrange(12):
        case 0:
            return before + behind
        case 1:
            return before + (piece,) * dice.choice((2, 3, 40, 1000)) + behind
        case 2:
            rest = before + behind
            place = dice.randrange(len(rest) + 1)
            return (*rest[:place], piece, *rest[place:])
        case 3:
            return (*before, piece, dice.choice(others), *behind)
        case 4:
            return (*before, replace(piece, name=dice.choice(names)), *behind)
        case 5:
            return (*before, replace(piece, data=b"", children=()), *behind)
        case _:
            return (*before, _change_piece(dice, piece, others, names), *behind)


def _change_piece(dice: Dice, piece: Piece, others: Pieces, names: Sequence[bytes]) -> Piece:
    if piece.children and dice.random() < 0.9:
        return replace(piece, children=change_row(dice, piece.children, others, names))
    if piece.children:  # nested in itself
        return replace(piece, children=(*piece.children, piece))
    return replace(piece, data=change_contents(dice, piece.data, dice.choice(others).data))


def change_contents(dice: Dice, data: bytes, other: bytes) -> bytes:
    """What a piece holds: its numbers, what is deflated in it, a TIFF structure, or its bytes."""
    from tests.robustness.mutation.tiff import find_tiff, mutate_tiff

    at, start = find_tiff(data[:16]), find_deflate(data)
    if at is not None and dice.random() < 0.7:
        return data[:at] + mutate_tiff(dice, data[at:], other)
    if start is not None and dice.random() < 0.5:
        return data[:start] + change_deflated(dice, data[start:], other)
    if data and dice.random() < 0.4:
        return set_number(dice, data)
    return mutate_bytes(dice, data, other)


def set_number(dice: Dice, data: bytes) -> bytes:
    """An aligned big- or little-endian number among the first bytes, set to an extreme."""
    size = dice.choice([s for s in (1, 2, 4) if s <= len(data)])
    at = size * dice.randrange(min(len(data), 64) // size)
    order = "big" if dice.random() < 0.7 else "little"
    return data[:at] + draw_extreme(dice, size).to_bytes(size, order) + data[at + size :]


def find_deflate(data: bytes) -> int | None:
    """Where a zlib stream begins, among the first bytes."""
    for at in range(min(len(data) - 1, 80)):
        if data[at] & 15 == 8 and not int.from_bytes(data[at : at + 2], "big") % 31:
            return at
    return None


def change_deflated(dice: Dice, data: bytes, other: bytes) -> bytes:
    """The same stream with other contents, or with very many."""
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(data, MAX_BYTES)
    except zlib.error:
        return mutate_bytes(dice, data, other)
    if dice.random() < 0.05:
        return zlib.compress(bytes(dice.choice((1, 8, 64)) << 20), 9)
    return zlib.compress(mutate_bytes(dice, plain, other), 1)


# PNG


def split_png(file: bytes) -> tuple[bytes, Pieces, bytes]:
    at, pieces = 8, []
    while at + 12 <= len(file):
        (length,) = struct.unpack_from(">I", file, at)
        if at + 12 + length > len(file):
            break
        pieces.append(Piece(file[at + 4 : at + 8], file[at + 8 : at + 8 + length]))
        at += 12 + length
    return file[:8], tuple(pieces), file[at:]


def join_png(pieces: Sequence[Piece]) -> bytes:
    return b"".join(
        struct.pack(">I", len(p.data)) + body + struct.pack(">I", zlib.crc32(body))
        for p in pieces
        for body in [p.name + p.data]
    )


PNG_NAMES = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"pHYs", b"tEXt", b"zTXt", b"iTXt")
PNG_NAMES += (
    b"iCCP",
    b"sRGB",
    b"gAMA",
    b"cHRM",
    b"cICP",
    b"eXIf",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"caBX",
)
PNG = Grammar(split_png, join_png, PNG_NAMES)


# JPEG


def split_jpeg(file: bytes) -> tuple[bytes, Pieces, bytes]:
    """Up to the first scan, whose header is a piece too."""
    at, pieces = 2, []
    while at + 4 <= len(file) and file[at] == 0xFF:
        marker, length = file[at + 1], int.from_bytes(file[at + 2 : at + 4], "big")
        if at + 2 + length > len(file) or length < 2:
            break
        pieces.append(Piece(bytes((marker,)), file[at + 4 : at + 2 + length]))
        at += 2 + length
        if marker == 0xDA:
            break
    return file[:2], tuple(pieces), file[at:]


def join_jpeg(pieces: Sequence[Piece]) -> bytes:
    """Lengths are right as far as 16 bits can tell."""
    return b"".join(
        b"\xff" + p.name[:1] + struct.pack(">H", (len(p.data) + 2) & 0xFFFF) + p.data
        for p in pieces
    )


JPEG_NAMES = tuple(
    bytes((m,)) for m in (*range(0xE0, 0xF0), 0xC0, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xFE)
)
JPEG = Grammar(split_jpeg, join_jpeg, JPEG_NAMES)


# WebP


def split_riff(file: bytes) -> tuple[bytes, Pieces, bytes]:
    at, pieces = 12, []
    while at + 8 <= len(file):
        name, length = struct.unpack_from("<4sI", file, at)
        if at + 8 + length > len(file):
            break
        pieces.append(Piece(name, file[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return file[:12], tuple(pieces), file[at:]


def join_riff(pieces: Sequence[Piece]) -> bytes:
    return b"".join(
        struct.pack("<4sI", p.name, len(p.data)) + p.data + bytes(len(p.data) % 2) for p in pieces
    )


def rebuild_riff(head: bytes, body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", (4 + len(body)) & 0xFFFFFFFF) + head[8:12] + body


RIFF_NAMES = (
    b"VP8X",
    b"VP8 ",
    b"VP8L",
    b"ALPH",
    b"ANIM",
    b"ANMF",
    b"ICCP",
    b"EXIF",
    b"XMP ",
    b"C2PA",
)
RIFF = Grammar(split_riff, join_riff, RIFF_NAMES, rebuild_riff)


# AVIF, HEIC, JPEG XL

BOXES_OF_BOXES = {
    b"meta": 4,
    b"iprp": 0,
    b"ipco": 0,
    b"iinf": 6,
    b"iref": 4,
    b"moov": 0,
    b"trak": 0,
}
BOXES_OF_BOXES |= {b"mdia": 0, b"minf": 0, b"stbl": 0, b"dinf": 0}
"""Boxes that hold others, and the bytes before these."""

MAX_NESTING = 8


def split_boxes(file: bytes) -> tuple[bytes, Pieces, bytes]:
    pieces, stop = read_boxes(file, 0, len(file), MAX_NESTING)
    return b"", pieces, file[stop:]


def read_boxes(file: bytes, start: int, stop: int, depth: int) -> tuple[Pieces, int]:
    pieces, at = [], start
    while at + 8 <= stop:
        length, name = struct.unpack_from(">I4s", file, at)
        length = length or stop - at  # 0: to the end
        if length < 8 or at + length > stop:
            break
        skip = BOXES_OF_BOXES.get(name)
        if skip is not None and depth and length >= 8 + skip:
            children, end = read_boxes(file, at + 8 + skip, at + length, depth - 1)
            if end == at + length and children:
                pieces.append(Piece(name, file[at + 8 : at + 8 + skip], children))
                at += length
                continue
        pieces.append(Piece(name, file[at + 8 : at + length]))
        at += length
    return tuple(pieces), at


def join_boxes(pieces: Sequence[Piece]) -> bytes:
    parts = []
    for piece in pieces:
        data = piece.data + join_boxes(piece.children)
        parts.append(struct.pack(">I", (8 + len(data)) & 0xFFFFFFFF) + piece.name + data)
    return b"".join(parts)


BOX_NAMES = (
    b"ftyp",
    b"meta",
    b"hdlr",
    b"pitm",
    b"iloc",
    b"iinf",
    b"infe",
    b"iprp",
    b"ipco",
    b"ipma",
)
BOX_NAMES += (
    b"ispe",
    b"pixi",
    b"av1C",
    b"hvcC",
    b"colr",
    b"auxC",
    b"irot",
    b"imir",
    b"clap",
    b"iref",
)
BOX_NAMES += (
    b"idat",
    b"mdat",
    b"moov",
    b"trak",
    b"Exif",
    b"xml ",
    b"brob",
    b"jxlc",
    b"jxlp",
    b"grid",
)
BOXES = Grammar(split_boxes, join_boxes, BOX_NAMES)


# GIF


def split_gif(file: bytes) -> tuple[bytes, Pieces, bytes]:
    """Extensions by their label, images as ``,``; sub-blocks stay as they are."""
    start = 13 + _colour_bytes(file[10] if len(file) > 10 else 0)
    at, pieces = start, []
    while at < len(file) and file[at] in (0x21, 0x2C):
        name = file[at : at + 2] if file[at] == 0x21 else b","
        fixed = (
            2 if file[at] == 0x21 else 10 + _colour_bytes(file[at + 9 : at + 10][-1:] or b"\0") + 1
        )
        end = _end_of_blocks(file, at + fixed)
        if end is None:
            break
        pieces.append(Piece(name, file[at + len(name) : end]))
        at = end
    return file[:start], tuple(pieces), file[at:]


def _colour_bytes(flags: int | bytes) -> int:
    number = flags if isinstance(flags, int) else flags[0]
    return 3 << (number & 7) + 1 if number & 0x80 else 0


def _end_of_blocks(file: bytes, at: int) -> int | None:
    while at < len(file):
        if not file[at]:
            return at + 1
        at += file[at] + 1
    return None


def join_gif(pieces: Sequence[Piece]) -> bytes:
    return b"".join(p.name + p.data for p in pieces)


GIF = Grammar(split_gif, join_gif, (b",", b"!\xf9", b"!\xff", b"!\xfe", b"!\x01", b"!\x42"))
