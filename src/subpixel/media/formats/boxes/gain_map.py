"""The gain map of a HEIC or AVIF photograph, as the file that it is behind a JPEG.

Two forms are read: a picture derived by tone mapping (an item ``tmap`` of ISO/IEC 23008-12, whose
data are ISO 21496-1's), and Apple's auxiliary picture. The map's pixels are decoded as those of any
picture, by showing them to the decoder as the primary one; what says how they are applied is
carried over as it is, and described in XMP too, where that can say the same.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.media.formats.boxes.box_colour import describe_item_colours
from subpixel.media.formats.boxes.boxes import Box, find_box, walk_boxes
from subpixel.media.formats.boxes.items import Items, auxiliary_type
from subpixel.media.formats.jpeg.gain_maps.gains import parse_gains
from subpixel.media.formats.jpeg.gain_maps.map_file import build_apple_map, build_iso_map
from subpixel.media.formats.jpeg.ultra_hdr import APPLE_MAP
from subpixel.media.libvips import Patches, VipsImage
from subpixel.media.metadata.exif import Block
from subpixel.media.picture import GainMap, Loss, Metadata, convert_samples

APPLE_GAIN_MAP = APPLE_MAP.decode()

XMP_TYPE = "application/rdf+xml"

MAX_MAP_ITEM = 1 << 16
"""Most bytes of what says how a map is applied."""

MapDecoder = Callable[[Patches], NDArray[Any]]
"""Gives the primary picture of the file with these changes, ``(H, W, C)`` of uint8 or uint16."""


@dataclass(frozen=True)
class MapItems:
    """The items of a gain map."""

    picture: int
    """Its pixels."""
    description: int | None
    """How it is applied: ``tmap``, or the XMP of Apple's; None where there is no such XMP."""
    is_apple: bool

    def numbers(self, items: Items) -> set[int]:
        """All that are kept where the map is."""
        own = items.with_sources(self.picture)
        return own if self.description is None else own | {self.description}


def find_map_items(file: Block, items: Items) -> MapItems | None:
    """The gain map of the primary picture, the standard's before Apple's."""
    return next(chain(_find_tone_maps(items), _find_apple_maps(file, items)), None)


def _find_tone_maps(items: Items) -> Iterator[MapItems]:
    for reference in items.references:
        item = items.by_number.get(reference.source)
        if item is None or item.kind != b"tmap" or reference.kind != b"dimg":
            continue
        if len(reference.targets) == 2 and reference.targets[0] == items.primary:
            yield MapItems(reference.targets[1], item.number, is_apple=False)


def _find_apple_maps(file: Block, items: Items) -> Iterator[MapItems]:
    for reference in items.references:
        if reference.kind != b"auxl" or items.primary not in reference.targets:
            continue
        if auxiliary_type(file, items, reference.source) == APPLE_GAIN_MAP:
            yield MapItems(reference.source, _find_xmp(items, reference.source), is_apple=True)


def _find_xmp(items: Items, picture: int) -> int | None:
    for reference in items.references:
        item = items.by_number.get(reference.source)
        describes = reference.kind == b"cdsc" and picture in reference.targets
        if describes and item is not None and item.content_type == XMP_TYPE:
            return item.number
    return None


def take_map(
    meta: Metadata, file: Block, image: VipsImage, items: Items, decode: MapDecoder
) -> tuple[Metadata, tuple[Loss, ...]]:
    """``meta`` with the gain map of the picture ``image``, where the file has one; and what of it
    is lost, or why it is of no use."""
    source = find_map_items(file, items)
    if source is None:
        return meta, ()
    try:
        samples = _read_samples(file, image, items, source, decode)
        data, losses = _build_map(file, items, source, samples)
    except ValueError as error:
        return meta, (Loss("gain map", f"an HDR gain map is left out: {error}"),)
    return replace(meta, gain_map=GainMap(data, image.width, image.height)), losses


