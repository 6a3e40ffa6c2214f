"""Extended XMP: what doesn't fit in a JPEG's one segment of XMP goes into a second document.

The first names the second by its MD5. Source: XMP specification part 3, 1.1.3.1.
"""

import hashlib
import re
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from subpixel.media.metadata.xmp.xmp import (
    RDF,
    Attribute,
    Element,
    cut_spans,
    find_element,
    list_attributes,
    parse_packet,
)

EXTENSION_LABEL = b"http://ns.adobe.com/xmp/extension/\0"
"""What a segment of it begins with."""

MAX_DECLARATIONS = 1 << 20
"""Most bytes of namespaces that descriptions get when they move."""

_NOTE = "http://ns.adobe.com/xmp/note/"
_POINTER = f"{_NOTE} HasExtendedXMP"
_HEAD = ">32sII"
_HEAD_BYTES = struct.calcsize(_HEAD)
_ROOM_FOR_POINTER = 512
_EXTENSION = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="%s">%s</rdf:RDF></x:xmpmeta>'


@dataclass(frozen=True)
class XmpPiece:
    """A part of an extension, as one segment holds it."""

    guid: str
    total: int
    """Bytes of the whole."""
    offset: int
    data: bytes


def parse_piece(content: bytes) -> XmpPiece | None:
    """The piece behind a segment's label; None where it is too short to be one."""
    if len(content) < _HEAD_BYTES:
        return None
    guid, total, offset = struct.unpack_from(_HEAD, content)
    return XmpPiece(guid.decode("latin-1"), total, offset, content[_HEAD_BYTES:])


def build_pieces(extension: bytes, max_size: int) -> list[bytes]:
    """The contents of segments, of up to ``max_size`` bytes each with their labels."""
    guid, step = _guid_of(extension).encode(), max_size - len(EXTENSION_LABEL) - _HEAD_BYTES
    return [
        EXTENSION_LABEL + struct.pack(_HEAD, guid, len(extension), at) + extension[at : at + step]
        for at in range(0, len(extension), step)
    ]


def read_pointer(packet: bytes) -> str | None:
    """The extension that the packet names. Raises :class:`ValueError` for a damaged one."""
    if b"HasExtendedXMP" not in packet:
        return None
    return next((guid for guid, _, _ in _find_pointers(packet)), None)


def join_extension(packet: bytes, pieces: Iterable[XmpPiece]) -> bytes:
    """The packet with the properties of its extension, and without its pointer there.

    Raises :class:`ValueError` where the packet names an extension that isn't whole, or either is
    damaged.
    """
    guid = read_pointer(packet)
    if guid is None:
        return packet
    extension = _assemble([piece for piece in pieces if piece.guid == guid])
    properties = b"".join(_extract_descriptions(extension))
    rdf = find_element(parse_packet(packet), f"{RDF} RDF")
    if rdf.close == rdf.end:
        raise ValueError("XMP without a place for its extension")
    whole = b"".join((packet[: rdf.close], properties, packet[rdf.close :]))
    return drop_pointer(whole)


def drop_pointer(packet: bytes) -> bytes:
    """The packet without a pointer to an extension; raises :class:`ValueError`."""
    return cut_spans(packet, [(start, end) for _, start, end in _find_pointers(packet)])


def can_split(packet: bytes, max_size: int) -> bool:
    """Whether :func:`split_extension` can."""
    try:
        split_extension(packet, max_size)
    except ValueError:
        return False
    return True


def split_extension(packet: bytes, max_size: int) -> tuple[bytes, bytes]:
    """A packet of up to ``max_size`` bytes, and an extension with its largest properties.

    Raises :class:`ValueError` where that can't be, as the XMP is damaged.
    """
    root = parse_packet(packet)
    rdf = find_element(root, f"{RDF} RDF")
    if rdf.close == rdf.end:
        raise ValueError("XMP without properties")
    moves = _choose_moves(packet, rdf, len(packet) + _ROOM_FOR_POINTER - max_size)
    extension = _EXTENSION % (RDF.encode(), _build_descriptions(packet, rdf, moves))
    pointer = _build_pointer(packet, rdf, _guid_of(extension))
    rest = cut_spans(packet[: rdf.close], [(start, end) for start, end, _ in moves])
    main = b"".join((rest, pointer, packet[rdf.close :]))
    if len(main) > max_size:
        raise ValueError(f"XMP that can't be cut down to {max_size:,} bytes")
    return main, extension


_Move = tuple[int, int, int]
"""Start and end of a property, and the number of its description."""


def _choose_moves(packet: bytes, rdf: Element, excess: int) -> list[_Move]:
    """The largest properties, which together are at least ``excess`` bytes where that can be."""
    properties = [
        (start, end, number)
        for number, description in enumerate(rdf.children)
        for start, end in _list_properties(packet, description)
    ]
    moves: list[_Move] = []
    for start, end, number in sorted(properties, key=lambda p: p[0] - p[1]):
        if excess <= 0:
            break
        moves.append((start, end, number))
        excess -= end - start
    return sorted(moves)


