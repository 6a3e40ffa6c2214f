"""Photoshop's resources in one segment of a JPEG, in several, and apart in a TIFF."""

import io
import struct

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, IptcImagePlugin

from subpixel.media.metadata.iptc import (
    PHOTOSHOP_LABEL,
    join_resources,
    join_segments,
    split_resources,
    split_segments,
)


def resource(number: int, data: bytes, *, padded: bool = True) -> bytes:
    head = struct.pack(">4sHHI", b"8BIM", number, 0, len(data))
    return head + data + bytes(len(data) % 2 * padded)


def record(number: int, text: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, 2, number, len(text)) + text


def seen_by_pillow(block: bytes) -> dict[tuple[int, int], object]:
    """The records that Pillow reads of a JPEG with the block in one segment."""
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "JPEG")
    data = stream.getvalue()
    segment = struct.pack(">BBH", 0xFF, 0xED, len(block) + 2) + block
    with Image.open(io.BytesIO(data[:2] + segment + data[2:])) as image:
        return IptcImagePlugin.getiptcinfo(image) or {}


RESOURCES = st.lists(
    st.tuples(st.integers(0x03E8, 0x0FFF).filter(lambda n: n != 0x0404), st.binary(max_size=300)),
    max_size=6,
)


@given(RESOURCES, st.data())
def test_a_block_cut_anywhere_is_joined(resources: list, data: st.DataObject) -> None:
    whole = b"".join(resource(number, content) for number, content in resources)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert join_segments(pieces) == PHOTOSHOP_LABEL + whole


@given(st.binary(max_size=1000), st.integers(30, 200))
def test_what_is_split_is_joined(content: bytes, size: int) -> None:
    block = PHOTOSHOP_LABEL + resource(0x07D0, content)
    segments = split_segments(block, size)
    assert all(len(segment) <= size for segment in segments)
    assert join_segments(s.removeprefix(PHOTOSHOP_LABEL) for s in segments) == block


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5), st.booleans())
def test_records_of_several_segments_are_seen_by_others(texts: list, padded: bool) -> None:
    """Also where a writer left out the padding at the end of a segment."""
    records = [record(25, text) for text in texts]
    contents = [
        resource(0x07D0, b"path") + resource(0x0404, data, padded=padded) for data in records
    ]
    block = join_segments(contents)
    assert block is not None
    seen = seen_by_pillow(block)[2, 25]
    assert (seen if isinstance(seen, list) else [seen]) == texts
    resources, joined = split_resources(block)
    assert joined == b"".join(records)
    assert join_resources(resources, joined) == block
    assert resources.count(b"path") == len(texts)


def test_one_resource_stays_as_it_is() -> None:
    content = resource(0x0404, record(5, b"Title")) + b"what is no resource"
    assert join_segments([content]) == PHOTOSHOP_LABEL + content
    assert join_segments([]) is None


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_anything_is_kept(contents: list[bytes]) -> None:
    block = join_segments(contents)
    assert block is None or block.startswith(PHOTOSHOP_LABEL)
    assert block is None or len(block) >= len(PHOTOSHOP_LABEL) + sum(map(len, contents))
