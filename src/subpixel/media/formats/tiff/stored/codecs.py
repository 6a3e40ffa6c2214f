"""Compressions that libvips is built without: LZMA and Zstandard. Strips of these are unpacked here
and handed on as Deflate streams that compress nothing, so that predictors, planes and tiles stay
libtiff's business.

Sources: libtiff's list of compressions; RFC 1950 and 1951 (stored blocks), the .xz format.
"""

import importlib
import lzma
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

from subpixel.media.formats.tiff.directories import Directory
from subpixel.media.formats.tiff.pages import COMPRESSION, PHOTOMETRIC, YCBCR, kind_of
from subpixel.media.formats.tiff.stored.view import Strips
from subpixel.media.metadata.exif import Block
from subpixel.system.extras import explain_missing

DEFLATE = 8
LZMA, ZSTD = 34925, 50000

STRIP_OFFSETS, STRIP_BYTE_COUNTS, ROWS_PER_STRIP, PLANAR = 273, 279, 278, 284
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTE_COUNTS = 322, 323, 324, 325

MAX_STRIP = 1 << 30
"""Most bytes that one strip may unpack to."""

_STORED_MOST = 65535
"""Most bytes of a Deflate block that is stored as it is."""

Unpack = Callable[[bytes, int], bytes]
"""Compressed bytes and the most bytes that may come of them; raises :class:`ValueError`."""


@dataclass(frozen=True)
class StripPlan:
    """How a page's pixels are cut."""

    offsets_tag: int
    counts_tag: int
    sizes: tuple[int, ...]
    """Bytes of each strip or tile, unpacked."""


def plan_strips(directory: Directory) -> StripPlan:
    """Raises :class:`ValueError` for a directory whose numbers don't fit together."""
    kind = kind_of(directory)
    planes = kind.samples if directory.number(PLANAR, 1) == 2 else 1
    bits = kind.bits[0] * (kind.samples // planes)
    if len(kind.bits) > 1 or not bits or directory.number(PHOTOMETRIC, 1) == YCBCR:
        raise ValueError("its channels are of several sizes, which this compression isn't read for")
    if directory.field(TILE_OFFSETS):
        side, length = directory.number(TILE_WIDTH, 0), directory.number(TILE_LENGTH, 0)
        count = count_tiles(directory) * planes
        _expect_strips(len(directory.numbers(TILE_OFFSETS)), count)
        sizes = [_row_bytes(side, bits) * length] * count
        plan = StripPlan(TILE_OFFSETS, TILE_BYTE_COUNTS, tuple(sizes))
    else:
        rows = min(directory.number(ROWS_PER_STRIP, kind.height) or 1, kind.height)
        _expect_strips(len(directory.numbers(STRIP_OFFSETS)), -(-kind.height // rows) * planes)
        heights = [min(rows, kind.height - top) for top in range(0, kind.height, rows)] * planes
        sizes = [_row_bytes(kind.width, bits) * height for height in heights]
        plan = StripPlan(STRIP_OFFSETS, STRIP_BYTE_COUNTS, tuple(sizes))
    _expect_consistent(directory, plan)
    return plan


def count_tiles(directory: Directory) -> int:
    """How many tiles cover a page, or one channel of it; raises :class:`ValueError` for none."""
    kind = kind_of(directory)
    width, length = directory.number(TILE_WIDTH, 0), directory.number(TILE_LENGTH, 0)
    if not width or not length:
        raise ValueError("its tiles have no size")
    return -(-kind.width // width) * -(-kind.height // length)


def _row_bytes(width: int, bits: int) -> int:
    return -(-width * bits // 8)


def _expect_consistent(directory: Directory, plan: StripPlan) -> None:
    places, counts = directory.numbers(plan.offsets_tag), directory.numbers(plan.counts_tag)
    _expect_strips(len(counts), len(places))
    if not all(plan.sizes):
        raise ValueError("its strips have no size")
    if max(plan.sizes) > MAX_STRIP:
        raise ValueError(f"its strips unpack to more than {MAX_STRIP:,} bytes")


def _expect_strips(count: int, expected: int) -> None:
    if count != expected:
        raise ValueError(f"its list of strips doesn't fit its size: {count} in place of {expected}")


def unpack_strips(directory: Directory, plan: StripPlan, block: Block) -> Strips:
    """The page's strips as Deflate streams, unpacked when they are read.

    Raises :class:`ValueError` for a compression that can't be unpacked, and
    :class:`~subpixel.errors.ProviderError` where the package for it is missing.
    """
    unpack = _UNPACKERS[directory.number(COMPRESSION, 1)]()
    places, counts = directory.numbers(plan.offsets_tag), directory.numbers(plan.counts_tag)

    def read(number: int) -> bytes:
        start, size = places[number], plan.sizes[number]
        data = unpack(bytes(block[start : start + counts[number]]), size)
        if len(data) < size:
            raise ValueError(f"strip {number + 1} of {len(places)} is damaged or cut off")
        return store(data)

    return Strips(tuple(map(stored_size, plan.sizes)), read)


def is_unpacked_here(directory: Directory) -> bool:
    """Whether the page is compressed by what libvips lacks and this file has."""
    return directory.number(COMPRESSION, 1) in _UNPACKERS


def store(data: bytes) -> bytes:
    """A zlib stream of ``data`` as it is."""
    parts = [b"\x78\x01"]
    for start in range(0, len(data), _STORED_MOST):
        block = data[start : start + _STORED_MOST]
        last = start + _STORED_MOST >= len(data)
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*parts, struct.pack(">I", zlib.adler32(data))])


def stored_size(size: int) -> int:
    """Bytes of :func:`store`'s result, for one byte at least."""
    return 2 + 5 * -(-size // _STORED_MOST) + size + 4


def _open_lzma() -> Unpack:
    def unpack(data: bytes, most: int) -> bytes:
        try:
            return lzma.LZMADecompressor(memlimit=MAX_STRIP).decompress(data, most)
        except (lzma.LZMAError, EOFError) as error:
            raise ValueError(f"its LZMA data is damaged ({error})") from error

    return unpack


def _open_zstd() -> Unpack:
    zstd = _import_zstd()

    def unpack(data: bytes, most: int) -> bytes:
        try:
            return bytes(zstd.ZstdDecompressor().decompress(data, most))
        except (zstd.ZstdError, EOFError) as error:
            raise ValueError(f"its Zstandard data is damaged ({error})") from error

    return unpack


def _import_zstd() -> ModuleType:
    """Python's own module, or its backport for Python before 3.14."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise explain_missing(ModuleNotFoundError(name="backports"))


_UNPACKERS: Mapping[int, Callable[[], Unpack]] = {LZMA: _open_lzma, ZSTD: _open_zstd}
