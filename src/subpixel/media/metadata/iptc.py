"""IPTC records among Photoshop's image resources, as JPEG holds them in one block.

TIFF has a field for each. Source: Adobe Photoshop File Formats Specification (image resources).
"""

import struct

PHOTOSHOP_LABEL = b"Photoshop 3.0\0"
"""What the block begins with."""


def join_resources(photoshop: bytes | None, records: bytes | None) -> bytes | None:
    """Photoshop's resources and IPTC's records as one block; None where there is neither."""
    if photoshop is None and records is None:
        return None
    block = PHOTOSHOP_LABEL + (photoshop or b"")
    if records is None or _find_records(block) is not None:
        return block
    head = struct.pack(">4sHHI", b"8BIM", 0x0404, 0, len(records))
    return block + head + records + bytes(len(records) % 2)


def split_resources(block: bytes) -> tuple[bytes, bytes | None]:
    """The inverse of :func:`join_resources`: the resources, and the records among them."""
    return block.removeprefix(PHOTOSHOP_LABEL), _find_records(block)


def _find_records(block: bytes) -> bytes | None:
    """The IPTC records (resource 0x0404) within Photoshop's resources."""
    at, block = 0, block.removeprefix(PHOTOSHOP_LABEL)
    while at + 12 <= len(block) and block[at : at + 4] == b"8BIM":
        name = 1 + block[at + 6]
        size_at = at + 6 + name + name % 2
        (length,) = struct.unpack_from(">I", block.ljust(size_at + 4, b"\0"), size_at)
        if block[at + 4 : at + 6] == b"\x04\x04":
            return block[size_at + 4 : size_at + 4 + length]
        at = size_at + 4 + length + length % 2
    return None
