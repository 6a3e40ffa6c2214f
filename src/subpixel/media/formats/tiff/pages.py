"""Which of a TIFF file's directories are the picture: not thumbnails, masks and smaller copies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from subpixel.media.formats.tiff.directories import Directory, TiffFile
from subpixel.media.picture import Loss

MAX_NAMED = 8
"""Most kinds of pages that are named one by one."""

NEW_SUBFILE_TYPE, SUBFILE_TYPE = 254, 255
WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
SAMPLES, COLOUR_MAP, EXTRA_SAMPLES, SAMPLE_FORMAT = 277, 320, 338, 339
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, SEPARATED, YCBCR = 0, 1, 2, 3, 5, 6
CIE_LAB, ICC_LAB, ITU_LAB = 8, 9, 10
MAX_CHANNELS = 256
"""Most channels that are looked at one by one: more than are read."""

_COLOURS = {MIN_IS_WHITE: 1, MIN_IS_BLACK: 1, PALETTE: 1, SEPARATED: 4}


@dataclass(frozen=True)
class PageKind:
    """What two pages have in common that are frames of one picture."""

    width: int
    height: int
    samples: int
    bits: tuple[int, ...]
    sample_format: int
    """1 unsigned, 2 signed, 3 floating-point."""
    photometric: int
    extras: tuple[int, ...]
    """The file's own kinds of the channels beside the colours."""

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def size(self) -> str:
        return f"{self.width} x {self.height}"


def kind_of(directory: Directory) -> PageKind:
    """What a directory says of its pixels, defaults filled in."""
    samples = min(directory.number(SAMPLES, 1), 65_535)  # a field of 16 bits
    photometric = directory.number(PHOTOMETRIC, MIN_IS_BLACK)
    bits = directory.numbers(BITS, min(samples, MAX_CHANNELS)) or (1,)
    extras = directory.numbers(EXTRA_SAMPLES, MAX_CHANNELS)
    beside = min(max(samples - _COLOURS.get(photometric, 3), 0), MAX_CHANNELS)
    return PageKind(
        width=directory.number(WIDTH, 0),
        height=directory.number(LENGTH, 0),
        samples=samples,
        bits=bits if len(set(bits)) > 1 else bits[:1],
        sample_format=directory.number(SAMPLE_FORMAT, 1),
        photometric=photometric,
        extras=(extras + (0,) * beside)[:beside],
    )


def choose_pages(tiff: TiffFile) -> tuple[Directory, ...]:
    """The largest page, or SubIFD, that is neither a mask nor a smaller copy of another, and those
    beside it that are like it: the frames. None where the file has no page that can be read."""
    lists = [tiff.pages, *(d.subs for d in tiff.walk() if d.subs)]
    all_pages = [(d, kind_of(d), number) for number, pages in enumerate(lists) for d in pages]
    best = max(all_pages, key=lambda page: _rank_page(page[0], page[1]), default=None)
    if best is None or not best[1].area:
        return ()
    chosen, kind, number = best
    whole = _wholeness(chosen)
    alike = (d for d, k, n in all_pages if n == number and k == kind)
    return tuple(d for d in alike if _wholeness(d) == whole)


def _rank_page(directory: Directory, kind: PageKind) -> tuple[int, int]:
    """Whole pictures before reduced ones before masks, then by size."""
    return (_wholeness(directory) if kind.area else 0), kind.area


def _wholeness(directory: Directory) -> int:
    bits = directory.number(NEW_SUBFILE_TYPE, 0)
    if bits & _MASK:
        return 0
    return 1 if bits & _REDUCED or directory.number(SUBFILE_TYPE, 1) == _OLD_REDUCED else 2


def name_other_pages(tiff: TiffFile, chosen: Sequence[Directory]) -> Iterator[Loss]:
    """The pages and SubIFDs that are left out, like ones together."""
    used = {directory.offset for directory in chosen}
    groups: dict[str, list[int]] = {}
    for directory in tiff.walk():
        if directory.offset not in used:
            groups.setdefault(_describe_page_form(directory), []).append(directory.page + 1)
    for what, pages in islice(groups.items(), MAX_NAMED):
        where = f"page {pages[0]}" if len(pages) == 1 else f"{len(pages)} from page {pages[0]} on"
        yield Loss("frames", f"{what} ({where}) is left out")
    if len(groups) > MAX_NAMED:
        yield Loss("frames", f"pages of {len(groups) - MAX_NAMED} further kinds are left out")


def _describe_page_form(directory: Directory) -> str:
    kind = kind_of(directory)
    if not kind.area:
        return "a directory without pixels"
    sort = ("a mask", "a smaller copy", "a picture")[_wholeness(directory)]
    return f"{sort} of {kind.size} pixels, {kind.samples} x {kind.bits[0]} bits"
