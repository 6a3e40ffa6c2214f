"""The account of a file of boxes: boxes, items and properties, and what becomes of each.

Source: ISO/IEC 14496-12, ISO/IEC 23008-12 (HEIF), AV1 Image File Format, C2PA 2.2 (its box).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from subpixel.media.formats.account import FilePart, escape_name, leave_out
from subpixel.media.formats.boxes.boxes import Box, walk_boxes
from subpixel.media.formats.boxes.gain_map import APPLE_GAIN_MAP, XMP_TYPE, find_map_items
from subpixel.media.formats.boxes.items import (
    Item,
    Items,
    auxiliary_type,
    find_alpha,
    read_items,
)
from subpixel.media.libvips import FileContents
from subpixel.media.metadata.exif import Block
from subpixel.media.picture import Loss

_STORAGE_BOXES = frozenset({b"ftyp", b"meta", b"mdat"})
_META_STORAGE = frozenset(
    {b"hdlr", b"pitm", b"iloc", b"iinf", b"iref", b"iprp", b"idat", b"dinf", b"ipro"}
)
_PADDING = frozenset({b"free", b"skip"})
_PROPERTY_STORAGE = frozenset(
    {
        *(b"ispe", b"pixi", b"colr", b"irot", b"imir", b"clap", b"auxC"),
        *(b"av1C", b"hvcC", b"a1op", b"a1lx", b"lsel"),
    }
)
_LIGHT_LEVELS = {
    b"clli": "content light level",
    b"mdcv": "mastering display",
    b"cclv": "content colour volume",
    b"amve": "ambient viewing environment",
    b"reve": "reference viewing environment",
    b"ndwt": "nominal diffuse white",
}
_PICTURES = frozenset(
    {b"av01", b"hvc1", b"lhv1", b"avc1", b"jpeg", b"j2k1", b"unci", b"grid", b"iden", b"iovl"}
)
_UUIDS = {
    bytes.fromhex("d8fec3d61b0e483c92975828877ec481"): "C2PA",
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "XMP",
}
_MAX_BOX_DEPTH = ("urn:mpeg:mpegB:cicp:systems:auxiliary:depth", "urn:mpeg:hevc:2015:auxid:2")


def list_box_parts(contents: FileContents) -> Iterator[FilePart]:
    """All boxes, items and properties of a file, the pictures of one kind but for the primary
    among what is named elsewhere."""
    file = contents.look()
    items = read_items(file)
    end = 0
    for box in walk_boxes(file, 0, len(file)):
        end = box.stop
        yield _account_box(file, box)
        if box.name == b"meta":
            yield from _list_meta_parts(file, box)
    if end < len(file):
        yield leave_out("data behind the last box", len(file) - end)
    yield from _list_item_parts(file, items)


def _account_box(file: Block, box: Box) -> FilePart:
    name, size = _describe_box(box), box.size
    if box.name in _STORAGE_BOXES or _is_padding(file, box):
        return FilePart(name, size)
    if box.name == b"moov":
        loss = Loss("frames", "an image sequence; its still picture is used")
        return FilePart(name, size, loss)
    if box.name == b"mpvd":
        return FilePart(name, size, Loss("motion photo", "a film behind the picture is left out"))
    if box.name == b"uuid":
        return leave_out(name, size, _UUIDS.get(bytes(file[box.start : box.start + 16]), ""))
    return leave_out(name, size)


def _describe_box(box: Box) -> str:
    return f"a box {escape_name(box.name)}"


def _is_padding(file: Block, box: Box) -> bool:
    return box.name in _PADDING and not any(file[box.start : box.stop])


def _list_meta_parts(file: Block, meta: Box) -> Iterator[FilePart]:
    end = meta.start + 4
    for box in walk_boxes(file, meta.start + 4, meta.stop):
        end = box.stop
        if box.name == b"grpl":
            groups = walk_boxes(file, box.start, box.stop)
            yield from (_account_group(group) for group in groups)
        elif box.name in _META_STORAGE or _is_padding(file, box):
            yield FilePart(_describe_box(box), box.size)
        else:
            yield leave_out(f"{_describe_box(box)} in meta", box.size)
    if end < meta.stop:
        yield leave_out("data behind the last box in meta", meta.stop - end)


def _account_group(box: Box) -> FilePart:
    """Items of which one is to be chosen are each accounted for; other groups mean something."""
    kind = f"a group of pictures {escape_name(box.name)}"
    return FilePart(kind, box.size) if box.name == b"altr" else leave_out(kind, box.size)


@dataclass(frozen=True)
class _Roles:
    """Which items belong to what."""

    shown: frozenset[int]
    """The primary picture, its transparency, and what they are made of."""
    alpha: frozenset[int]
    map: frozenset[int]
    """The gain map that is kept, and what says how it is applied."""
    further_maps: frozenset[int]


def _assign_roles(file: Block, items: Items) -> _Roles:
    alpha = find_alpha(file, items)
    transparency = items.with_sources(alpha) if alpha is not None else set()
    shown = items.with_sources(items.primary) | transparency
    maps = [n for n, item in items.by_number.items() if item.kind == b"tmap"]
    source = find_map_items(file, items)
    own = set[int]() if source is None else source.numbers(items) - shown
    further = items.with_sources(*maps) - shown - own
    return _Roles(*map(frozenset, (shown, transparency, own, further)))


def _list_item_parts(file: Block, items: Items) -> Iterator[FilePart]:
    roles = _assign_roles(file, items)
    read: set[str] = set()
    for number, item in items.by_number.items():
        if number in roles.shown:
            yield FilePart("the picture", item.size)
        elif number in roles.map:
            yield FilePart("the gain map", item.size)  # or why it isn't kept is said elsewhere
        elif number in roles.further_maps:
            yield FilePart("a gain map", item.size, Loss("gain map", "an HDR gain map is left out"))
        elif item.kind in _PICTURES:
            yield _account_picture(file, items, item)
        else:
            yield _account_data(items, item, read)
    yield from _list_property_parts(file, items, roles)


def _account_picture(file: Block, items: Items, item: Item) -> FilePart:
    """One that isn't shown: what it is of the others."""
    kind = auxiliary_type(file, items, item.number)
    refers = items.reference_kinds(item.number)
    if kind == APPLE_GAIN_MAP:
        return FilePart("a gain map", item.size, Loss("gain map", "an HDR gain map is left out"))
    if kind in _MAX_BOX_DEPTH:
        loss = Loss("further pictures", "a depth map is left out")
        return FilePart("a depth map", item.size, loss)
    if b"auxl" in refers:
        return leave_out("an auxiliary picture", item.size, escape_name(kind.encode()))
    if b"thmb" in refers:  # stale, like the one of EXIF, once the picture is larger
        return FilePart("a thumbnail", item.size)
    if item.is_hidden:
        return leave_out("a hidden picture", item.size)
    return FilePart("a further picture", item.size)  # named when the file is opened