def _list_properties(packet: bytes, description: Element) -> list[tuple[int, int]]:
    attributes = (a for a in list_attributes(packet, description) if _is_property(a))
    spans = [(a.start, a.end) for a in attributes]
    return spans + [(child.start, child.end) for child in description.children]


def _is_property(attribute: Attribute) -> bool:
    return not attribute.name.startswith((RDF, "http://www.w3.org/XML/", " "))


def _build_descriptions(packet: bytes, rdf: Element, moves: list[_Move]) -> bytes:
    """The properties that move, in descriptions like their own."""
    parts, texts = [], dict[int, list[bytes]]()
    for start, end, number in moves:
        texts.setdefault(number, []).append(packet[start:end])
    _expect_few_declarations(rdf, len(texts))
    common = _declare(rdf.scope, ())
    for number, own in texts.items():
        element = rdf.children[number]
        attributes = [text for text in own if not text.startswith(b"<")]
        elements = [text for text in own if text.startswith(b"<")]
        name, about = _read_tag_name(packet, element), _copy_subject(packet, element)
        names = common if element.scope is rdf.scope else _declare(element.scope, ())
        head = b"<" + name + about + names + b"".join(attributes) + b">"
        parts.append(head + b"".join(elements) + b"</" + name + b">")
    return b"".join(parts)


def _build_pointer(packet: bytes, rdf: Element, guid: str) -> bytes:
    subject = _copy_subject(packet, rdf.children[0]) if rdf.children else b""
    return (
        b'<rdf:Description xmlns:rdf="%s"' % RDF.encode()
        + (subject if b"rdf:" in subject else b' rdf:about=""')
        + b' xmlns:xmpNote="%s" xmpNote:HasExtendedXMP="%s"/>' % (_NOTE.encode(), guid.encode())
    )


def _copy_subject(packet: bytes, description: Element) -> bytes:
    """Its ``rdf:about``, as it is written."""
    for attribute in list_attributes(packet, description):
        if attribute.name == f"{RDF} about":
            return packet[attribute.start : attribute.end]
    return b""


def _read_tag_name(packet: bytes, element: Element) -> bytes:
    match = re.compile(rb"<([^\s/>]+)").match(packet, element.start)
    assert match is not None
    return match[1]


def _declare(scope: Mapping[str, str], own: Collection[str]) -> bytes:
    """Declarations of namespaces, but for those that a start tag has itself."""
    parts = []
    for prefix, uri in scope.items():
        if prefix not in own and prefix != "xml":
            name = f"xmlns:{prefix}" if prefix else "xmlns"
            parts.append(f" {name}={quoteattr(uri)}".encode())
    return b"".join(parts)


def _expect_few_declarations(rdf: Element, descriptions: int) -> None:
    """Raise :class:`ValueError` where descriptions, each with all namespaces, would be endless."""
    size = sum(len(prefix) + len(uri) for prefix, uri in rdf.scope.items())
    if size * descriptions > MAX_DECLARATIONS:
        raise ValueError("XMP whose descriptions have too many namespaces")


def _extract_descriptions(extension: bytes) -> list[bytes]:
    """The descriptions of an extension, each with the namespaces that it stands in."""
    rdf = find_element(parse_packet(extension), f"{RDF} RDF")
    _expect_few_declarations(rdf, len(rdf.children))
    parts, common = [], _declare(rdf.scope, ())
    for element in rdf.children:
        name_end = element.start + 1 + len(_read_tag_name(extension, element))
        own = {} if element.scope is rdf.scope else element.scope.maps[0]
        declarations = _declare(rdf.scope, own) if own.keys() & rdf.scope.keys() else common
        head = extension[element.start : name_end]
        parts.append(head + declarations + extension[name_end : element.end])
    return parts


def _find_pointers(packet: bytes) -> list[tuple[str, int, int]]:
    """Value, start and end of each attribute or element that names an extension; of one that
    stands alone its whole description."""
    pointers = []
    for element in parse_packet(packet).walk():
        if element.name == _POINTER:
            guid = packet[element.open_end : element.close].decode().strip()
            pointers.append((guid, element.start, element.end))
        for attribute in list_attributes(packet, element):
            if attribute.name == _POINTER:
                alone = len(_list_properties(packet, element)) == 1
                span = element if alone else attribute
                pointers.append((attribute.value, span.start, span.end))
    return pointers


def _assemble(pieces: list[XmpPiece]) -> bytes:
    """The extension that is in pieces, in any order, each maybe more than once."""
    by_offset = {piece.offset: piece for piece in pieces}
    total, parts, at = (pieces[0].total if pieces else 0), [], 0
    while at < total:
        piece = by_offset.get(at)
        if piece is None or not piece.data or piece.total != total:
            raise ValueError("extended XMP is not whole")
        parts.append(piece.data)
        at += len(piece.data)
    if not parts or at != total:
        raise ValueError("extended XMP is not whole")
    return b"".join(parts)


def _guid_of(extension: bytes) -> str:
    return hashlib.md5(extension, usedforsecurity=False).hexdigest().upper()
