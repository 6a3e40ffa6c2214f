"""What the boxes of a picture say of its colours, as a profile.

A profile (``colr`` of the kind ``prof`` or ``rICC``) takes precedence over code points (``nclx``),
those over what the AV1 stream states. Source: ISO/IEC 23008-12, 6.5.5; AV1 Image File Format.
"""

from subpixel.media.compression.av1_sequence import read_colour_description
from subpixel.media.formats.boxes.boxes import Box
from subpixel.media.formats.boxes.items import Items, read_av1_head
from subpixel.media.metadata.colour_tags import CodingPoints, describe_coding_points
from subpixel.media.metadata.exif import Block
from subpixel.media.picture import Loss

_SEQUENCE_BYTES = 256
"""Of an AV1 stream: as far as its sequence header at the beginning reaches, and further."""


def describe_colours(
    file: Block, items: Items, *, grey: bool
) -> tuple[bytes | None, tuple[Loss, ...]]:
    """The profile that the primary picture's code points describe, and what of them is lost.

    None where the file holds a profile, says sRGB or says nothing.
    """
    points = find_coding_points(file, items)
    if points is None or points.says_srgb:
        return None, ()
    try:
        return describe_coding_points(points, grey=grey), ()
    except ValueError as error:
        return None, (Loss("colour", f"{error} (nclx), are not applied"),)


def find_coding_points(file: Block, items: Items) -> CodingPoints | None:
    """The primary picture's code points; None where there are none, or a profile overrules them."""
    boxes = _list_colour_boxes(items, items.primary)
    kinds = {bytes(file[box.start : box.start + 4]): box for box in boxes}
    if b"prof" in kinds or b"rICC" in kinds:
        return None
    if b"nclx" in kinds and kinds[b"nclx"].size >= 10:
        return _read_points(file, kinds[b"nclx"])
    return _find_in_stream(file, items)


def describe_item_colours(file: Block, items: Items, number: int) -> bytes | None:
    """The profile of an item's colour boxes, its own or the one that code points describe; None
    where there is none. Raises :class:`ValueError` for code points that nobody has defined."""
    for box in _list_colour_boxes(items, number):
        kind = bytes(file[box.start : box.start + 4])
        if kind in (b"prof", b"rICC"):
            return bytes(file[box.start + 4 : box.stop])
        if kind == b"nclx" and box.size >= 10:
            return describe_coding_points(_read_points(file, box), grey=False)
    return None


def _read_points(file: Block, box: Box) -> CodingPoints:
    """Of a box ``nclx``."""
    at = box.start + 4
    return CodingPoints(int.from_bytes(file[at : at + 2]), int.from_bytes(file[at + 2 : at + 4]))


def _list_colour_boxes(items: Items, number: int) -> list[Box]:
    item = items.by_number.get(number)
    return [box for box in item.properties if box.name == b"colr"] if item is not None else []


def _find_in_stream(file: Block, items: Items) -> CodingPoints | None:
    head = read_av1_head(file, items, _SEQUENCE_BYTES)
    colours = None if head is None else read_colour_description(head)
    return None if colours is None else CodingPoints(*colours[:2])
