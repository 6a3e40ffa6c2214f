"""The account of a TIFF file's fields: each is kept, says how pixels are stored, or is a loss."""

from collections.abc import Iterable, Iterator

from subpixel.media.formats.account import FilePart
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
from subpixel.media.metadata.exif import Field
from subpixel.media.picture import Loss, Metadata
from subpixel.strict_json import JsonError, parse_json

_TURNED_INTO_SRGB = (SEPARATED, CIE_LAB, ICC_LAB)


def describe_page(directory: Directory) -> Metadata:
    """What a page says beside its pixels."""
    resources, records = directory.value(tags.PHOTOSHOP), directory.value(tags.IPTC)
    orientation = directory.number(tags.ORIENTATION, 1)
    fields = _choose_fields(directory)
    return Metadata(
        icc=read_profile(directory),
        exif=exif.build_block(fields, directory.order) if fields else None,
        xmp=directory.value(tags.XMP),
        iptc=iptc.join_resources(resources, records),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        resolution=exif.resolution_of(directory.fields, directory.order),
    )


def read_profile(directory: Directory) -> bytes | None:
    """A page's profile, its length field true."""
    profile = directory.value(tags.PROFILE)
    return None if profile is None else icc.repair_length(profile)


def list_field_parts(pages: Iterable[Directory]) -> Iterator[FilePart]:
    """Every field of the pages that are read."""
    for page in pages:
        room = _has_room(page)
        for field in page.fields:
            loss = _judge(field, page)
            if loss is None and not room and _travels(field, page):
                loss = Loss(
                    "exif", f"{_name_field(field)}: the fields are larger than the file; left out"
                )
            yield FilePart(_name_field(field), len(field.value), loss)
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
    return Loss("exif", f"{_name_field(field)} is empty, or points outside the file; left out")


def _name_field(field: Field) -> str:
    return tags.NAMES.get(field.tag, f"a field {field.tag}")


def _judge(field: Field, page: Directory) -> Loss | None:
    """Why a field isn't kept; None where it is, or is of no meaning beside other pixels."""
    if field.tag in tags.STORAGE or field.tag in tags.SEPARATE or _is_stored_colour(field, page):
        return None
    if not field.is_whole:
        return _tell_damage(field)
    if field.tag == tags.DESCRIPTION:
        return _judge_description(bytes(field.value))
    if field.tag in tags.BLOCKS or tags.travels(field.tag, field.kind):
        return None
    return Loss(*tags.explain_loss(field.tag, len(field.value)))


def _is_stored_colour(field: Field, page: Directory) -> bool:
    return field.tag in tags.COLOUR and page.number(PHOTOMETRIC, 1) in _TURNED_INTO_SRGB


def _judge_description(value: bytes) -> Loss | None:
    """Programs for microscopes write the layout of the pixels into the description."""
    text = value.rstrip(b"\0").decode("utf-8", "replace").strip()
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
        text = bytes(field.value).rstrip(b"\0").decode("utf-8", "replace").strip()
        return _judge_description(bytes(field.value)) is None and _read_shape(text) is None
    return field.is_whole and not _is_stored_colour(field, page)


def _choose_fields(page: Directory) -> tuple[Field, ...]:
    """The fields that go into the block; with a place on the ground the size that it holds for."""
    fields = tuple(field for field in page.fields if _travels(field, page))
    if not _has_room(page):
        return ()
    if any(field.tag in tags.GEO_PLACES for field in fields):
        fields += tuple(field for field in page.fields if field.tag in (WIDTH, LENGTH))
    return fields


def _has_room(page: Directory) -> bool:
    """Whether the fields are no larger than the file could hold: in an attack they overlap."""
    fields = [field for field in page.fields if _travels(field, page)]
    total = sum(len(f.value) + sum(len(c.value) for c in f.children) for f in fields)
    return total <= page.file_size
