"""EXIF blocks, and TIFF files: both are directories of fields, linked by offsets.

A block is changed by patching it, never by writing it anew: maker notes and private tags hold
offsets of their own, which only stay true where nothing moves. What doesn't fit in its old place
(a new field) goes into a new first directory at the end of the block.

Sources: TIFF 6.0 (Adobe, 1992), BigTIFF (libtiff's design page), Exif 3.0 (CIPA DC-008-2023).
Offsets that point nowhere, and fields of unknown types, are left as they are.
"""

import io
import struct
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, BinaryIO, Literal, NamedTuple

from subpixel.media.metadata import geo, tags
from subpixel.media.metadata.budget import Budget
from subpixel.media.metadata.pixel_places import (
    FOCAL_X,
    FOCAL_Y,
    SUBJECT_AREA,
    SUBJECT_LOCATION,
    PixelGrowth,
    enlarge_area,
    enlarge_resolutions,
)
from subpixel.media.picture import Loss
from subpixel.system.files.inputs import FileBytes, FileSpan

ByteOrder = Literal["<", ">"]

Block = bytes | FileBytes
"""An EXIF block, or a TIFF file of any size, of which only what is looked at is read from disk."""

EXIF_PREFIX = b"Exif\0\0"
"""What stands before the block in a JPEG segment; libvips keeps it."""

IMAGE_WIDTH, IMAGE_LENGTH = 0x0100, 0x0101
ORIENTATION = 0x0112
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
THUMBNAIL_OFFSET, THUMBNAIL_LENGTH = 0x0201, 0x0202
IPTC, PHOTOSHOP = 0x83BB, 0x8649
EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY_DIRECTORY = 0x8769, 0x8825, 0xA005
PIXEL_X, PIXEL_Y = 0xA002, 0xA003
RELATED_WIDTH, RELATED_HEIGHT = 0x1001, 0x1002
MAKER_NOTE = 0x927C

DIRECTORIES = frozenset({EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY_DIRECTORY})

BYTE, SHORT, LONG, RATIONAL, UNDEFINED, DOUBLE = 1, 3, 4, 5, 7, 12
MAX_RESOLUTION = 1_000_000
"""Most pixels per millimetre that are believed, and that libvips takes: a nanometre each."""

MAX_DIRECTORIES = 8
"""Most directories in a row of an EXIF block that are looked at."""

MAX_ENTRIES = (1 << 16) - 1
"""Most fields of one directory, as many as a classic one can have."""

COPY_BYTES = 256
"""Up to which a value is copied from its block."""

MAX_REMEMBERED = 1 << 20
"""Bytes of a block whose fields are remembered until others are asked for."""

MAX_FIELDS = 1 << 17
"""Most fields of all directories together: 8,000 pages' worth. A file of more is likelier made to
keep a reader busy than to be looked at."""

MAX_PLAIN_FIELDS, MAX_PLAIN_BLOCK = 1000, 1 << 16
"""Most fields, and bytes, of a block that libexif is shown."""

_NO_ORDER = bytes(2)
"""In place of a block's byte order: it is none then."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8, 129: 1}
_WORDS = {3: "H", 4: "I", 5: "I", 8: "H", 9: "I", 10: "I", 11: "I", 12: "Q", 13: "I"}
_WHOLE_WORDS = {BYTE: "B", SHORT: "H", LONG: "I", 13: "I", 16: "Q", 18: "Q"}
_MM_PER_UNIT = {2: Fraction(254, 10), 3: Fraction(10)}
_NO_UNIT, _INCH = 1, 2
_MAX_LONG = (1 << 32) - 1


class Field(NamedTuple):
    """One field: ``value`` in the byte order of its block, or ``children`` of a directory. A value
    that is out of reach is empty."""

    tag: int
    kind: int
    length: int
    """How many values, of the kind's size each."""
    value: bytes | memoryview | FileSpan
    at: int = 0
    """Where the field's entry stands in the block it was read from."""
    children: tuple["Field", ...] = ()
    start: int = 0
    """Where its value stands there."""

    @property
    def is_whole(self) -> bool:
        """Whether its value, or its directory, could be read."""
        if self.tag in DIRECTORIES:
            return bool(self.children)
        return len(self.value) > 0 or not self.length


