"""Items of a HEIF file: pictures and metadata, their properties, and how they refer to each other.

Source: ISO/IEC 14496-12, 8.11, and ISO/IEC 23008-12 (HEIF).
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from subpixel.media.formats.boxes.boxes import Box, find_box, walk_boxes
from subpixel.media.metadata.exif import Block, unpack_at

MAX_NAME = 1 << 10
"""Most bytes of a content type, or of what an auxiliary picture is called."""

_ALPHA = (
    "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    "urn:mpeg:hevc:2015:auxid:1",
    "urn:mpeg:avc:2015:auxid:1",
)


@dataclass(frozen=True)
class Item:
    """One item of a file."""

    number: int
    kind: bytes
    """Four characters: ``b"av01"``, ``b"grid"``, ``b"Exif"``, ``b"mime"``, …"""
    content_type: str = ""
    """Of an item of the kind ``mime``."""
    is_hidden: bool = False
    """Whether it isn't meant to be shown."""
    properties: tuple[Box, ...] = ()
    extents: tuple[tuple[int, int], ...] = ()
    """Where its data lies: offset and size in the file; none where it lies elsewhere."""

    @property
    def size(self) -> int:
        """Bytes of its data."""
        return sum(size for _, size in self.extents)


@dataclass(frozen=True)
class ItemReference:
    """One item refers to others."""

    kind: bytes
    source: int
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Items:
    """What the ``meta`` box of a file says; empty where there is none."""

    primary: int = 0
    by_number: dict[int, Item] = field(default_factory=dict)
    references: tuple[ItemReference, ...] = ()
    properties: tuple[Box, ...] = ()
    """All that are defined, used or not."""

    @cached_property
    def _first_properties(self) -> dict[tuple[int, bytes], Box]:
        """The first property of each name of each item."""
        return {
            (number, box.name): box
            for number, item in self.by_number.items()
            for box in reversed(item.properties)
        }

    @cached_property
    def _links(self) -> frozenset[tuple[bytes, int, int]]:
        """Kind, source and target of all references."""
        return frozenset(
            (r.kind, r.source, target) for r in self.references for target in r.targets
        )

    @cached_property
    def _kinds(self) -> dict[int, set[bytes]]:
        kinds: dict[int, set[bytes]] = {}
        for reference in self.references:
            kinds.setdefault(reference.source, set()).add(reference.kind)
        return kinds

    @cached_property
    def _parts(self) -> dict[int, tuple[int, ...]]:
        return {r.source: r.targets for r in self.references if r.kind == b"dimg"}

    def property_of(self, number: int, name: bytes) -> Box | None:
        """The first property of that name of an item."""
        return self._first_properties.get((number, name))

    def refers(self, kind: bytes, source: int, target: int) -> bool:
        """Whether one item refers to another in this way."""
        return (kind, source, target) in self._links

    def reference_kinds(self, source: int) -> set[bytes]:
        """The ways in which an item refers to others."""
        return self._kinds.get(source, set())

    def with_sources(self, *roots: int) -> set[int]:
        """The items, and all that they are derived from, as a grid is from its tiles."""
        numbers: set[int] = set()
        queue = list(roots)
        while queue:
            current = queue.pop()
            if current not in numbers:
                numbers.add(current)
                queue += self._parts.get(current, ())
        return numbers


def read_items(file: Block) -> Items:
    """What the file's ``meta`` box says; what is damaged counts as not there."""
    meta = find_box(file, b"meta", 0, len(file))
    if meta is None:
        return Items()
    inner = {box.name: box for box in reversed([*walk_boxes(file, meta.start + 4, meta.stop)])}
    try:
        return _build_items(file, inner)
    except (struct.error, IndexError):
        return Items()


def read_av1_head(file: Block, items: Items, most: int) -> bytes | None:
    """The first bytes, up to ``most``, of the primary picture's AV1 stream, or of its first
    tile's; None where there is none."""
    for number in sorted(items.with_sources(items.primary)):
        item = items.by_number.get(number)
        if item is not None and item.kind == b"av01" and item.extents:
            start, size = item.extents[0]
            return bytes(file[start : start + min(size, most)])
    return None


def auxiliary_type(file: Block, items: Items, number: int) -> str:
    """What an auxiliary picture is, as a URN; empty where nothing says it."""
    box = items.property_of(number, b"auxC")
    return (
        ""
        if box is None
        else _text(bytes(file[box.start + 4 : min(box.stop, box.start + MAX_NAME)]))
    )


def find_alpha(file: Block, items: Items) -> int | None:
    """The number of the item that holds the primary picture's transparency."""
    return next(
        (
            reference.source
            for reference in items.references
            if reference.kind == b"auxl"
            and items.primary in reference.targets
            and auxiliary_type(file, items, reference.source) in _ALPHA
        ),
        None,
    )


