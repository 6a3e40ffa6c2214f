"""Ordinary small pictures with a bomb beside the pixels: the picture itself can be enlarged."""

import io
import struct
import zlib

import brotli
from PIL import Image
from tests.robustness.corpus.hostile_file import TAKEN, HostileFile, family
from tests.robustness.mutation.pieces import BOXES, Piece, join_boxes, join_png

from insertions import encode, extended_webp, riff_chunk, segment, with_chunks, with_segments
from samples import exif_block

EXIF = b"Exif\0\0"


def selfish_block(entries: int) -> bytes:
    """Every entry is a sub-directory, and each is this very directory: the cube of the entries."""
    table = struct.pack("<HHII", 0x8769, 4, 1, 8) * entries
    return b"II*\0" + struct.pack("<IH", 8, entries) + table + bytes(4)


def mutual_block(entries: int) -> bytes:
    """Two directories whose entries lead to each other."""
    second = 8 + 2 + 12 * entries + 4
    parts = [
        struct.pack("<H", entries) + struct.pack("<HHII", tag, 4, 1, at) * entries + bytes(4)
        for tag, at in ((0x8769, second), (0xA005, 8))
    ]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(parts)


def overlapping_block(entries: int) -> bytes:
    """Every entry's value is the whole block: the square of its size."""
    size = 8 + 2 + 12 * entries + 4
    table = b"".join(struct.pack("<HHII", 0x9000 + n % 999, 7, size - 8, 8) for n in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + table + bytes(4)


def chained_block(directories: int) -> bytes:
    """Directories of one entry in a row, the last back to the first."""
    size = 2 + 12 + 4
    parts = [
        struct.pack("<H", 1) + struct.pack("<HHII", 0x0112, 3, 1, 6)
        + struct.pack("<I", 8 + size * ((n + 1) % directories))
        for n in range(directories)
    ]  # fmt: skip
    return b"II*\0" + struct.pack("<I", 8) + b"".join(parts)


def in_jpeg(block: bytes) -> bytes:
    return with_segments(segment(0xE1, EXIF + block))


def in_png(block: bytes) -> bytes:
    return with_chunks(_chunk(b"eXIf", block))


def in_webp(block: bytes) -> bytes:
    return extended_webp(behind=[riff_chunk(b"EXIF", block)], flags=8)


def in_tiff(entries: int) -> bytes:
    """A picture whose first directory has so many EXIF directories, each that very one."""
    stream = io.BytesIO()
    Image.new("L", (24, 16), 90).save(stream, "TIFF")
    data = stream.getvalue()
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    place = len(data)
    table = data[at + 2 : at + 2 + 12 * count] + struct.pack("<HHII", 0x8769, 4, 1, place) * entries
    directory = struct.pack("<H", count + entries) + table + bytes(4)
    return data[:4] + struct.pack("<I", place) + data[8:] + directory


def _chunk(name: bytes, data: bytes) -> bytes:
    return join_png([Piece(name, data)])


def text_bomb(count: int) -> bytes:
    """Texts that inflate to 16 MiB each."""
    packed = zlib.compress(bytes(16 << 20), 9)
    return with_chunks(*[_chunk(b"zTXt", b"Title%d\0\0" % n + packed) for n in range(count)])


def international_bomb(count: int) -> bytes:
    packed = zlib.compress(b"x" * (16 << 20), 9)
    head = b"Title\0\1\0\0\0"
    return with_chunks(*[_chunk(b"iTXt", head + packed) for _ in range(count)])


def profile_bomb(megabytes: int) -> bytes:
    return with_chunks(_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(megabytes << 20), 9)))


def many_texts(count: int) -> bytes:
    return with_chunks(*[_chunk(b"tEXt", b"k%d\0v" % n) for n in range(count)])


def laughing_packet(levels: int) -> bytes:
    """Entities that stand for ten of the one before: 10^levels in all."""
    entities = b"".join(
        b'<!ENTITY e%d "%s">' % (n, (b"&e%d;" % (n - 1)) * 10 if n else b"ha")
        for n in range(levels)
    )
    return b"<!DOCTYPE x [%s]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&e%d;</x:xmpmeta>" % (
        entities,
        levels - 1,
    )


def nested_packet(depth: int) -> bytes:
    return (
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b"<a>" * depth + b"</a>" * depth + b"</x:xmpmeta>"
    )


def with_packet(packet: bytes) -> bytes:
    return with_chunks(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))


def extension_of_gigabytes() -> bytes:
    """A part of an XMP extension that says the whole is 4 GB."""
    label = b"http://ns.adobe.com/xap/1.0/\0"
    digest = b"0123456789ABCDEF" * 2
    packet = (
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-"
        b"syntax-ns#'><rdf:Description rdf:about='' xmlns:xmpNote='http://ns.adobe.com/xmp/note/' "
        b"xmpNote:HasExtendedXMP='%s'/></rdf:RDF></x:xmpmeta>" % digest
    )
    piece = (
        b"http://ns.adobe.com/xmp/extension/\0"
        + digest
        + struct.pack(">II", 2**32 - 1, 2**31)
        + b"x"
    )
    return with_segments(segment(0xE1, label + packet), segment(0xE1, piece))


