"""XMP packets, changed by cutting and inserting bytes: what isn't meant stays byte for byte.

Some properties promise data that stands elsewhere in the file (a film behind the picture, a gain
map, the rest of the XMP); where that is left out, the promise goes too. Nothing is loaded from
outside and no document type is allowed. Sources: XMP specification part 1 (ISO 16684-1), Android's
Motion Photo and Ultra HDR formats, Google's Dynamic Depth.
"""

import re
from collections import ChainMap
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

MAX_PACKET = 1 << 25
"""Most bytes of a packet that is looked into."""

MAX_ELEMENTS = 100_000
"""Most elements and attributes of one."""

MAX_DEPTH = 50
"""Most elements inside one another."""

_CAMERA = "http://ns.google.com/photos/1.0/camera/"
_CONTAINER = "http://ns.google.com/photos/1.0/container/"
_ITEM = "http://ns.google.com/photos/1.0/container/item/"
_DEPTH_NAMES = "http://ns.google.com/photos/dd/1.0/"
_GAIN_MAP = "http://ns.adobe.com/hdr-gain-map/1.0/"
_PROMISING = tuple(name.encode() for name in (_CAMERA, _CONTAINER, _DEPTH_NAMES, _GAIN_MAP))

_ATTRIBUTE = re.compile(rb"""\s+([^\s=<>"'/]+)\s*=\s*("[^"]*"|'[^']*')""")
_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[1-8]")
_END = re.compile(rb"</[\w-]+:RDF>")
_TAG = re.compile(rb"""<[^"'>]*(?:"[^"]*"[^"'>]*|'[^']*'[^"'>]*)*>""")


@dataclass(slots=True)
class Element:
    """One element of a packet and where it stands."""

    name: str
    """Namespace and local name, with a space between."""
    start: int
    scope: ChainMap[str, str]
    """Namespaces by prefix."""
    open_end: int = 0
    """Behind its start tag."""
    has_attributes: bool = False
    close: int = 0
    """Its end tag; of an empty element's tag the end."""
    end: int = 0
    children: list["Element"] = field(default_factory=list)

    def walk(self) -> Iterator["Element"]:
        """The element and all inside it, in document order."""
        stack = [self]
        while stack:
            element = stack.pop()
            yield element
            stack += reversed(element.children)

    def list_topmost(self, name: str) -> list["Element"]:
        """Those of that name, in document order, but for what is inside one of them."""
        stack, elements = [self], list[Element]()
        while stack:
            element = stack.pop()
            if element.name == name:
                elements.append(element)
            else:
                stack += reversed(element.children)
        return elements


@dataclass(frozen=True)
class Attribute:
    """One attribute of a start tag, but for declarations of namespaces."""

    name: str
    """Namespace (may be empty) and local name, with a space between."""
    value: str
    """As it is written, without its quotes."""
    start: int
    """Where the white space before it stands."""
    end: int


def parse_packet(packet: bytes) -> Element:
    """The root element. Raises :class:`ValueError` for what is no well-formed UTF-8 XML, declares
    a document type, or is larger than what is looked into."""
    if len(packet) > MAX_PACKET:
        raise ValueError(f"XMP of {len(packet):,} bytes; up to {MAX_PACKET:,} are looked into")
    try:
        return _Tree(packet.rstrip(b"\0")).root
    except expat.ExpatError as error:
        raise ValueError(f"XMP is damaged ({error})") from error


class _Tree:
    """What expat meets, as elements with their places."""

    def __init__(self, packet: bytes) -> None:
        self._packet, self._stack, self._count = packet, list[Element](), 0
        self._roots: list[Element] = []
        self._namespaces: dict[str, str] = {}
        self._parser = expat.ParserCreate("UTF-8", " ")
        self._parser.StartNamespaceDeclHandler = self._declare
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.Parse(packet, True)

    @property
    def root(self) -> Element:
        return self._roots[0]

    def _refuse(self, *_declaration: object) -> None:
        raise ValueError("XMP that declares a document type")

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces[prefix or ""] = uri or ""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1 + len(attributes) + len(self._namespaces)
        if self._count > MAX_ELEMENTS or len(self._stack) == MAX_DEPTH:
            raise ValueError(
                f"XMP of more than {MAX_ELEMENTS:,} elements and attributes, or {MAX_DEPTH} deep"
            )
        at = self._parser.CurrentByteIndex
        outer = self._stack[-1].scope if self._stack else ChainMap[str, str]()
        scope = outer.new_child(self._namespaces) if self._namespaces else outer
        self._namespaces = {}
        element = Element(name, at, scope, _find_tag_end(self._packet, at), bool(attributes))
        (self._stack[-1].children if self._stack else self._roots).append(element)
        self._stack.append(element)

    def _end(self, _name: str) -> None:
        element = self._stack.pop()
        if self._packet[element.open_end - 2] == ord("/"):
            element.close = element.end = element.open_end
        else:
            element.close = self._parser.CurrentByteIndex
            element.end = _find_tag_end(self._packet, element.close)