@dataclass(frozen=True)
class TiffLayout:
    """How a block writes its directories: classic TIFF, or BigTIFF with 64-bit offsets."""

    order: ByteOrder
    count: str
    entry: str
    offset: str

    @property
    def inline(self) -> int:
        """Bytes that fit in an entry; longer values stand elsewhere."""
        return struct.calcsize("=" + self.offset)


def layout_of(block: Block) -> TiffLayout | None:
    """The layout that the block's first bytes announce; None when they are no TIFF header."""
    orders: dict[bytes, ByteOrder] = {b"II": "<", b"MM": ">"}
    order = orders.get(bytes(block[:2]))
    if order is None or len(block) < 8:
        return None
    (version,) = unpack_at(order + "H", block, 2)
    if version == 42:
        return TiffLayout(order, "H", "HHI", "I")
    return TiffLayout(order, "Q", "HHQ", "Q") if version == 43 else None


def has_header(exif: bytes | None) -> bool:
    """Whether the block begins as a classic TIFF does, which EXIF 2.3, 4.5.2, asks for."""
    layout = None if exif is None else layout_of(exif.removeprefix(EXIF_PREFIX))
    return layout is not None and layout.count == "H"


def fields_of(block: Block) -> tuple[Field, ...]:
    """The fields of the first directory, those of its sub-directories as children.

    Empty when ``block`` is no TIFF structure or its first directory is out of reach.
    """
    is_small = isinstance(block, bytes) and len(block) <= MAX_REMEMBERED
    return _remember_fields(block) if is_small else _walk_fields(block)


def _walk_fields(block: Block) -> tuple[Field, ...]:
    layout = layout_of(block)
    if layout is None:
        return ()
    return DirectoryReader(block, layout).read(first_offset(block, layout), depth=2)[0]


_remember_fields = lru_cache(maxsize=2)(_walk_fields)
"""A picture's block is asked for one fact after the other, and may have 65,000 fields."""


def adjust_block(
    exif: bytes | None,
    *,
    width: int,
    height: int,
    orientation: int,
    resolution: tuple[float, float] | None = None,
) -> bytes | None:
    """The block with the facts of a new picture: no prefix, no thumbnail, the rest untouched.

    Pixel dimensions are corrected where the block states them. ``orientation`` (1 … 8) is set,
    or added when it isn't 1. ``resolution`` in pixels per millimetre, when given, is set or
    added. None when there was no block and none is needed; a block that can't be understood
    comes back as it is.
    """
    block = (exif or _EMPTY_BLOCK).removeprefix(EXIF_PREFIX)
    layout = layout_of(block)
    if layout is None or layout.count != "H":
        return block
    stale = tags.GEO if is_geo_lost(block, width, height) else frozenset[int]()
    block = _remove_thumbnail(block, layout)
    block = _patch_numbers(block, layout.order, width, height, orientation)
    extra = _fields_to_add(block, layout, orientation, resolution)
    if exif is None and not extra:
        return None
    return add_fields(block, extra, stale) if extra or stale else block


def is_geo_lost(exif: bytes | None, width: int, height: int) -> bool:
    """Whether the block says where pixels lie on the ground and that can't be told for a picture of
    ``width`` and ``height``: its own size isn't stated, or it was cropped."""
    block = (exif or b"").removeprefix(EXIF_PREFIX)
    fields = fields_of(block)
    if not any(f.tag in tags.GEO_PLACES for f in fields):
        return False
    return geo.find_factors(_size_in(block, fields), (width, height)) is None


def _size_in(block: Block, fields: Iterable[Field]) -> tuple[int, int] | None:
    """The width and height that a first directory states."""
    fields = tuple(fields)
    width, height = (_number_in(block, fields, tag) for tag in (IMAGE_WIDTH, IMAGE_LENGTH))
    return (width, height) if width and height else None