def _read_samples(
    file: Block, image: VipsImage, items: Items, source: MapItems, decode: MapDecoder
) -> NDArray[Any]:
    """Its samples, once its size is known to be one of a map for the picture."""
    box = items.property_of(source.picture, b"ispe")
    if box is None or box.size < 12:
        raise ValueError("it doesn't say its size")
    sides = struct.unpack(">II", bytes(file[box.start + 4 : box.start + 12]))
    limits = sorted((image.width, image.height))  # it may be turned
    if not all(0 < side <= limit for side, limit in zip(sorted(sides), limits, strict=True)):
        raise ValueError(f"it has {sides[0]} x {sides[1]} pixels")
    samples = decode(_show_item(file, source.picture))
    height, width = samples.shape[:2]
    if not GainMap(b"", image.width, image.height).fits(width, height):
        raise ValueError(f"it has {width} x {height} pixels, another shape than the picture's")
    return samples


def _build_map(
    file: Block, items: Items, source: MapItems, samples: NDArray[Any]
) -> tuple[bytes, tuple[Loss, ...]]:
    """The map as a JPEG, and what of it that can't hold."""
    losses = []
    if samples.dtype == np.uint16:
        losses.append(Loss("gain map", "its samples of more than 8 bits are rounded to 8"))
        samples = convert_samples(samples, np.dtype(np.uint8))
    content = _read_item(file, items, source.description)
    if source.is_apple:
        return build_apple_map(_drop_colour(samples), content or None), tuple(losses)
    if content[:1] != b"\0":
        raise ValueError("it is of a newer version of tmap")
    gains = parse_gains(content[1:])
    if not gains.is_multichannel:
        samples = _drop_colour(samples)
    profile = None
    if not gains.uses_base_colours and source.description is not None:
        profile = describe_item_colours(file, items, source.description)
    return build_iso_map(samples, gains, profile), tuple(losses)


def _drop_colour(samples: NDArray[Any]) -> NDArray[Any]:
    """One channel in place of three that are equal."""
    first = samples[..., :1]
    return first if (samples == first).all() else samples[..., :3]


def _read_item(file: Block, items: Items, number: int | None) -> bytes:
    item = None if number is None else items.by_number.get(number)
    if item is None:
        return b""
    if item.size > MAX_MAP_ITEM:
        raise ValueError(f"what describes it has {item.size:,} bytes")
    return b"".join(bytes(file[start : start + size]) for start, size in item.extents)


def _show_item(file: Block, number: int) -> Patches:
    """What makes an item the primary picture of its file: shown, and no other's auxiliary one."""
    meta = find_box(file, b"meta", 0, len(file))
    patches: dict[int, bytes] = {}
    for box in () if meta is None else walk_boxes(file, meta.start + 4, meta.stop):
        if box.name == b"pitm":
            patches[box.start + 4] = number.to_bytes(4 if file[box.start] else 2)
        elif box.name == b"iinf":
            patches |= _unhide(file, box, number)
        elif box.name == b"iref":
            patches |= _part_from_others(file, box, number)
    return patches


def _unhide(file: Block, box: Box, number: int) -> dict[int, bytes]:
    for entry in walk_boxes(file, box.start + (8 if file[box.start] else 6), box.stop):
        size = 4 if file[entry.start] > 2 else 2
        if int.from_bytes(file[entry.start + 4 : entry.start + 4 + size]) == number:
            return {entry.start + 3: bytes((file[entry.start + 3] & 0xFE,))}
    return {}


def _part_from_others(file: Block, box: Box, number: int) -> dict[int, bytes]:
    """References of a kind that means nothing, in place of those that make it auxiliary."""
    size = 4 if file[box.start] else 2
    return {
        inner.at + 4: b"none"
        for inner in walk_boxes(file, box.start + 4, box.stop)
        if inner.name == b"auxl"
        and int.from_bytes(file[inner.start : inner.start + size]) == number
    }