def _find_tag_end(packet: bytes, at: int) -> int:
    match = _TAG.match(packet, at)
    if match is None:
        raise ValueError("XMP is damaged")
    return match.end()


def list_attributes(packet: bytes, element: Element) -> Iterator[Attribute]:
    """The attributes of an element, in their order."""
    if not element.has_attributes:
        return
    name = re.compile(rb"<[^\s/>]+").match(packet, element.start)
    at = element.start if name is None else name.end()
    while (match := _ATTRIBUTE.match(packet, at, element.open_end)) is not None:
        at = match.end()
        prefix, colon, local = match[1].decode().rpartition(":")
        if prefix != "xmlns" and match[1] != b"xmlns":
            uri = element.scope.get(prefix, "") if colon else ""
            yield Attribute(f"{uri} {local}", match[2][1:-1].decode(), match.start(), at)


def find_element(packet_root: Element, name: str) -> Element:
    """The first element of that name; raises :class:`ValueError` where there is none."""
    for element in packet_root.walk():
        if element.name == name:
            return element
    raise ValueError(f"XMP without {name.rpartition(' ')[2]}")


def cut_spans(packet: bytes, spans: Collection[tuple[int, int]]) -> bytes:
    """The packet without the bytes of ``spans`` (start, end), which may overlap."""
    parts, at = [], 0
    for start, end in sorted(spans):
        parts.append(packet[at : max(start, at)])
        at = max(at, end)
    return b"".join((*parts, packet[at:]))


def retract_promises(
    packet: bytes, exceptions: Collection[str] = frozenset()
) -> tuple[bytes, tuple[str, ...]]:
    """The packet without its references to data elsewhere in the file, and what they named.

    Those are ``"MotionPhoto"``, ``"GainMap"``, ``"Depth"`` and other semantics of a container's
    items; ``exceptions`` stay. Raises :class:`ValueError` where a packet that may hold some
    can't be understood.
    """
    if not any(name in packet for name in _PROMISING):
        return packet, ()
    cuts, names = _Promises(packet, frozenset(exceptions)).collect()
    return cut_spans(packet, cuts), tuple(dict.fromkeys(names))


@dataclass
class _Promises:
    """What of a packet refers to data elsewhere."""

    packet: bytes
    exceptions: frozenset[str]
    cuts: list[tuple[int, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def collect(self) -> tuple[list[tuple[int, int]], list[str]]:
        root = parse_packet(self.packet)
        for directory in root.list_topmost(f"{_CONTAINER} Directory"):
            self._shorten_directory(directory)
        for element in root.walk():
            self._note(element.name, element.start, element.end)
            for attribute in list_attributes(self.packet, element):
                self._note(attribute.name, attribute.start, attribute.end)
        return self.cuts, self.names

    def _note(self, name: str, start: int, end: int) -> None:
        promise = _promise_of(name)
        if promise is not None and promise not in self.exceptions:
            self.cuts.append((start, end))
            self.names.append(promise)

    def _shorten_directory(self, directory: Element) -> None:
        """Cut the items of what is left out; the whole of it where only the picture stays."""
        items = directory.list_topmost(f"{RDF} li")
        semantics = [self._read_semantic(item) for item in items]
        stay = {"Primary", *self.exceptions}
        self.names += [semantic for semantic in semantics if semantic not in stay]
        if any(semantic in self.exceptions for semantic in semantics):
            gone = (i for i, s in zip(items, semantics, strict=True) if s not in stay)
            self.cuts += [(item.start, item.end) for item in gone]
        else:
            self.cuts.append((directory.start, directory.end))

    def _read_semantic(self, item: Element) -> str:
        for element in item.walk():
            if element.name == f"{_ITEM} Semantic":
                return self.packet[element.open_end : element.close].decode().strip()
            for attribute in list_attributes(self.packet, element):
                if attribute.name == f"{_ITEM} Semantic":
                    return attribute.value
        return "data without a name"


def _promise_of(name: str) -> str | None:
    """What a property of that name promises."""
    uri, _, local = name.rpartition(" ")
    if uri == _CAMERA and local.startswith(("MotionPhoto", "MicroVideo")):
        return "MotionPhoto"
    if uri == _GAIN_MAP:
        return "GainMap"
    if uri.startswith(_DEPTH_NAMES) and local in ("Container", "Directory"):
        return "Depth"
    return None


def add_description(packet: bytes, description: bytes) -> bytes:
    """``packet`` with one more ``rdf:Description``, the last; as it was where it has no end."""
    return _END.sub(lambda end: description + end[0], packet, count=1)


def state_upright(packet: bytes) -> bytes:
    """The packet of a picture whose pixels were turned upright."""
    return _ORIENTATION.sub(rb"\g<1>1", packet)
