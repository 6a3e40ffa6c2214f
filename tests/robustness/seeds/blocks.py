"""Metadata by itself: EXIF blocks, XMP packets, Photoshop's resources, ICC profiles."""

import struct

from tests.robustness.seeds.seed import Seed

from samples import IPTC, SRGB, XMP, directory, exif_block, grey_profile
from xmp_packets import build_packet


def exif_seeds() -> tuple[Seed, ...]:
    """Blocks of both byte orders, with and without what cameras add."""
    blocks = {
        "big": exif_block(">"),
        "little": exif_block("<"),
        "plain": exif_block("<", orientation=None, thumbnail=False),
        "nested": _nested(),
    }
    return tuple(Seed(f"{name}.exif", data) for name, data in blocks.items())


def _nested() -> bytes:
    """Directories within directories."""
    inner_at, last_at = 64, 128
    first = directory([(0x8769, 4, 1, struct.pack("<I", inner_at))], 8, "<")
    inner = directory([(0xA005, 4, 1, struct.pack("<I", last_at))], inner_at, "<")
    last = directory([(1, 2, 4, b"R98\0")], last_at, "<")
    head = (b"II*\0" + struct.pack("<I", 8) + first).ljust(inner_at, b"\0")
    return (head + inner).ljust(last_at, b"\0") + last


def block_seeds() -> tuple[Seed, ...]:
    """What other parsers of metadata read."""
    photoshop = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0"
    blocks = {
        "srgb.icc": SRGB,
        "grey.icc": grey_profile(),
        "plain.xmp": XMP,
        "resources.irb": photoshop + b"8BIM\x07\xd0\0\0\0\0\0\x04path",
        "records.iptc": IPTC * 3,
    }
    packet = build_packet(
        'note:HasExtendedXMP="0123456789ABCDEF0123456789ABCDEF"', "<dc:format>a</dc:format>"
    )
    blocks["extended.xmp"] = packet
    return tuple(Seed(name, data) for name, data in blocks.items())
