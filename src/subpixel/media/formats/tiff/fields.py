"""The account of a TIFF file's fields: each is kept, says how pixels are stored, or is a loss."""

from collections.abc import Iterable, Iterator

from subpixel.media.formats.account import FilePart, lose_oversized
from subpixel.media.formats.tiff.directories import Directory
from subpixel.media.formats.tiff.pages import (
    CIE_LAB,
    ICC_LAB,
    LENGTH,
    PHOTOMETRIC,
    SEPARATED,
    WIDTH,
)
from subpixel.media.metadata import exif, icc, iptc, tags
from subpixel.media.metadata.budget import MAX_METADATA, Budget
from subpixel.media.metadata.exif import Field
from subpixel.media.picture import Loss, Metadata
from subpixel.strict_json import JsonError, parse_json

MAX_DESCRIPTION = 1 << 22
"""Most bytes of a description in which it is looked for what it is."""

_ENTRY_BYTES = 12
_TURNED_INTO_SRGB = (SEPARATED, CIE_LAB, ICC_LAB)


class PageReader:
    """What pages say beside their pixels, within a budget; what they share is held once."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._shared: dict[tuple[int, int], bytes | None] = {}
        self.losses: dict[str, Loss] = {}
        """What has no room, by the loss's name."""

    def describe(self, directory: Directory) -> Metadata:
        """All of it, for one page."""
        resources = self._read(directory, tags.PHOTOSHOP, "iptc")
        records = self._read(directory, tags.IPTC, "iptc")
        profile = self._read(directory, tags.PROFILE, "icc")
        orientation = directory.number(tags.ORIENTATION, 1)
        return Metadata(
            icc=None if profile is None else icc.repair_length(profile),
            exif=self._build_exif(directory),
            xmp=self._read(directory, tags.XMP, "xmp"),
            iptc=iptc.join_resources(resources, records),
            orientation=orientation if 1 <= orientation <= 8 else 1,
            resolution=exif.resolution_of(directory.fields, directory.order),
        )

    def _read(self, directory: Directory, tag: int, what: str) -> bytes | None:
        field = directory.field(tag)
        if field is None or not len(field.value):
            return None
        place = (field.start, len(field.value))
        if place not in self._shared:
            has_room = self._has_room(what, len(field.value))
            self._shared[place] = bytes(field.value) if has_room else None
        return self._shared[place]

    def _build_exif(self, directory: Directory) -> bytes | None:
        fields = _choose_fields(directory)
        size = sum(map(_measure, fields))
        if not fields or not self._has_room("exif", size):
            return None
        return exif.build_block(fields, directory.order)

    def _has_room(self, what: str, size: int) -> bool:
        if self._budget.take(size):
            return True
        self.losses.setdefault(what, lose_oversized(what, size))
        return False


def _measure(field: Field) -> int:
    """About as many bytes as it takes in a block."""
    return _ENTRY_BYTES + len(field.value) + sum(map(_measure, field.children))


def read_profile(directory: Directory) -> bytes | None:
    """A page's profile, its length field true."""
    profile = directory.value(tags.PROFILE, MAX_METADATA)
    return None if profile is None else icc.repair_length(profile)


def list_field_parts(pages: Iterable[Directory]) -> Iterator[FilePart]:
    """Every field of the pages that are read."""
    for page in pages:
        for field in page.fields:
            yield FilePart(_name_field(field), len(field.value), _judge(field, page))
            yield from _list_children(field)
        yield from _list_aspect(page)


def _list_aspect(page: Directory) -> Iterator[FilePart]:
    """A resolution without a unit says how wide a pixel is for its height."""
    across, down = (page.ratios(tag) for tag in (tags.X_RESOLUTION, tags.Y_RESOLUTION))
    stated = exif.resolution_of(page.fields, page.order) is not None
    if across and down and across[0] > 0 and down[0] > 0 and across != down and not stated:
        shape = f"{down[0] / across[0]:g} times as wide as high"
        yield FilePart("XResolution", 8, Loss("aspect", f"pixels that are {shape} become square"))


def _list_children(field: Field) -> Iterator[FilePart]:
    """Those of an EXIF or GPS directory."""
    for child in field.children:
        yield FilePart(
            _name_field(child), len(child.value), None if child.is_whole else _tell_damage(child)
        )


def _tell_damage(field: Field) -> Loss:
    name = _name_field(field)
    return Loss("exif", f"{name} is empty, or points outside the file or at other data; left out")


def _name_field(field: Field) -> str:
    return tags.NAMES.get(field.tag, f"a field {field.tag}")


def _judge(field: Field, page: Directory) -> Loss | None:
    """Why a field isn't kept; None where it is, or is of no meaning beside other pixels."""
    if field.tag in tags.STORAGE or field.tag in tags.SEPARATE or _is_stored_colour(field, page):
        return None
    if not field.is_whole:
        return _tell_damage(field)
    if field.tag == tags.DESCRIPTION:
        return _judge_description(field)
    if field.tag in tags.BLOCKS or tags.travels(field.tag, field.kind):
        return None
    return Loss(*tags.explain_loss(field.tag, len(field.value)))


def _is_stored_colour(field: Field, page: Directory) -> bool:
    return field.tag in tags.COLOUR and page.number(PHOTOMETRIC, 1) in _TURNED_INTO_SRGB


def _read_description(field: Field) -> str:
    value = bytes(field.value[:MAX_DESCRIPTION])
    return value.rstrip(b"\0").decode("utf-8", "replace").strip()


def _judge_description(field: Field) -> Loss | None:
    """Programs for microscopes write the layout of the pixels into the description."""
    text = _read_description(field)
    if text.startswith("ImageJ="):
        return Loss("description", "ImageJ's ImageDescription, of the old size, is left out")
    if text.startswith("<") and "<OME" in text[:4096]:
        return Loss("description", "the OME-XML of the old size is left out")
    further = _read_shape(text)
    if further:
        return Loss("description", f"the ImageDescription of the old shape ({further}) is left out")
    return None


def _read_shape(text: str) -> str | None:
    """The keys of a description that is JSON and states a shape, but for the shape itself; None for
    any other description."""
    if not text.startswith("{") or '"shape"' not in text:
        return None
    try:
        described = parse_json(text)
    except JsonError:
        return None
    if not isinstance(described, dict) or "shape" not in described:
        return None
    return ", ".join(sorted(described.keys() - {"shape"}))


def _travels(field: Field, page: Directory) -> bool:
    if field.tag in tags.BLOCKS or not tags.travels(field.tag, field.kind):
        return False
    if field.tag == tags.DESCRIPTION:
        text = _read_description(field)
        return _judge_description(field) is None and _read_shape(text) is None
    return field.is_whole and not _is_stored_colour(field, page)


def _choose_fields(page: Directory) -> tuple[Field, ...]:
    """The fields that go into the block; with a place on the ground the size that it holds for."""
    fields = tuple(field for field in page.fields if _travels(field, page))
    if any(field.tag in tags.GEO_PLACES for field in fields):
        fields += tuple(field for field in page.fields if field.tag in (WIDTH, LENGTH))
    return fields