def _account_data(items: Items, item: Item, read: set[str]) -> FilePart:
    """EXIF and XMP, of which libheif gives the picture's first, and anything else."""
    kind = escape_name(item.kind)
    what = {b"Exif": "EXIF"}.get(item.kind) or ("XMP" if item.content_type == XMP_TYPE else None)
    if what is None:
        return leave_out(f"an item {kind}", item.size, escape_name(item.content_type.encode()))
    if not items.refers(b"cdsc", item.number, items.primary):
        return leave_out(f"an item of {what} that isn't the picture's", item.size)
    if what in read:
        return leave_out(f"a further item of {what}", item.size)
    read.add(what)
    return FilePart(what, item.size)


def _list_property_parts(file: Block, items: Items, roles: _Roles) -> Iterator[FilePart]:
    """Properties of what is shown, and of nothing at all; those of what is left out go with it."""
    lost = [item for n, item in items.by_number.items() if n not in roles.shown]
    elsewhere = set(chain.from_iterable(item.properties for item in lost))
    of_shown = {box for n in roles.shown for box in _properties_of(items, n)}
    for box in items.properties:
        if box in of_shown or box not in elsewhere:
            yield _account_property(file, box)


def _properties_of(items: Items, number: int) -> tuple[Box, ...]:
    item = items.by_number.get(number)
    return () if item is None else item.properties


def _account_property(file: Block, box: Box) -> FilePart:
    kind = f"a property {escape_name(box.name)}"
    if box.name in _PROPERTY_STORAGE or _is_padding(file, box):
        return FilePart(kind, box.size)
    if box.name == b"pasp":
        across, down = bytes(file[box.start : box.start + 4]), bytes(file[box.start + 4 : box.stop])
        square = across == down
        loss = None if square else Loss("resolution", "pixels that aren't square (pasp); left out")
        return FilePart(kind, box.size, loss)
    if box.name in _LIGHT_LEVELS:
        reason = f"{_LIGHT_LEVELS[box.name]} ({box.name.decode()}) is left out"
        return FilePart(kind, box.size, Loss("hdr", reason))
    return leave_out(kind, box.size)