def orientation_in(exif: bytes | None) -> int:
    """The block's orientation, 1 … 8; 1 when it states none or nonsense."""
    block = (exif or b"").removeprefix(EXIF_PREFIX)
    number = _number_in(block, fields_of(block), ORIENTATION)
    return number if number is not None and 1 <= number <= 8 else 1


def resolution_in(block: Block | None) -> tuple[float, float] | None:
    """Pixels per millimetre that an EXIF block or a TIFF file states in its first directory.

    None when it states none, nonsense, or one without a unit (an aspect ratio).
    """
    block = b"" if block is None else block
    block = block.removeprefix(EXIF_PREFIX) if isinstance(block, bytes) else block
    return resolution_of(fields_of(block), _order_in(block))


def resolution_of(fields: Sequence[Field], order: ByteOrder) -> tuple[float, float] | None:
    """What :func:`resolution_in` finds among a directory's fields."""
    unit = _MM_PER_UNIT.get(number_of(fields, RESOLUTION_UNIT, order) or _INCH)
    across = _fraction_of(fields, X_RESOLUTION, order)
    down = _fraction_of(fields, Y_RESOLUTION, order)
    if unit is None or not across or not down or max(across, down) / unit > MAX_RESOLUTION:
        return None
    return float(across / unit), float(down / unit)


def believe_resolution(resolution: tuple[float, float] | None) -> tuple[float, float] | None:
    """Pixels per millimetre that can be; None for none, and for others."""
    if resolution is None or not all(0 < number <= MAX_RESOLUTION for number in resolution):
        return None
    return resolution


def lose_resolution(resolution: tuple[float, float]) -> Loss:
    """One that isn't believed."""
    across, down = resolution
    return Loss("resolution", f"{across:g} x {down:g} pixels per millimetre can't be; left out")


def has_maker_note(exif: bytes | None) -> bool:
    """Whether the block holds a maker note, whose inner offsets a move may break."""
    fields = fields_of((exif or b"").removeprefix(EXIF_PREFIX))
    return any(f.tag == MAKER_NOTE for field in fields for f in field.children)


def build_block(fields: Sequence[Field], order: ByteOrder) -> bytes:
    """A block of its own whose first directory has ``fields``, values in that byte order."""
    header = order.encode().translate(bytes.maketrans(b"<>", b"IM")) * 2
    header += struct.pack(order + "HI", 42, 8)
    return header + _lay_out(fields, 8, order)


def insert_fields(file: BinaryIO, pages: Iterable[Iterable[Field]]) -> None:
    """Give a classic TIFF file, open for reading and writing, fields in its first directories:
    those of each page in turn.

    In place: the file grows at its end, and its header, or the directory before, points there.
    Each field comes in place of its namesake.
    """
    pointer_at = _POINTER_AT
    for fields in pages:
        addition = _build_addition(file, fields, pointer_at)
        if addition is None:
            return
        pointer, tail = addition
        end = file.seek(0, io.SEEK_END)
        file.write(tail)
        file.seek(pointer_at)
        file.write(pointer)
        pointer_at = _pointer_after(file, end + end % 2)


def _pointer_after(file: BinaryIO, directory: int) -> int:
    """Where the directory at this offset says what follows it."""
    order = order_of(file)
    file.seek(directory)
    return directory + 2 + 12 * int(struct.unpack(order + "H", file.read(2))[0])


def order_of(file: BinaryIO) -> ByteOrder:
    """The byte order that a TIFF file, open for reading, announces."""
    file.seek(0)
    return "<" if file.read(2) == b"II" else ">"


def descriptive_fields(exif: bytes, order: ByteOrder) -> list[Field]:
    """The block's fields that describe the photograph, in the byte order of another."""
    block = exif.removeprefix(EXIF_PREFIX)
    source = layout_of(block)
    if source is None:
        return []
    fields = (f for f in fields_of(block) if f.is_whole and tags.travels(f.tag, f.kind))
    return [_convert_order(f, source.order, order) for f in fields]