def mpf_of_itself() -> bytes:
    """Multi-picture entries by thousands, each the whole file."""
    entry = struct.pack(">IIIHH", 0, 2**20, 8, 0, 0) * 3000
    block = b"MM\0*" + struct.pack(">IHHHII", 8, 1, 0xB002, 7, len(entry), 26) + bytes(4) + entry
    return with_segments(segment(0xE2, b"MPF\0" + block))


def resources_of_gigabytes() -> bytes:
    """A resource of Photoshop's that says it is 4 GB long."""
    body = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", 2**32 - 1) + b"x"
    return with_segments(segment(0xED, body))


def profile_parts() -> bytes:
    """Profile segments by hundreds, each of which says it is the first of 255."""
    parts = [segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(1000)) for _ in range(300)]
    return with_segments(*parts)


def _avif() -> bytes:
    return encode("AVIF", quality=60, speed=10)


def avif_with(name: bytes, data: bytes) -> bytes:
    """A box of the metadata replaced."""
    _, pieces, _ = BOXES.split(_avif())
    return join_boxes([_replace_box(piece, name, data) for piece in pieces])


def _replace_box(piece: Piece, name: bytes, data: bytes) -> Piece:
    if piece.name == name:
        return Piece(name, data)
    children = tuple(_replace_box(child, name, data) for child in piece.children)
    return Piece(piece.name, piece.data, children)


def nested_boxes(depth: int) -> bytes:
    """Boxes within boxes behind an ordinary file."""
    inner = b""
    for _ in range(depth):
        inner = struct.pack(">I4s", 8 + len(inner), b"moov") + inner
    return _avif() + inner


def many_extents() -> bytes:
    """Items whose extents, by ten thousands, are each the whole file."""
    extents = struct.pack(">II", 0, 0) * 60_000
    return avif_with(b"iloc", b"\0\0\0\0\x44\0" + struct.pack(">HHHH", 1, 1, 0, 60_000) + extents)


def many_properties() -> bytes:
    """Associations of properties that aren't there."""
    entry = struct.pack(">HB", 1, 255) + b"\x81" * 255
    return avif_with(b"ipma", bytes(4) + struct.pack(">I", 500) + entry * 500)


def brotli_bomb(megabytes: int) -> bytes:
    """JPEG XL metadata that inflates a hundred thousandfold."""
    import pillow_jxl  # noqa: F401 - registers itself

    plain = encode("JXL", lossless=True)
    if not plain.startswith(b"\0\0\0\x0cJXL "):
        codestream = struct.pack(">I4s", 8 + len(plain), b"jxlc") + plain
        kind = struct.pack(">I4s", 20, b"ftyp") + b"jxl \0\0\0\0jxl "
        plain = b"\0\0\0\x0cJXL \r\n\x87\n" + kind + codestream
    packed = b"xml " + brotli.compress(bytes(megabytes << 20), quality=1)
    return plain + struct.pack(">I4s", 8 + len(packed), b"brob") + packed


BOMBS: tuple[HostileFile, ...] = (
    HostileFile("exif.jpg", "an ordinary block", lambda: in_jpeg(exif_block()), TAKEN),
    *(file for suffix, hide in ((".jpg", in_jpeg), (".png", in_png), (".webp", in_webp))
      for file in (
          *family("selfish-{}" + suffix, "directories that are their own entries, cubed",
                  lambda n, hide=hide: hide(selfish_block(n)), (50, 400, 5_400), TAKEN),
          *family("mutual-{}" + suffix, "two directories that lead to each other",
                  lambda n, hide=hide: hide(mutual_block(n)), (2_000,), TAKEN),
          *family("overlapping-{}" + suffix, "values that are the whole block",
                  lambda n, hide=hide: hide(overlapping_block(n)), (5_000,), TAKEN),
          *family("chained-{}" + suffix, "directories in a circle",
                  lambda n, hide=hide: hide(chained_block(n)), (1, 3, 3_000), TAKEN),
      )),
    *family("selfish-{}.tif", "the same in a TIFF file", in_tiff, (50, 5_000)),
    *family("texts-{}.png", "texts that inflate beyond the memory", text_bomb, (40,), TAKEN),
    *family("international-{}.png", "the same of another chunk", international_bomb, (40,), TAKEN),
    *family("profile-{}.png", "a profile that inflates beyond the memory", profile_bomb, (400,)),
    *family("titles-{}.png", "very many texts", many_texts, (20_000,), TAKEN),
    *family("laughs-{}.png", "entities, ten to the tenth",
            lambda n: with_packet(laughing_packet(n)), (10,)),
    *family("nested-{}.png", "elements in elements", lambda n: with_packet(nested_packet(n)),
            (50_000,)),
    HostileFile("extension.jpg", "an XMP extension of 4 GB", extension_of_gigabytes, TAKEN),
    HostileFile("mpf.jpg", "3,000 pictures that are the whole file", mpf_of_itself, TAKEN),
    HostileFile("resources.jpg", "a resource of 4 GB", resources_of_gigabytes, TAKEN),
    HostileFile("parts.jpg", "300 first parts of a profile", profile_parts, TAKEN),
    *family("nested-{}.avif", "boxes in boxes", nested_boxes, (1_000,)),
    HostileFile("extents.avif", "60,000 extents", many_extents),
    HostileFile("properties.avif", "100,000 properties that aren't there", many_properties),
    *family("brotli-{}.jxl", "metadata that inflates beyond the memory", brotli_bomb, (400,)),
)  # fmt: skip
