"""How strictly libvips is to read a file's pages.

A tile may be left out, as GDAL does where there is nothing: it is black. Source: GDAL's
documentation of its GeoTIFF driver, "Sparse files".
"""

from collections.abc import Sequence

from subpixel.media.formats.tiff.directories import Directory
from subpixel.media.formats.tiff.pages import COMPRESSION
from subpixel.media.formats.tiff.stored.codecs import TILE_BYTE_COUNTS, TILE_OFFSETS
from subpixel.media.libvips import Strictness

_JPEG, _PACKBITS = 7, 32773


def choose_strictness(pages: Sequence[Directory]) -> Strictness:
    """What stops libvips: of a damaged tile, which it makes black, it only warns, as it does of one
    that is left out, and of damage in strips of JPEG and PackBits.

    Raises :class:`ValueError` where tiles are left out and others are cut off.
    """
    sparse = [page for page in pages if 0 in page.numbers(TILE_BYTE_COUNTS)]
    if any(map(_is_cut, sparse)):
        raise ValueError("it is cut off")
    return "error" if sparse or not any(map(_is_only_warned_of, pages)) else "warning"


def _is_only_warned_of(page: Directory) -> bool:
    is_tiled = page.field(TILE_OFFSETS) is not None
    return is_tiled or page.number(COMPRESSION, 1) in (_JPEG, _PACKBITS)


def _is_cut(page: Directory) -> bool:
    places = zip(page.numbers(TILE_OFFSETS), page.numbers(TILE_BYTE_COUNTS), strict=False)
    return any(start + count > page.file_size for start, count in places)