def fields_left_out(exif: bytes | None) -> tuple[Field, ...]:
    """The block's fields, of all directories, that :func:`descriptive_fields` leaves out, and that
    say more than how pixels are stored."""
    first = fields_of((exif or b"").removeprefix(EXIF_PREFIX))
    apart = tags.STORAGE | tags.SEPARATE
    lost = (f for f in first if not f.is_whole or not tags.travels(f.tag, f.kind))
    inner = (child for f in first for child in f.children if not child.is_whole)
    return (*(f for f in lost if f.tag not in apart), *inner)


def count_further_directories(exif: bytes | None) -> int:
    """How many directories follow the first one beside the thumbnail's, which belongs to the old
    picture: :func:`adjust_block` cuts them off."""
    block = (exif or b"").removeprefix(EXIF_PREFIX)
    layout = layout_of(block)
    if layout is None or layout.count != "H":
        return 0
    file, seen, offset = io.BytesIO(block), [0], first_offset(block, layout)
    counts: list[bool] = []
    while offset not in seen and len(seen) <= MAX_DIRECTORIES:
        seen.append(offset)
        entries, offset = _read_entries(file, offset, layout.order)
        counts.append(bool(entries) and (len(counts) != 1 or THUMBNAIL_OFFSET not in entries))
    return sum(counts[1:])


def no_resolution(order: ByteOrder) -> Field:
    """States no resolution, only that pixels are square."""
    return _short_field(RESOLUTION_UNIT, _NO_UNIT, order)


def raw_field(tag: int, value: bytes) -> Field:
    """Any bytes as a field."""
    return Field(tag, UNDEFINED, len(value), value)


def whole_numbers(tag: int, numbers: Sequence[int], order: ByteOrder) -> Field:
    """Whole numbers as a field: of 16 bits where all fit, else of 32, else, in a BigTIFF, of 64."""
    most = max(numbers, default=0)
    kind, word = next(
        k for k in ((SHORT, "H"), (LONG, "I"), (16, "Q")) if most < 1 << 8 * _SIZES[k[0]]
    )
    return Field(tag, kind, len(numbers), struct.pack(f"{order}{len(numbers)}{word}", *numbers))


def resolution_fields(resolution: tuple[float, float] | None, order: ByteOrder) -> list[Field]:
    """Pixels per millimetre as a directory's fields; none where there is no resolution."""
    if resolution is None:
        return []
    across, down = (_fit_rational(number * 25.4) for number in resolution)
    return [
        _rational_field(X_RESOLUTION, across, order),
        _rational_field(Y_RESOLUTION, down, order),
        _short_field(RESOLUTION_UNIT, _INCH, order),
    ]


