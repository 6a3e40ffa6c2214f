"""Test pictures, and the files to hide in them, made on the spot."""

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'
)

IPTC = b"\x1c\x02\x05\x00\x05Title"
"""One IPTC-IIM record: object name."""

PHOTOSHOP = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC
"""The same as JPEG's APP13 holds it."""

Entry = tuple[int, int, int, bytes]
"""Tag, type, count and value of an EXIF field."""


def smooth(channels: int, dtype: type = np.uint8, size: tuple[int, int] = (16, 12)) -> NDArray:
    """A soft gradient ``(1, H, W, C)`` using the dtype's range; alpha from nearly 0 to opaque."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    planes = np.stack([0.1 + 0.8 * x, 0.2 + 0.6 * y, 0.5 + 0.2 * x - 0.3 * y, 0.1 + 0.9 * y], -1)
    chosen = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    return np.rint(planes[None, ..., chosen] * np.iinfo(dtype).max).astype(dtype)


def grey_profile() -> bytes:
    """The smallest ICC profile for grey: gamma 2.2, D50 (ICC.1:2022)."""
    d50 = struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    text = "grey".encode("utf-16-be")
    mluc = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text
    tags = [
        (b"wtpt", b"XYZ " + bytes(4) + d50),
        (b"kTRC", b"curv" + bytes(4) + struct.pack(">IHxx", 1, int(2.2 * 256))),
        (b"desc", mluc),
        (b"cprt", mluc),
    ]
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags:
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s12x", 132 + 12 * len(tags) + len(data), b"lcms", 0x04400000,
                       b"mntr", b"GRAY", b"XYZ ") + b"acsp" + bytes(28) + d50  # fmt: skip
    return head.ljust(128, b"\0") + table + data


def directory(entries: list[Entry], at: int, order: str, following: int = 0) -> bytes:
    """An EXIF directory as it stands at offset ``at``; written apart from the code under test."""
    start = at + 2 + 12 * len(entries) + 4
    fixed, loose = struct.pack(order + "H", len(entries)), b""
    for tag, kind, count, value in sorted(entries):
        fixed += struct.pack(order + "HHI", tag, kind, count)
        if len(value) <= 4:
            fixed += value.ljust(4, b"\0")
        else:
            fixed += struct.pack(order + "I", start + len(loose))
            loose += value + bytes(len(value) % 2)
    return fixed + struct.pack(order + "I", following) + loose


THUMBNAIL = b"\xff\xd8\xff\xdb" + b"old little picture" + b"\xff\xd9"


def exif_block(order: str = ">", orientation: int | None = 6, thumbnail: bool = True) -> bytes:
    """EXIF as a camera writes it: maker note, user comment, GPS, private tags, thumbnail."""
    short = lambda n: struct.pack(order + "H", n)  # noqa: E731
    long = lambda n: struct.pack(order + "I", n)  # noqa: E731
    ratio = lambda *n: struct.pack(f"{order}{len(n)}I", *n)  # noqa: E731
    photo = [
        (0x829A, 5, 1, ratio(1, 250)),
        (0x9000, 7, 4, b"0300"),
        (0x927C, 7, 40, b"Maker\0" + bytes(range(34))),
        (0x9286, 7, 14, b"UNICODE\0h\0i\0\xff\xfe"),
        (0xA002, 3, 1, short(24)),
        (0xA003, 4, 1, long(16)),
        (0xA431, 2, 7, b"SN-001\0"),
        (0xEEEE, 7, 9, b"private!!"),
    ]
    gps = [(0, 1, 4, b"\2\3\0\0"), (1, 2, 2, b"N\0"), (2, 5, 3, ratio(52, 1, 31, 1, 12, 1))]
    first = [
        (0x010F, 2, 5, b"Acme\0"),
        (0x0110, 2, 3, b"M1\0"),
        (0x0132, 2, 20, b"2026:01:02 03:04:05\0"),
        (0x8298, 2, 5, b"(c)A\0"),
        (0x8769, 4, 1, bytes(4)),
        (0x8825, 4, 1, bytes(4)),
        (0xFDE8, 2, 6, b"hello\0"),
    ]
    if orientation is not None:
        first.append((0x0112, 3, 1, short(orientation)))
    photo_at = 8 + len(directory(first, 8, order))
    gps_at = photo_at + len(directory(photo, photo_at, order))
    thumbnail_at = gps_at + len(directory(gps, gps_at, order))
    places = {0x8769: long(photo_at), 0x8825: long(gps_at)}
    first = [(tag, kind, count, places.get(tag, value)) for tag, kind, count, value in first]
    block = {"<": b"II*\0", ">": b"MM\0*"}[order] + long(8)
    block += directory(first, 8, order, following=thumbnail_at if thumbnail else 0)
    block += directory(photo, photo_at, order) + directory(gps, gps_at, order)
    if thumbnail:
        data_at = thumbnail_at + 2 + 12 * 3 + 4
        fields = [(0x0103, 3, 1, short(6)), (0x0201, 4, 1, long(data_at)),
                  (0x0202, 4, 1, long(len(THUMBNAIL)))]  # fmt: skip
        block += directory(fields, thumbnail_at, order) + THUMBNAIL
    return block
