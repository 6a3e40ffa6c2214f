"""All directories of a TIFF file: the chain of its pages, and their SubIFDs.

Sources: TIFF 6.0 (Adobe, 1992), TIFF Technical Note 1 (SubIFDs), BigTIFF (libtiff's design page).
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from subpixel.media.metadata import exif
from subpixel.media.metadata.exif import (
    MAX_FIELDS,
    Block,
    ByteOrder,
    DirectoryReader,
    Field,
    TiffLayout,
)

MAX_RATIOS = 6
"""As many as a field of them has that is read: the levels of three channels."""

SUBIFD_DEPTH = 2
"""SubIFDs of SubIFDs are the deepest that are looked at."""

SUBIFDS = 330

MAX_SUBIFDS = 1 << 12
"""Most SubIFDs of one directory; a file of more is taken for an attack."""


@dataclass(frozen=True)
class Directory:
    """One directory: the fields of a page, or of something that a page has beside it."""

    offset: int
    fields: tuple[Field, ...]
    order: ByteOrder
    page: int
    """The page that it is or belongs to, counted from 0."""
    file_size: int
    subs: tuple["Directory", ...] = ()

    @cached_property
    def _by_tag(self) -> dict[int, Field]:
        return {field.tag: field for field in reversed(self.fields)}

    def field(self, tag: int) -> Field | None:
        """The first field of this tag."""
        return self._by_tag.get(tag)

    def number(self, tag: int, default: int) -> int:
        """A field's first whole number."""
        field = self.field(tag)
        number = None if field is None else exif.first_number(field, self.order)
        return default if number is None else number

    def numbers(self, tag: int, most: int = sys.maxsize) -> tuple[int, ...]:
        """The whole numbers of a field, the first ``most`` of them; none where it is missing."""
        field = self.field(tag)
        return () if field is None else exif.numbers_of(field, self.order, most)

    def ratios(self, tag: int) -> tuple[float, ...]:
        """The numbers of a field of fractions, the first :data:`MAX_RATIOS` of them; none where it
        is missing or one has a zero below."""
        field = self.field(tag)
        if field is None or field.kind != exif.RATIONAL:
            return ()
        numbers = exif.numbers_of(field._replace(kind=exif.LONG), self.order, 2 * MAX_RATIOS)
        if not all(numbers[1::2]):
            return ()
        return tuple(
            above / below for above, below in zip(numbers[::2], numbers[1::2], strict=True)
        )

    def value(self, tag: int, most: int = sys.maxsize) -> bytes | None:
        """A field's bytes, the first ``most`` of them; None where it is missing or empty."""
        field = self.field(tag)
        return bytes(field.value[:most]) if field is not None and len(field.value) else None


@dataclass(frozen=True)
class TiffFile:
    """A file's directories, each of them once."""

    block: Block
    layout: TiffLayout
    pages: tuple[Directory, ...]

    def walk(self) -> Iterator[Directory]:
        """All of them: each page, then its SubIFDs."""
        for page in self.pages:
            yield from _walk(page)


def _walk(directory: Directory) -> Iterator[Directory]:
    yield directory
    for sub in directory.subs:
        yield from _walk(sub)


def read_directories(block: Block) -> TiffFile:
    """Walk a file's directories. Those that are out of reach, damaged or seen before end a chain.

    Raises :class:`ValueError` for what has no TIFF header, and for more fields than
    :data:`~subpixel.media.metadata.exif.MAX_FIELDS`, or than fit into the file side by side.
    """
    layout = exif.layout_of(block)
    if layout is None:
        raise ValueError("it has no TIFF header")
    walker = _Walker(block, layout)
    return TiffFile(block, layout, tuple(walker.chain(exif.first_offset(block, layout))))


class _Walker:
    """Remembers where it was."""

    def __init__(self, block: Block, layout: TiffLayout) -> None:
        self._size, self._order = len(block), layout.order
        self._reader = DirectoryReader(block, layout)

    def chain(self, offset: int) -> Iterator[Directory]:
        page = 0
        while offset:
            directory, offset = self._read(offset, page)
            if not directory.fields:
                return
            yield self._with_subs(directory, SUBIFD_DEPTH)
            page += 1

    def _read(self, offset: int, page: int) -> tuple[Directory, int]:
        fields, following = self._reader.read(offset, depth=2)
        if self._reader.is_overdrawn:
            raise ValueError(
                f"its directories have more than {MAX_FIELDS:,} fields, or lie over one another"
            )
        return Directory(offset, fields, self._order, page, self._size), following

    def _with_subs(self, directory: Directory, depth: int) -> Directory:
        subs = []
        offsets = directory.numbers(SUBIFDS, MAX_SUBIFDS + 1) if depth else ()
        if len(offsets) > MAX_SUBIFDS:
            raise ValueError(f"a directory names over {MAX_SUBIFDS:,} SubIFDs")
        for offset in offsets:
            if offset and not self._reader.is_known(offset):
                sub, _ = self._read(offset, directory.page)
                subs.append(self._with_subs(sub, depth - 1))
        return replace(directory, subs=tuple(sub for sub in subs if sub.fields))
