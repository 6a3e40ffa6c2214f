"""Changes to TIFF structures: files, and EXIF blocks."""

import struct
from dataclasses import dataclass

from tests.robustness.mutation.plain import MAX_BYTES, Dice, draw_extreme, mutate_bytes

HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
TAGS = (
    254,
    256,
    257,
    258,
    259,
    262,
    266,
    270,
    273,
    274,
    277,
    278,
    279,
    282,
    283,
    284,
    296,
    317,
    320,
)
TAGS += (322, 323, 324, 325, 330, 338, 339, 347, 513, 514, 700, 33550, 33723, 34377, 34665, 34675)
TAGS += (34853, 37500, 40962, 40963, 40965, 50706)
MAX_WALK = 32
"""Most directories that are looked at."""


@dataclass(frozen=True)
class Directory:
    """Where a directory stands, and its entries' number."""

    at: int
    count: int


@dataclass(frozen=True)
class Layout:
    """Of a classic file or a BigTIFF."""

    order: str
    big: bool

    @property
    def head(self) -> int:
        return 8 if self.big else 2

    @property
    def entry(self) -> int:
        return 20 if self.big else 12

    @property
    def offset(self) -> str:
        return self.order + ("Q" if self.big else "I")

    @property
    def entry_form(self) -> str:
        return self.order + ("HHQQ" if self.big else "HHII")


def find_tiff(head: bytes) -> int | None:
    """Where a TIFF structure begins in the first bytes of a piece."""
    places = [at for at in (head.find(magic) for magic in HEADS) if at >= 0]
    return min(places, default=None)


def mutate_tiff(dice: Dice, data: bytes, other: bytes = b"") -> bytes:
    """One change to a directory's entry, to its count or to where the next one stands."""
    layout = _layout_of(data)
    directories = walk_directories(data, layout) if layout else []
    if not layout or not directories or dice.random() < 0.2:
        return mutate_bytes(dice, data, other)
    directory = dice.choice(directories)
    match dice.randrange(10):
        case 0:
            return _set_count(dice, data, layout, directory)
        case 1 | 2:
            return _set_next(dice, data, layout, directory, directories)
        case 3:
            return _swell(dice, data, layout, directory)
        case _:
            return _change_entry(dice, data, layout, directory, directories)


def _layout_of(data: bytes) -> Layout | None:
    if data[:4] not in HEADS or len(data) < 16:
        return None
    return Layout("<" if data[:1] == b"I" else ">", data[:4] in (b"II+\0", b"MM\0+"))


def walk_directories(data: bytes, layout: Layout) -> list[Directory]:
    """Those that the file's chain leads to, and those that entries name."""
    (first,) = struct.unpack_from(layout.offset, data, 8 if layout.big else 4)
    waiting, seen, directories = [first], set[int](), []
    while waiting and len(directories) < MAX_WALK:
        at = waiting.pop()
        if at in seen or at + layout.head > len(data):
            continue
        seen.add(at)
        (count,) = struct.unpack_from(layout.order + ("Q" if layout.big else "H"), data, at)
        end = at + layout.head + layout.entry * count
        if not count or end + struct.calcsize(layout.offset) > len(data):
            continue
        directories.append(Directory(at, count))
        waiting.append(struct.unpack_from(layout.offset, data, end)[0])
        for number in range(count):
            tag, _, _, value = struct.unpack_from(
                layout.entry_form, data, _place(directories[-1], number, layout)
            )
            waiting += [value] if tag in (330, 34665, 34853, 40965) else []
    return directories


def _place(directory: Directory, number: int, layout: Layout) -> int:
    return directory.at + layout.head + layout.entry * number


def _put(data: bytes, at: int, piece: bytes) -> bytes:
    return (data[:at] + piece + data[at + len(piece) :])[:MAX_BYTES]


def _set_count(dice: Dice, data: bytes, layout: Layout, directory: Directory) -> bytes:
    size = layout.head
    value = dice.choice((draw_extreme(dice, size), directory.count + 1, directory.count * 8))
    letter = "Q" if layout.big else "H"
    return _put(data, directory.at, struct.pack(layout.order + letter, value % (1 << 8 * size)))


def _set_next(
    dice: Dice, data: bytes, layout: Layout, directory: Directory, directories: list[Directory]
) -> bytes:
    """The chain goes to itself, to another directory, or nowhere."""
    size = struct.calcsize(layout.offset)
    place = dice.choice((dice.choice(directories).at, directory.at, draw_extreme(dice, size)))
    end = _place(directory, directory.count, layout)
    return _put(data, end, struct.pack(layout.offset, place))


def _swell(dice: Dice, data: bytes, layout: Layout, directory: Directory) -> bytes:
    """A directory behind the end with its entries many times, to which the header then leads."""
    start, end = _place(directory, 0, layout), _place(directory, directory.count, layout)
    count = min(directory.count * dice.choice((2, 20, 200)), 0xFFFF)
    entries = (data[start:end] * (count // directory.count + 1))[: count * layout.entry]
    if dice.random() < 0.5:
        pointer = struct.pack(layout.entry_form, 34665, 4, 1, len(data))
        entries = pointer * count
    letter = "Q" if layout.big else "H"
    table = struct.pack(layout.order + letter, count) + entries + struct.pack(layout.offset, 0)
    return _put(data + table, 8 if layout.big else 4, struct.pack(layout.offset, len(data)))


def _change_entry(
    dice: Dice, data: bytes, layout: Layout, directory: Directory, directories: list[Directory]
) -> bytes:
    at = _place(directory, dice.randrange(directory.count), layout)
    tag, kind, count, value = struct.unpack_from(layout.entry_form, data, at)
    size = 8 if layout.big else 4
    match dice.randrange(6):
        case 0:
            tag = dice.choice(TAGS)
        case 1:
            kind = dice.choice((*range(1, 19), 129, 0, 0xFFFF))
        case 2:
            count = dice.choice((draw_extreme(dice, size), count + 1, count * 2)) % (1 << 8 * size)
        case 3:
            value = draw_extreme(dice, size)
        case 4:
            value = dice.choice(directories).at
        case _:
            tag, kind, count, value = (
                dice.choice((330, 34665, 34853)),
                4,
                dice.choice((1, 1, 50)),
                directory.at,
            )
    return _put(data, at, struct.pack(layout.entry_form, tag, kind, count, value))
