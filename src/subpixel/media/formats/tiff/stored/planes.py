"""Tiles of one channel each, which libvips doesn't read: seen as grey pages, a channel each."""

from collections.abc import Sequence
from dataclasses import replace

from subpixel.media.formats.tiff.directories import Directory
from subpixel.media.formats.tiff.pages import (
    BITS,
    EXTRA_SAMPLES,
    MIN_IS_BLACK,
    MIN_IS_WHITE,
    PHOTOMETRIC,
    SAMPLE_FORMAT,
    SAMPLES,
    SEPARATED,
    kind_of,
)
from subpixel.media.formats.tiff.stored.codecs import (
    PLANAR,
    TILE_BYTE_COUNTS,
    TILE_OFFSETS,
    count_tiles,
)
from subpixel.media.formats.tiff.stored.samples import ASSOCIATED, Changes
from subpixel.media.libvips import VipsImage
from subpixel.media.metadata import exif

SEPARATE_PLANES = 2


def has_tiled_planes(page: Directory) -> bool:
    """Whether a page has several channels, each in tiles of its own."""
    several = page.number(SAMPLES, 1) > 1
    return (
        several
        and page.number(PLANAR, 1) == SEPARATE_PLANES
        and page.field(TILE_OFFSETS) is not None
    )


def split_planes(page: Directory) -> tuple[Directory, ...]:
    """A directory for each channel; raises :class:`ValueError` where they don't share the tiles
    evenly."""
    kind = kind_of(page)
    places, counts = page.numbers(TILE_OFFSETS), page.numbers(TILE_BYTE_COUNTS)
    share = count_tiles(page)
    if not len(places) == len(counts) == share * kind.samples or len(kind.bits) > 1:
        raise ValueError(f"its {len(places)} tiles don't make {kind.samples} channels")
    ours = {SAMPLES, BITS, SAMPLE_FORMAT, EXTRA_SAMPLES, PLANAR, PHOTOMETRIC}
    ours |= {TILE_OFFSETS, TILE_BYTE_COUNTS}
    shared = tuple(field for field in page.fields if field.tag not in ours)

    def plane(number: int) -> Directory:
        is_white_zero = number == 0 and kind.photometric == MIN_IS_WHITE
        part = slice(number * share, (number + 1) * share)
        own = {
            BITS: kind.bits,
            PHOTOMETRIC: [MIN_IS_WHITE if is_white_zero else MIN_IS_BLACK],
            SAMPLES: [1],
            SAMPLE_FORMAT: [kind.sample_format],
            TILE_OFFSETS: places[part],
            TILE_BYTE_COUNTS: counts[part],
        }
        fields = (exif.whole_numbers(tag, numbers, page.order) for tag, numbers in own.items())
        return replace(page, fields=(*shared, *fields), offset=-1 - number)

    return tuple(map(plane, range(kind.samples)))


def merge_planes(planes: Sequence[VipsImage], page: Directory, changes: Changes) -> VipsImage:
    """The channels as one image, in the colours that the page says, or ``changes`` do."""
    kind = kind_of(page)
    merged = planes[0].bandjoin(list(planes[1:]))
    photometric = changes.get(PHOTOMETRIC, [kind.photometric])[0]
    deep, real = planes[0].format in ("ushort", "short"), planes[0].format == "float"
    if photometric in (MIN_IS_WHITE, MIN_IS_BLACK):
        name = planes[0].interpretation
    elif photometric == SEPARATED:
        name = "cmyk"
    else:
        name = "scrgb" if real else ("srgb", "rgb16")[deep]
    merged = merged.copy(interpretation=name)
    return _divide(merged) if kind.extras == (ASSOCIATED,) else merged


def _divide(image: VipsImage) -> VipsImage:
    """Straight colours of those that are multiplied by the last channel."""
    most = {"uchar": 255, "char": 127, "ushort": 65535, "short": 32767}.get(image.format, 1)
    straight = image.unpremultiply(max_alpha=most)
    return straight if image.format == "float" else straight.rint().cast(image.format)
