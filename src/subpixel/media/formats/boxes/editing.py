"""Changes to a file as libheif writes it: a new place for its EXIF, code points for its picture."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from subpixel.media.compression.av1_sequence import read_colour_description
from subpixel.media.formats.boxes.boxes import Box, find_box, walk_boxes
from subpixel.media.formats.boxes.items import Item, read_items
from subpixel.media.metadata.colour_tags import CodingPoints

_FULL_RANGE_FLAG = 0x80


def point_to_exif(file: bytes, block: bytes) -> bytes:
    """The file, its EXIF item pointed to a new block at the end.

    Raises :class:`ValueError` for a file of another form than libheif's.
    """
    payload = bytes(4) + block  # a TIFF header follows at once
    whole = bytearray(file)
    _set_extent(whole, _find_exif_item(file), len(file) + 8, len(payload))
    return b"".join((whole, struct.pack(">I4s", len(payload) + 8, b"mdat"), payload))


def set_coding_points(file: bytes, points: CodingPoints) -> bytes:
    """The file, its primary picture with these primaries and this transfer.

    They go into the box ``nclx`` where there is one, else into a new one. Raises
    :class:`ValueError` for a file of another form than libheif's.
    """
    items = read_items(file)
    picture = items.by_number.get(items.primary)
    if picture is None:
        raise ValueError("no primary picture")
    for box in picture.properties:
        if box.name == b"colr" and file[box.start : box.start + 4] == b"nclx":
            numbers = struct.pack(">HH", points.primaries, points.transfer)
            return file[: box.start + 4] + numbers + file[box.start + 8 :]
    matrix = _find_matrix(file, picture)
    content = b"nclx" + struct.pack(
        ">HHHB", points.primaries, points.transfer, matrix, _FULL_RANGE_FLAG
    )
    return _add_property(file, picture, struct.pack(">I4s", len(content) + 8, b"colr") + content)


def _find_matrix(file: bytes, picture: Item) -> int:
    """The matrix that the picture's stream states, which a box would overrule."""
    start, size = picture.extents[0]
    colours = read_colour_description(file[start : start + size])
    if colours is None:
        raise ValueError("a stream that states no matrix")
    return colours[2]


def _add_property(file: bytes, item: Item, new: bytes) -> bytes:
    """The file with a property more, which is the item's; what lies behind moves."""
    meta = _expect_box(file, b"meta", 0, len(file))
    ranges = _expect_box(file, b"iprp", meta.start + 4, meta.stop)
    boxes = _expect_box(file, b"ipco", ranges.start, ranges.stop)
    uses = _expect_box(file, b"ipma", ranges.start, ranges.stop)
    count = len(list(walk_boxes(file, boxes.start, boxes.stop)))
    place = _find_uses(file, uses, item.number)
    if boxes.stop > place or count > 126:
        raise ValueError("properties in another order")
    whole = bytearray(file)
    whole[place] += 1
    for box, growth in ((boxes, len(new)), (uses, 1), (ranges, len(new) + 1), (meta, len(new) + 1)):
        _grow_box(whole, box, growth)
    _shift_places(whole, len(new) + 1)
    return b"".join(
        (
            whole[: boxes.stop],
            new,
            whole[boxes.stop : place + 1],
            bytes((count + 1,)),
            whole[place + 1 :],
        )
    )


def _expect_box(file: bytes, name: bytes, start: int, stop: int) -> Box:
    box = find_box(file, name, start, stop)
    if box is None:
        raise ValueError(f"no box {name.decode()}")
    return box


def _find_uses(file: bytes, box: Box, number: int) -> int:
    """Where the number of an item's properties stands, in a table of 16-bit numbers."""
    if file[box.start] or file[box.start + 3] & 1:
        raise ValueError("a table of properties of another kind")
    at = box.start + 8
    while at + 3 <= box.stop:
        if int.from_bytes(file[at : at + 2]) == number:
            return at + 2
        at += 3 + file[at + 2]
    raise ValueError("no properties of the picture")


def _grow_box(file: bytearray, box: Box, growth: int) -> None:
    if box.start - box.at != 8:
        raise ValueError("a box of another kind")
    struct.pack_into(">I", file, box.at, box.stop - box.at + growth)


def _shift_places(file: bytearray, growth: int) -> None:
    """Move what all items point to, which lies behind the ``meta`` box."""
    for place in _list_places(file):
        starts = (place.base,) if place.base is not None else place.extents
        for at in starts:
            (offset,) = struct.unpack_from(">I", file, at)
            struct.pack_into(">I", file, at, offset + growth)


def _set_extent(file: bytearray, item: int, offset: int, length: int) -> None:
    """Set the one extent of an item."""
    for place in _list_places(file):
        if place.number == item:
            if place.base is not None:
                struct.pack_into(">I", file, place.base, 0)
            struct.pack_into(">II", file, place.extents[0], offset, length)
            return
    raise ValueError("no place of the Exif item")


@dataclass(frozen=True)
class _Place:
    """Where in the file it is said where an item's data lies, as 32-bit numbers."""

    number: int
    base: int | None
    """The offset from which those of the extents count."""
    extents: tuple[int, ...]
    """The offset of each, followed by its length."""


def _list_places(file: bytearray) -> Iterator[_Place]:
    """Of all items, in an ``iloc`` box as libheif writes it."""
    meta = _expect_box(bytes(file), b"meta", 0, len(file))
    box = _expect_box(bytes(file), b"iloc", meta.start + 4, meta.stop)
    version, sizes, sizes2, count = struct.unpack_from(">B3xBBH", file, box.start)
    base, index = sizes2 >> 4, (sizes2 & 15) if version == 1 else 0
    if version > 1 or sizes != 0x44 or base not in (0, 4):
        raise ValueError("a table of items of another kind")
    at = box.start + 8
    for _ in range(count):
        (number,) = struct.unpack_from(">H", file, at)
        if version == 1 and file[at + 3] & 15:
            raise ValueError("items outside the data")
        at += 6 if version == 1 else 4
        bases = at if base else None
        (extents,) = struct.unpack_from(">H", file, at + base)
        at += base + 2
        starts = tuple(at + index + i * (8 + index) for i in range(extents))
        yield _Place(number, bases, starts)
        at += extents * (8 + index)


def _find_exif_item(file: bytes) -> int:
    """The number of the item of the kind ``Exif``."""
    for number, item in read_items(file).by_number.items():
        if item.kind == b"Exif":
            return number
    raise ValueError("no Exif item")
