"""XMP: what it says of data that is left out goes, the rest stays. Judge: ElementTree."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.media.metadata.xmp import xmp
from subpixel.media.metadata.xmp.xmp import MAX_DEPTH, parse_packet, retract_promises
from xmp_packets import NAMESPACES, build_packet, list_properties

CAMERA = "http://ns.google.com/photos/1.0/camera/"
ITEM = '<rdf:li rdf:parseType="Resource"><C:Item I:Mime="image/jpeg" I:Semantic="%s"/></rdf:li>'
OTHER_ITEM = (
    '<rdf:li rdf:parseType="Resource"><C:Item rdf:parseType="Resource"><I:Semantic>%s</I:Semantic>'
    "<I:Length>12</I:Length></C:Item></rdf:li>"
)


def container(*semantics: str, item: str = ITEM) -> str:
    """Google's list of the pictures and films in a file."""
    items = "".join(item % semantic for semantic in semantics)
    return f"<C:Directory><rdf:Seq>{items}</rdf:Seq></C:Directory>"


@pytest.mark.parametrize("prefix", ["GCamera", "Camera", "x"])
@pytest.mark.parametrize("as_elements", [False, True])
@pytest.mark.parametrize("name", ["MotionPhoto", "MicroVideo"])
def test_a_film_is_no_longer_promised(prefix: str, as_elements: bool, name: str) -> None:
    names = (name, f"{name}Version", f"{name}Offset")
    attributes = "".join(f' {prefix}:{n}="1"' for n in names)
    elements = "".join(f"<{prefix}:{n}>1</{prefix}:{n}>" for n in names)
    packet = build_packet(
        f'{prefix}:BurstID="7" dc:format="a &gt; b"' + attributes * (not as_elements),
        "<dc:title>x > y</dc:title>" + elements * as_elements,
        **{prefix: CAMERA},
    )
    corrected, promises = retract_promises(packet)
    assert promises == ("MotionPhoto",)
    expected = [p for p in list_properties(packet) if name not in p[0]]
    assert list_properties(corrected) == expected
    assert f"{{{CAMERA}}}BurstID" in dict(expected)


@pytest.mark.parametrize("item", [ITEM, OTHER_ITEM])
def test_items_of_a_container(item: str) -> None:
    packet = build_packet("", container("Primary", "GainMap", "MotionPhoto", item=item))
    corrected, promises = retract_promises(packet)
    assert promises == ("GainMap", "MotionPhoto")
    assert list_properties(corrected) == []
    corrected, promises = retract_promises(packet, {"GainMap"})
    assert promises == ("MotionPhoto",)
    expected = build_packet("", container("Primary", "GainMap", item=item))
    assert list_properties(corrected) == list_properties(expected)


def test_a_gain_map_is_no_longer_promised() -> None:
    gain_map = {"hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/"}
    packet = build_packet('hdrgm:Version="1.0" dc:format="f"', **gain_map)
    corrected, promises = retract_promises(packet)
    assert promises == ("GainMap",)
    assert list_properties(corrected) == [("{http://purl.org/dc/elements/1.1/}format", "f")]
    assert retract_promises(packet, {"GainMap"}) == (packet, ())


@pytest.mark.parametrize("packet", [build_packet('dc:format="f"'), b"no XML", b""])
def test_what_promises_nothing_is_not_looked_at(packet: bytes) -> None:
    assert retract_promises(packet) == (packet, ())


BAD = {
    "no XML": b"<x:xmpmeta",
    "a document type": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "Latin-1": "<a b='é'/>".encode("latin-1"),
    "depth": b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1),
    "number": b"<a>" + b"<b c='d'/>" * 50 + b"</a>",
    "an unknown prefix": b"<a:b/>",
    "two roots": b"<a/><b/>",
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_what_cannot_be_understood(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xmp, "MAX_ELEMENTS", 99)
    with pytest.raises(ValueError, match="XMP"):
        parse_packet(BAD[name])
    promise = BAD[name] + b"<!--" + CAMERA.encode() + b"-->"
    with pytest.raises(ValueError, match="XMP"):
        retract_promises(promise)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    try:
        parse_packet(data)
    except ValueError:
        return
    ElementTree.fromstring(data.rstrip(b"\0"))


def test_namespaces_of_the_fixture() -> None:
    assert list_properties(build_packet('dc:format="f"')) == [
        (f"{{{NAMESPACES['dc']}}}format", "f")
    ]