def _build_items(file: Block, boxes: dict[bytes, Box]) -> Items:
    properties, uses = _read_properties(file, boxes.get(b"iprp"))
    places = dict(_read_places(file, boxes.get(b"iloc")))
    entries = {entry[0]: entry for entry in _read_item_entries(file, boxes.get(b"iinf"))}
    items = {}
    for number, kind, content_type, is_hidden in entries.values():
        used = tuple(properties[i - 1] for i in uses.get(number, ()) if 0 < i <= len(properties))
        extents = places.get(number, ())
        items[number] = Item(number, kind, content_type, is_hidden, used, extents)
    references = tuple(_read_references(file, boxes.get(b"iref")))
    return Items(_read_primary(file, boxes.get(b"pitm")), items, references, properties)


def _read_primary(file: Block, box: Box | None) -> int:
    if box is None:
        return 0
    return int(unpack_at(">I" if file[box.start] else ">H", file, box.start + 4)[0])


def _read_item_entries(file: Block, box: Box | None) -> Iterator[tuple[int, bytes, str, bool]]:
    """Number, kind, content type and whether hidden, of each item."""
    if box is None:
        return
    first = box.start + (8 if file[box.start] else 6)
    for entry in walk_boxes(file, first, box.stop):
        version = file[entry.start]
        if entry.name != b"infe" or version < 2:
            continue
        wide = version > 2
        (number,) = unpack_at(">I" if wide else ">H", file, entry.start + 4)
        at = entry.start + (10 if wide else 8)
        _, _, rest = bytes(file[at + 4 : min(entry.stop, at + MAX_NAME)]).partition(b"\0")
        yield number, bytes(file[at : at + 4]), _text(rest), bool(file[entry.start + 3] & 1)


def _read_places(file: Block, box: Box | None) -> Iterator[tuple[int, tuple[tuple[int, int], ...]]]:
    """Number and extents of each item whose data lies in the file itself."""
    if box is None:
        return
    version, sizes, sizes2 = unpack_at(">B3xBB", file, box.start)
    offset_size, length_size, base_size = sizes >> 4, sizes & 15, sizes2 >> 4
    index_size = sizes2 & 15 if version else 0
    wide = 4 if version > 1 else 2
    if not length_size:  # an attack: extents that take no room in the box, hence without end
        return
    reader = _Numbers(file, box.start + 6, box.stop)
    for _ in range(reader.take(wide)):
        number = reader.take(wide)
        method = reader.take(2) & 15 if version else 0
        reader.take(2)
        base = reader.take(base_size)
        extents = []
        for _ in range(reader.take(2)):
            reader.take(index_size)
            extents.append((base + reader.take(offset_size), reader.take(length_size)))
        yield number, tuple(extents) if method == 0 else ()


@dataclass
class _Numbers:
    """Whole numbers one after the other, the highest byte first; raises :class:`IndexError`."""

    file: Block
    at: int
    stop: int

    def take(self, size: int) -> int:
        """The next number of ``size`` bytes."""
        end = self.at + size
        if end > self.stop:
            raise IndexError("a box ends within a number")
        number = int.from_bytes(self.file[self.at : end])
        self.at = end
        return number


def _read_properties(file: Block, box: Box | None) -> tuple[tuple[Box, ...], dict[int, list[int]]]:
    """All properties, and of each item the numbers of its own, counted from 1."""
    properties: tuple[Box, ...] = ()
    uses: dict[int, list[int]] = {}
    for inner in walk_boxes(file, box.start, box.stop) if box is not None else ():
        if inner.name == b"ipco":
            properties = tuple(walk_boxes(file, inner.start, inner.stop))
        elif inner.name == b"ipma":
            for number, indices in _read_uses(file, inner):
                uses.setdefault(number, []).extend(indices)
    return properties, uses


def _read_uses(file: Block, box: Box) -> Iterator[tuple[int, tuple[int, ...]]]:
    wide, size = (4 if file[box.start] else 2), (2 if file[box.start + 3] & 1 else 1)
    mask = (1 << (8 * size - 1)) - 1
    reader = _Numbers(file, box.start + 4, box.stop)
    for _ in range(reader.take(4)):
        number = reader.take(wide)
        yield number, tuple(reader.take(size) & mask for _ in range(reader.take(1)))


def _read_references(file: Block, box: Box | None) -> Iterator[ItemReference]:
    if box is None:
        return
    wide = 4 if file[box.start] else 2
    for inner in walk_boxes(file, box.start + 4, box.stop):
        reader = _Numbers(file, inner.start, inner.stop)
        source = reader.take(wide)
        targets: Iterable[int] = (reader.take(wide) for _ in range(reader.take(2)))
        yield ItemReference(inner.name, source, tuple(targets))


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")
