"""Boxes of the ISO base media file format, walked. Source: ISO/IEC 14496-12, 4.2."""

from collections.abc import Iterator
from dataclasses import dataclass

from subpixel.media.metadata.exif import Block, unpack_at


@dataclass(frozen=True)
class Box:
    """Where a box lies in its file, in bytes."""

    name: bytes
    """Four characters."""
    at: int
    """Its header."""
    start: int
    """Its content."""
    stop: int
    """The end of its content."""

    @property
    def size(self) -> int:
        """Bytes of its content."""
        return self.stop - self.start


def walk_boxes(file: Block, start: int, stop: int) -> Iterator[Box]:
    """The boxes one after the other; where bytes are no box, or one that is cut off, it ends."""
    while start + 8 <= stop:
        size, name = unpack_at(">I4s", file, start)
        header = 8
        if size == 1 and start + 16 <= stop:
            (size,) = unpack_at(">Q", file, start + 8)
            header = 16
        end = start + size if size else stop
        if end < start + header or end > stop:
            return
        yield Box(name, start, start + header, end)
        start = end


def find_box(file: Block, name: bytes, start: int, stop: int) -> Box | None:
    """The first box of that name."""
    return next((box for box in walk_boxes(file, start, stop) if box.name == name), None)