def _fit_rational(number: float) -> Fraction:
    """A number of 0 or more as a fraction of 32-bit numbers."""
    whole = min(number, float(_MAX_LONG))
    return Fraction(whole).limit_denominator(max(1, min(10_000, int(_MAX_LONG // max(whole, 1)))))


def add_fields(
    block: bytes, fields: Iterable[Field], without: Collection[int] = frozenset()
) -> bytes:
    """A classic block whose first directory has ``fields`` too, each in place of its namesake, and
    none of the tags of ``without``.

    The new directory goes to the end; old values stay where they are.
    """
    addition = _build_addition(io.BytesIO(block), fields, _POINTER_AT, without)
    if addition is None:
        return block
    pointer, tail = addition
    rest = memoryview(block)[_POINTER_AT + 4 :]
    return b"".join((block[:_POINTER_AT], pointer, rest, tail))


_POINTER_AT = 4
"""Where a classic header says which directory is the first."""


def _build_addition(
    file: BinaryIO,
    fields: Iterable[Field],
    pointer_at: int,
    without: Collection[int] = frozenset(),
) -> tuple[bytes, bytes] | None:
    """A new pointer to the directory that the one at ``pointer_at`` names, and what goes to the
    end; None for no classic block, and where no directory follows."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    layout = layout_of(file.read(8))
    if layout is None or layout.count != "H":
        return None
    file.seek(pointer_at)
    (place,) = struct.unpack(layout.order + "I", file.read(4))
    if not place and pointer_at != _POINTER_AT:
        return None
    new = {f.tag: f for f in fields}
    entries, following = _read_entries(file, place, layout.order)
    entries = {tag: entry for tag, entry in entries.items() if tag not in without}
    padding = bytes(size % 2)
    at = size + len(padding)
    count = len(entries.keys() | new.keys())
    tail = bytearray()
    for field in new.values():
        entries[field.tag] = _build_entry(field, tail, at + 2 + 12 * count + 4, layout.order)
    directory = struct.pack(layout.order + "H", count)
    directory += b"".join(entries[tag] for tag in sorted(entries))
    directory += struct.pack(layout.order + "I", following)
    return struct.pack(layout.order + "I", at), b"".join((padding, directory, tail))


def _read_entries(file: BinaryIO, offset: int, order: ByteOrder) -> tuple[dict[int, bytes], int]:
    """A classic directory's entries by tag, as they stand, and where the next one is."""
    file.seek(offset)
    count = int.from_bytes(file.read(2), "little" if order == "<" else "big")
    data = file.read(12 * count + 4)
    if offset < 8 or len(data) < 12 * count + 4:
        return {}, 0
    tags = (struct.unpack_from(order + "H", data, at)[0] for at in range(0, 12 * count, 12))
    entries = {tag: data[12 * i : 12 * i + 12] for i, tag in enumerate(tags)}
    return entries, int(struct.unpack_from(order + "I", data, 12 * count)[0])


_EMPTY_BLOCK = b"II*\0" + struct.pack("<IHI", 8, 0, 0)


def first_offset(block: Block, layout: TiffLayout) -> int:
    at = 4 if layout.count == "H" else 8
    if len(block) < at + layout.inline:
        return len(block)
    return int(unpack_at(layout.order + layout.offset, block, at)[0])


class DirectoryReader:
    """Reads the directories of a block, each of them once.

    All together they have no more fields, and no more bytes of values, than fit into the block side
    by side. A profile, an XMP packet or the like may be that of many pages, and counts once.
    """

    def __init__(self, block: Block, layout: TiffLayout) -> None:
        self._block, self._size = block, len(block)
        self._count = struct.Struct(layout.order + layout.count)
        self._offset = struct.Struct(layout.order + layout.offset)
        self._entry = struct.Struct(f"{layout.order}{layout.entry}{layout.inline}s")
        self._most = min(self._size // self._entry.size, MAX_FIELDS)
        self.budget = Budget(self._most, self._size)
        self.is_overdrawn = False
        """Whether a directory was left out as there were too many fields before it."""
        self.is_tangled = False
        """Whether one was named twice, or that, or values lie over one another."""
        self._offsets, self._shared = set[int](), set[tuple[int, int]]()

    def count_fields(self) -> int:
        """How many fields were read."""
        return self._most - self.budget.steps

    def is_known(self, offset: int) -> bool:
        """Whether the directory there was looked for before."""
        return offset in self._offsets

    def read(self, offset: int, depth: int) -> tuple[tuple[Field, ...], int]:
        """The fields of the directory at ``offset``, and the next one's offset; none where it is
        out of reach, or was read before. Fields that are directories themselves are followed so
        deep."""
        start = offset + self._count.size
        self.is_tangled |= self.is_known(offset)
        if offset < 8 or start > self._size or self.is_known(offset):
            return (), 0
        self._offsets.add(offset)
        (count,) = self._count.unpack(self._block[offset:start])
        end = start + self._entry.size * count
        if count > MAX_ENTRIES or end + self._offset.size > self._size:
            return (), 0
        if not self.budget.step(max(count, 1)):
            self.is_overdrawn = self.is_tangled = True
            return (), 0
        (following,) = self._offset.unpack(self._block[end : end + self._offset.size])
        entries = enumerate(self._entry.iter_unpack(self._block[start:end]))
        fields = (self._read_field(start + i * self._entry.size, e, depth) for i, e in entries)
        return tuple(fields), int(following)

    def _read_field(self, at: int, entry: tuple[int, int, int, bytes], depth: int) -> Field:
        tag, kind, count, inner = entry
        length = _SIZES.get(kind, 1) * count
        (where,) = self._offset.unpack(inner)
        is_inner = length <= self._offset.size
        start = at + self._entry.size - self._offset.size if is_inner else where
        if start + length > self._size or not self._has_room(tag, start, length):
            return Field(tag, kind, count, b"", at)
        value = inner[:length] if is_inner else _cut_value(self._block, start, length)
        is_directory = tag in DIRECTORIES and depth > 0
        children = self.read(where, depth - 1)[0] if is_directory else ()
        return Field(tag, kind, count, value, at, children, start)

    def _has_room(self, tag: int, start: int, length: int) -> bool:
        if length <= self._offset.size or (start, length) in self._shared:
            return True
        if tag in tags.BLOCKS:
            self._shared.add((start, length))
        has_room = self.budget.take(length)
        self.is_tangled |= not has_room
        return has_room


def hide_tangled(block: bytes, at: int) -> dict[int, bytes]:
    """What has to stand where in a file that has the block at ``at`` for libexif, below libvips, to
    pass it over; nothing for a plain block.

    It takes the square of the number of fields, and copies values that lie over one another.
    """
    start = len(EXIF_PREFIX) if block.startswith(EXIF_PREFIX) else 0
    return {at + start: _NO_ORDER} if _is_tangled(block[start:]) else {}


def reveal_tangled(block: bytes) -> bytes:
    """The block, which has no prefix, as it was before :func:`hide_tangled` changed it, if it did:
    the number 42 in it shows the order of bytes."""
    order = {b"*\0": b"II", b"\0*": b"MM"}.get(block[2:4])
    return order + block[2:] if order and block[:2] == _NO_ORDER else block


def _is_tangled(block: bytes) -> bool:
    layout = layout_of(block)
    if layout is None:
        return False
    if len(block) > MAX_PLAIN_BLOCK:
        return True
    reader = DirectoryReader(block, layout)
    _, following = reader.read(first_offset(block, layout), depth=2)
    if following:
        reader.read(following, depth=2)
    return reader.is_tangled or reader.count_fields() > MAX_PLAIN_FIELDS


def unpack_at(form: str, block: Block, at: int) -> tuple[Any, ...]:
    """:func:`struct.unpack_from` of a block; raises :class:`struct.error` behind its end."""
    return struct.unpack(form, block[at : at + struct.calcsize(form)])


def _cut_value(block: Block, start: int, length: int) -> bytes | memoryview | FileSpan:
    """Neither copied nor read, if it is long: in an attack many overlap. Of short ones copies are
    five times faster to make, as the garbage collector need not look at them."""
    if isinstance(block, FileBytes):
        return block.part(start, length)
    if length <= COPY_BYTES:
        return block[start : start + length]
    return memoryview(block)[start : start + length]


def _lay_out(fields: Sequence[Field], at: int, order: ByteOrder) -> bytes:
    """A directory of ``fields``, with all it points to, as it stands at offset ``at``."""
    tail = bytearray()
    start = at + 2 + 12 * len(fields) + 4
    entries = [_build_entry(f, tail, start, order) for f in sorted(fields, key=lambda f: f.tag)]
    return b"".join((struct.pack(order + "H", len(fields)), *entries, bytes(4), tail))


def _build_entry(field: Field, tail: bytearray, start: int, order: ByteOrder) -> bytes:
    """Twelve bytes of directory; a value that doesn't fit goes into ``tail``, at ``start`` on."""
    kind, count, value = field.kind, field.length, bytes(field.value)
    if field.tag in DIRECTORIES:
        kind, count, value = LONG, 1, struct.pack(order + "I", start + len(tail))
        tail += _lay_out([f for f in field.children if f.is_whole], start + len(tail), order)
    elif len(value) > 4:
        pointer = struct.pack(order + "I", start + len(tail))
        tail += value
        value = pointer
    tail += bytes(len(tail) % 2)
    return struct.pack(order + "HHI", field.tag, kind, count) + value.ljust(4, b"\0")


def _convert_order(field: Field, source: ByteOrder, target: ByteOrder) -> Field:
    children = tuple(_convert_order(f, source, target) for f in field.children)
    word = _WORDS.get(field.kind)
    if source == target or word is None:
        return field._replace(children=children)
    words = len(field.value) // struct.calcsize("=" + word)
    numbers = struct.unpack(f"{source}{words}{word}", bytes(field.value))
    return field._replace(value=struct.pack(f"{target}{words}{word}", *numbers), children=children)


def _remove_thumbnail(block: bytes, layout: TiffLayout) -> bytes:
    """Unlink the second directory; cut its JPEG off, or blank it where something follows."""
    first, reader = first_offset(block, layout), DirectoryReader(block, layout)
    fields, following = reader.read(first, depth=0)
    if not fields or not following:
        return block
    thumbnail = reader.read(following, depth=0)[0]
    start = _number_in(block, thumbnail, THUMBNAIL_OFFSET) or len(block)
    length = _number_in(block, thumbnail, THUMBNAIL_LENGTH) or 0
    (count,) = struct.unpack_from(layout.order + "H", block, first)
    copy = bytearray(block)
    struct.pack_into(layout.order + "I", copy, first + 2 + 12 * count, 0)
    if block[start : start + 2] == b"\xff\xd8":
        rest = block[start + length :]
        copy[start:] = bytes(length) + rest if rest else b""
    return bytes(copy)


def _patch_numbers(
    block: bytes, order: ByteOrder, width: int, height: int, orientation: int
) -> bytes:
    numbers = {PIXEL_X: width, PIXEL_Y: height, IMAGE_WIDTH: width, IMAGE_LENGTH: height}
    numbers |= {ORIENTATION: orientation, RELATED_WIDTH: width, RELATED_HEIGHT: height}
    first = fields_of(block)
    photo = tuple(f for d in first if d.tag == EXIF_DIRECTORY for f in d.children)
    related = tuple(f for d in photo if d.tag == INTEROPERABILITY_DIRECTORY for f in d.children)
    copy = bytearray(block)
    _patch_geo(copy, first, order, geo.find_factors(_size_in(block, first), (width, height)))
    turn = orientation_in(block) if orientation == 1 else 1
    if enlargement := _find_growth(photo, order, (width, height), turn):
        _patch_places(copy, photo, order, enlargement)
    for field in first + photo + related:
        if field.tag in numbers and field.is_whole:
            _set_number(copy, field, order, numbers[field.tag])
    return bytes(copy)


def _find_growth(
    photo: Sequence[Field], order: ByteOrder, new: tuple[int, int], turn: int
) -> PixelGrowth | None:
    """From the size that the block states; some writers state that of the picture as it is seen."""
    width, height = (number_of(photo, tag, order) for tag in (PIXEL_X, PIXEL_Y))
    if not width or not height:
        return None
    ways = (PixelGrowth((width, height), new, way) for way in (turn, 1))
    return next((way for way in ways if way.factors), None)


def _patch_places(
    block: bytearray, fields: Iterable[Field], order: ByteOrder, enlargement: PixelGrowth
) -> None:
    """What is counted in pixels, as numbers of the same length in the same place."""
    whole = {f.tag: f for f in fields if f.is_whole}
    focal = [whole.get(tag) for tag in (FOCAL_X, FOCAL_Y)]
    ratios = [f and _ratio_of(f, order) for f in focal]
    if ratios[0] and ratios[1]:
        larger = enlarge_resolutions((ratios[0], ratios[1]), enlargement)
        for field, ratio in zip(focal, larger or (), strict=False):
            assert field is not None
            struct.pack_into(order + "II", block, field.start, ratio.numerator, ratio.denominator)
    for tag in (SUBJECT_AREA, SUBJECT_LOCATION):
        if (field := whole.get(tag)) is not None and field.kind == SHORT:
            area = enlarge_area(numbers_of(field, order), enlargement)
            struct.pack_into(f"{order}{len(area or ())}H", block, field.start, *(area or ()))


def _ratio_of(field: Field, order: ByteOrder) -> Fraction | None:
    if field.kind != RATIONAL or len(field.value) != 8:
        return None
    above, below = struct.unpack(order + "II", bytes(field.value))
    return Fraction(above, below) if above and below else None


def _patch_geo(
    block: bytearray, fields: Iterable[Field], order: ByteOrder, factors: geo.Factors | None
) -> None:
    """Where pixels lie on the ground, as numbers of the same length in the same place."""
    places = {
        f.tag: f
        for f in fields
        if f.tag in tags.GEO_PLACES and f.kind == DOUBLE and len(f.value) == 8 * f.length > 0
    }
    values = {
        tag: struct.unpack(f"{order}{f.length}d", bytes(f.value)) for tag, f in places.items()
    }
    if factors is None or not values:
        return
    keys = next((bytes(f.value) for f in fields if f.tag == tags.GEO_KEYS), b"")
    numbers = struct.unpack(f"{order}{len(keys) // 2}H", keys[: len(keys) // 2 * 2])
    enlarged = geo.enlarge_geo(values, factors, of_points=geo.is_of_points(numbers))
    for tag, numbers_there in enlarged.items():
        at = places[tag].start
        struct.pack_into(f"{order}{places[tag].length}d", block, at, *numbers_there)


def _set_number(block: bytearray, field: Field, order: ByteOrder, number: int) -> None:
    kind = SHORT if field.kind == SHORT and number < 1 << 16 else LONG
    value = struct.pack(order + ("H" if kind == SHORT else "I"), number).ljust(4, b"\0")
    struct.pack_into(order + "HHI", block, field.at, field.tag, kind, 1)
    block[field.at + 8 : field.at + 12] = value


def _fields_to_add(
    block: bytes, layout: TiffLayout, orientation: int, resolution: tuple[float, float] | None
) -> list[Field]:
    """Fields that ``block`` must get in its first directory to say what it has to."""
    fields = []
    if orientation != orientation_in(block):
        fields.append(_short_field(ORIENTATION, orientation, layout.order))
    if resolution is not None and not _is_same_resolution(resolution, resolution_in(block)):
        fields += resolution_fields(resolution, layout.order)
    return fields


def _is_same_resolution(a: tuple[float, float], b: tuple[float, float] | None) -> bool:
    return b is not None and all(abs(x - y) <= 1e-6 * x for x, y in zip(a, b, strict=True))


def _short_field(tag: int, number: int, order: ByteOrder) -> Field:
    return Field(tag, SHORT, 1, struct.pack(order + "H", number))


def _rational_field(tag: int, number: Fraction, order: ByteOrder) -> Field:
    return Field(tag, RATIONAL, 1, struct.pack(order + "II", number.numerator, number.denominator))


def numbers_of(field: Field, order: ByteOrder, most: int = sys.maxsize) -> tuple[int, ...]:
    """A field's whole numbers, the first ``most`` of them; none where it has others."""
    word = _WHOLE_WORDS.get(field.kind)
    if word is None:
        return ()
    size = struct.calcsize("=" + word)
    count = min(len(field.value) // size, most)
    return struct.unpack(f"{order}{count}{word}", field.value[: count * size])


def number_of(fields: Iterable[Field], tag: int, order: ByteOrder) -> int | None:
    """The first whole number of the first field of this tag; None where there is none."""
    field = next((field for field in fields if field.tag == tag), None)
    return None if field is None else first_number(field, order)


def first_number(field: Field, order: ByteOrder) -> int | None:
    """A field's first whole number; None where it has none."""
    word = _WHOLE_WORDS.get(field.kind)
    if word is None or len(field.value) < _SIZES[field.kind]:
        return None
    return int(struct.unpack(order + word, field.value[: _SIZES[field.kind]])[0])


def _order_in(block: Block) -> ByteOrder:
    return "<" if bytes(block[:2]) == b"II" else ">"


def _number_in(block: Block, fields: Iterable[Field], tag: int) -> int | None:
    return number_of(fields, tag, _order_in(block))


def _fraction_of(fields: Iterable[Field], tag: int, order: ByteOrder) -> Fraction | None:
    for field in fields:
        if field.tag == tag and field.kind == RATIONAL and len(field.value) >= 8:
            above, below = struct.unpack(order + "II", field.value[:8])
            return Fraction(above, below) if below else None
    return None
