"""IPTC records among Photoshop's image resources, as JPEG holds them in one block.

TIFF has a field for each; JPEG cuts the block into as many segments as it takes, or writers begin
a new one for each resource. Source: Adobe Photoshop File Formats Specification (image resources).
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PHOTOSHOP_LABEL = b"Photoshop 3.0\0"
"""What the block begins with."""

_RECORDS = 0x0404
_SIGNATURES = (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR")


@dataclass(frozen=True)
class _Resource:
    """Where one of Photoshop's resources stands."""

    number: int
    start: int
    data_start: int
    data_end: int
    end: int
    """Where the next one begins: even, and maybe one byte behind the last."""


def join_resources(photoshop: bytes | None, records: bytes | None) -> bytes | None:
    """Photoshop's resources and IPTC's records as one block; None where there is neither."""
    if photoshop is None and records is None:
        return None
    block = PHOTOSHOP_LABEL + (photoshop or b"")
    if records is None or _find_records(block) is not None:
        return block
    return block + _build_records(records)


def split_resources(block: bytes) -> tuple[bytes, bytes | None]:
    """The inverse of :func:`join_resources`: the resources, and the records among them."""
    return block.removeprefix(PHOTOSHOP_LABEL), _find_records(block)


def join_segments(contents: Iterable[bytes]) -> bytes | None:
    """One block from what stands behind the label in each of a JPEG's segments.

    A resource may go on in the next segment. Records in several resources become one resource,
    as most programs read but one. None where there is no segment.
    """
    resources, whole = bytearray(), 0
    number = 0
    for content in contents:
        number += 1
        for resource in _walk_resources(resources, whole):
            whole = resource.end if resource.end <= len(resources) + 1 else whole
        if whole == len(resources) + 1 and content.startswith(_SIGNATURES):
            resources += b"\0"  # the padding that a writer left out
        resources += content
    return PHOTOSHOP_LABEL + _merge_records(bytes(resources)) if number else None


def split_segments(block: bytes, max_size: int) -> list[bytes]:
    """The block as contents of segments of up to ``max_size`` bytes, each with its label."""
    resources, step = block.removeprefix(PHOTOSHOP_LABEL), max_size - len(PHOTOSHOP_LABEL)
    starts = range(0, max(len(resources), 1), step)
    return [PHOTOSHOP_LABEL + resources[at : at + step] for at in starts]


def _merge_records(resources: bytes) -> bytes:
    records = [r for r in _walk_resources(resources) if r.number == _RECORDS]
    if len(records) < 2:
        return resources
    parts, at = [], 0
    for resource in records:
        parts.append(resources[at : resource.start])
        at = resource.end
    all_records = b"".join(resources[r.data_start : r.data_end] for r in records)
    parts.insert(1, _build_records(all_records))
    return b"".join((*parts, resources[at:]))


def _build_records(records: bytes) -> bytes:
    head = struct.pack(">4sHHI", b"8BIM", _RECORDS, 0, len(records))
    return head + records + bytes(len(records) % 2)


def _find_records(block: bytes) -> bytes | None:
    """The IPTC records within Photoshop's resources."""
    resources = block.removeprefix(PHOTOSHOP_LABEL)
    for resource in _walk_resources(resources):
        if resource.number == _RECORDS:
            return resources[resource.data_start : resource.data_end]
    return None


def _walk_resources(resources: bytes | bytearray, start: int = 0) -> Iterator[_Resource]:
    """The resources from ``start`` up to the first that is none."""
    at, end = start, len(resources)
    while at + 12 <= end and bytes(resources[at : at + 4]) in _SIGNATURES:
        name = 1 + resources[at + 6]
        size_at = at + 6 + name + name % 2
        length = int.from_bytes(resources[size_at : size_at + 4])
        data_at, number = size_at + 4, int.from_bytes(resources[at + 4 : at + 6])
        following = data_at + length + length % 2
        yield _Resource(number, at, data_at, data_at + length, following)
        at = following
