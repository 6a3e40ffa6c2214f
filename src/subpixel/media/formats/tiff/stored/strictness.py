"""How strictly libvips is to read a file's pages.

A tile may be left out, as GDAL does where there is nothing: it is black. Source: GDAL's
documentation of its GeoTIFF driver, "Sparse files".
"""

from collections.abc import Sequence

from subpixel.media.formats.tiff.directories import Directory
from subpixel.media.formats.tiff.stored.codecs import TILE_BYTE_COUNTS, TILE_OFFSETS
from subpixel.media.libvips import Strictness


def choose_strictness(pages: Sequence[Directory]) -> Strictness:
    """What stops libvips: of a damaged tile, which it makes black, it only warns, as it does of one
    that is left out.

    Raises :class:`ValueError` where tiles are left out and others are cut off.
    """
    sparse = [page for page in pages if 0 in page.numbers(TILE_BYTE_COUNTS)]
    if any(map(_is_cut, sparse)):
        raise ValueError("it is cut off")
    return "error" if sparse or not any(map(_is_tiled, pages)) else "warning"


def _is_tiled(page: Directory) -> bool:
    return page.field(TILE_OFFSETS) is not None


def _is_cut(page: Directory) -> bool:
    places = zip(page.numbers(TILE_OFFSETS), page.numbers(TILE_BYTE_COUNTS), strict=False)
    return any(start + count > page.file_size for start, count in places)
