"""The parts of picture files that libvips drops or rewrites, read and put in byte for byte.

libvips passes EXIF through libexif, which drops private tags and adds some of its own, turns
every PNG text into ``zTXt`` with its keyword cut at the first space, and states a resolution
where none is known. So pixels and colour profiles are libvips', and the rest is spliced here.

Sources: ITU-T T.81 and T.871 (JPEG, JFIF), W3C PNG 3rd edition, RFC 9649 (WebP),
ISO/IEC 14496-12 (the boxes of AVIF).
"""

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from subpixel.media.picture import Loss, Metadata

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = "XML:com.adobe.xmp"
XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
PHOTOSHOP = b"Photoshop 3.0\0"
MAX_TEXT = 1 << 26
"""Most bytes that one compressed PNG text may unfold to."""

_SRGB_GAMMA = 45455
_SRGB_CODING_POINTS = (b"\x01\x0d\x00\x01", b"\x01\x0d\x00\x00")


@dataclass(frozen=True)
class PngFacts:
    """What a PNG says beside its pixels and colour profile."""

    text: tuple[tuple[str, str], ...]
    xmp: bytes | None
    exif: bytes | None
    resolution: tuple[float, float] | None
    has_profile: bool
    losses: tuple[Loss, ...]


def png_facts(file: BinaryIO) -> PngFacts:
    """Read the chunks of a PNG; texts that are damaged or oversized are left out and said."""
    chunks = list(_png_chunks(file))
    texts, unread = _png_texts(chunks)
    first = dict(reversed(chunks))
    xmp = [text.encode() for key, text in texts if key == XMP_KEYWORD]
    return PngFacts(
        text=tuple((key, text) for key, text in texts if key != XMP_KEYWORD),
        xmp=xmp[0] if xmp else None,
        exif=first.get(b"eXIf"),
        resolution=_png_resolution(first.get(b"pHYs", b"")),
        has_profile=b"iCCP" in first,
        losses=(*unread, *_png_losses(first)),
    )


_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_FACTS = (*_TEXTS, b"eXIf", b"pHYs", b"iCCP", b"sRGB", b"gAMA", b"cICP", b"acTL")


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and data of every chunk, the data of those that say nothing left out."""
    size = file.seek(0, io.SEEK_END)
    at = file.seek(len(PNG_SIGNATURE))
    while at + 8 <= size:
        length, name = struct.unpack(">I4s", file.read(8))
        yield name, file.read(min(length, size - at - 8)) if name in _FACTS else b""
        at = file.seek(at + 12 + length)


def _png_texts(
    chunks: Iterable[tuple[bytes, bytes]],
) -> tuple[list[tuple[str, str]], list[Loss]]:
    texts, losses = [], []
    for name, data in chunks:
        if name in _TEXTS:
            try:
                texts.append(_png_text(name, data))
            except ValueError as error:
                losses.append(Loss("text", f"{error}; left out"))
    return texts, losses


def _png_text(name: bytes, data: bytes) -> tuple[str, str]:
    key, _, rest = data.partition(b"\0")
    keyword = key.decode("latin-1")
    if name == b"tEXt":
        return keyword, rest.decode("latin-1")
    if name == b"zTXt":
        text = _inflate(rest[1:])
        return keyword, text.decode("utf-8" if keyword == XMP_KEYWORD else "latin-1")
    compressed, (_, _, text) = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    return keyword, (_inflate(text) if compressed else text).decode()


def _inflate(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(data, MAX_TEXT)
    except zlib.error as error:
        raise ValueError(f"a compressed text is damaged ({error})") from error
    if not stream.eof:
        raise ValueError(f"a compressed text is cut off or over {MAX_TEXT:,} bytes")
    return text


def _png_resolution(data: bytes) -> tuple[float, float] | None:
    if len(data) != 9 or data[8] != 1:
        return None
    across, down = struct.unpack(">II", data[:8])
    return (across / 1000, down / 1000) if across and down else None


def _png_losses(chunks: dict[bytes, bytes]) -> Iterator[Loss]:
    if b"acTL" in chunks:
        yield Loss("frames", "an animated PNG; its first frame is used")
    if b"cICP" in chunks and chunks[b"cICP"] not in _SRGB_CODING_POINTS:
        yield Loss("colour", "coding points other than sRGB's (cICP) are not applied")
    gamma = chunks.get(b"gAMA", b"")
    labelled = b"iCCP" in chunks or b"sRGB" in chunks
    if len(gamma) == 4 and not labelled and abs(int.from_bytes(gamma) - _SRGB_GAMMA) > 500:
        yield Loss("colour", f"a gamma of 1/{1e5 / int.from_bytes(gamma):.2f} is not applied")


def png_with(file: bytes, meta: Metadata, exif: bytes | None) -> bytes:
    """libvips' PNG, or its beginning, with the metadata's chunks before its pixels."""
    chunks = [(b"pHYs", _png_density(meta.resolution))] if meta.resolution else []
    if exif is not None:
        chunks.append((b"eXIf", exif))
    texts = [_text_chunk(key, text) for key, text in meta.text]
    if meta.xmp is not None:
        texts.insert(0, (b"iTXt", XMP_KEYWORD.encode() + bytes(5) + meta.xmp))
    added = b"".join(_png_chunk(name, data) for name, data in chunks + texts)
    return b"".join(_spliced_png(file, added))


def png_head(file: bytes) -> int | None:
    """Where the pixels of a PNG begin; None when its first bytes don't reach that far."""
    at = len(PNG_SIGNATURE)
    while at + 8 <= len(file):
        length, name = struct.unpack_from(">I4s", file, at)
        if name == b"IDAT":
            return at
        at += 12 + length
    return None


def _spliced_png(file: bytes, added: bytes) -> Iterator[bytes | memoryview]:
    whole, at = memoryview(file), len(PNG_SIGNATURE)
    yield whole[:at]
    while at < len(file):
        length, name = struct.unpack_from(">I4s", file, at)
        if name == b"IDAT":
            yield added
            yield whole[at:]
            return
        if name in (b"IHDR", b"iCCP"):
            yield whole[at : at + 12 + length]
        at += 12 + length


def _png_density(resolution: tuple[float, float]) -> bytes:
    return struct.pack(">IIB", *(_whole(r * 1000, 1 << 31) for r in resolution), 1)


def _whole(number: float, limit: int) -> int:
    return min(max(round(number), 1), limit - 1)


def _text_chunk(key: str, text: str) -> tuple[bytes, bytes]:
    keyword = key.encode("latin-1")
    try:
        return b"tEXt", keyword + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", keyword + bytes(5) + text.encode()


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def jpeg_head(file: BinaryIO) -> bytes:
    """A JPEG's segments before its first scan."""
    file.seek(0)
    parts = [file.read(2)]
    while len(head := file.read(4)) == 4 and head[0] == 0xFF:
        length = int.from_bytes(head[2:])
        if head[1] == 0xDA or length < 2:
            break
        parts += [head, file.read(length - 2)]
    return b"".join(parts)


def jpeg_resolution(file: bytes) -> tuple[float, float] | None:
    """Pixels per millimetre of the JFIF header; None when it states none."""
    for marker, data in _jpeg_segments(file):
        if marker == 0xE0 and data[:5] == b"JFIF\0" and len(data) >= 12:
            unit, across, down = struct.unpack_from(">BHH", data, 7)
            per_mm = {1: 25.4, 2: 10.0}.get(unit)
            return (across / per_mm, down / per_mm) if per_mm and across and down else None
    return None


def jpeg_comments(file: bytes) -> tuple[tuple[str, str], ...]:
    """A JPEG's comments as text chunks; T.81 names no encoding: UTF-8, or else Latin-1."""
    return tuple(
        ("Comment", _comment(data)) for marker, data in _jpeg_segments(file) if marker == 0xFE
    )


def _comment(data: bytes) -> str:
    data = data.rstrip(b"\0")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def jpeg_losses(file: bytes) -> tuple[Loss, ...]:
    """What a JPEG holds beside its picture and can't be kept."""
    if any(m == 0xE2 and data[:4] == b"MPF\0" for m, data in _jpeg_segments(file)):
        return (Loss("further pictures", "a gain map or preview is left out (MPF)"),)
    return ()


def _jpeg_segments(file: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and data of each segment before the first scan."""
    at = 2
    while at + 4 <= len(file) and file[at] == 0xFF:
        marker, length = struct.unpack_from(">xBH", file, at)
        if marker == 0xDA or length < 2:
            return
        yield marker, file[at + 4 : at + 2 + length]
        at += 2 + length


JFIF_END = 20
"""Where a JFIF header ends that holds no thumbnail."""


def jpeg_with(file: bytes, meta: Metadata, exif: bytes | None) -> bytes:
    """libvips' JPEG with a JFIF header of the metadata's resolution, EXIF, XMP, IPTC, comments.

    Its first :data:`JFIF_END` bytes will do.
    """
    added = _segment(0xE0, _jfif(meta.resolution))
    comments = ((0xFE, b"", text.encode()) for key, text in meta.text if key == "Comment")
    for marker, label, block in (
        (0xE1, b"Exif\0\0", exif),
        (0xE1, XMP_SEGMENT, meta.xmp),
        (0xED, b"", meta.iptc),
        *comments,
    ):
        if block is not None and len(label) + len(block) <= 65_533:
            added += _segment(marker, label + block)
    has_jfif = file[2:4] == b"\xff\xe0" and file[6:11] == b"JFIF\0"
    start = 4 + int.from_bytes(file[4:6]) if has_jfif else 2
    return b"".join((b"\xff\xd8", added, memoryview(file)[start:]))


def _jfif(resolution: tuple[float, float] | None) -> bytes:
    if resolution is None:
        return b"JFIF\0" + struct.pack(">HBHHBB", 0x0102, 0, 1, 1, 0, 0)
    across, down = (_whole(r * 25.4, 1 << 16) for r in resolution)
    return b"JFIF\0" + struct.pack(">HBHHBB", 0x0102, 1, across, down, 0, 0)


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def webp_with_exif(file: bytes, exif: bytes) -> bytes:
    """libvips' WebP, its EXIF chunk replaced."""
    parts, at = [b"WEBP"], 12
    while at + 8 <= len(file):
        name, length = struct.unpack_from("<4sI", file, at)
        data = exif if name == b"EXIF" else file[at + 8 : at + 8 + length]
        parts.append(struct.pack("<4sI", name, len(data)) + data + bytes(len(data) % 2))
        at += 8 + length + length % 2
    return b"RIFF" + struct.pack("<I", sum(map(len, parts))) + b"".join(parts)


def avif_with_exif(file: bytes, exif: bytes) -> bytes:
    """libvips' AVIF, its EXIF item pointed to a new block at the end."""
    boxes = {name: (start, end) for name, start, end in _boxes(file, 0, len(file))}
    start, end = boxes[b"meta"]
    inner = {name: (s, e) for name, s, e in _boxes(file, start + 4, end)}
    item = _exif_item(file, *inner[b"iinf"])
    payload = bytes(4) + exif  # a TIFF header follows at once
    pointed = bytearray(file)
    _point(pointed, inner[b"iloc"][0], item, len(file) + 8, len(payload))
    return b"".join((pointed, struct.pack(">I4s", len(payload) + 8, b"mdat"), payload))


def _boxes(file: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte of content and end of each box."""
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", file, start)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", file, start + 8)
            header = 16
        stop = start + size if size else end
        yield name, start + header, stop
        start = stop


def _exif_item(file: bytes, start: int, end: int) -> int:
    """The number of the item of type ``Exif``; ``infe`` boxes of version 2 (16-bit numbers)."""
    for name, at, _ in _boxes(file, start + 6, end):
        if name == b"infe" and file[at + 8 : at + 12] == b"Exif":
            return int.from_bytes(file[at + 4 : at + 6])
    raise ValueError("no Exif item")


def _point(file: bytearray, at: int, item: int, offset: int, length: int) -> None:
    """Set the one extent of an item, in an ``iloc`` box as libheif writes it."""
    version, sizes, sizes2, count = struct.unpack_from(">B3xBBH", file, at)
    if version > 1 or sizes != 0x44:
        raise ValueError("an item table of another kind")
    base, index = sizes2 >> 4, (sizes2 & 15) if version == 1 else 0
    at += 8
    for _ in range(count):
        (number,) = struct.unpack_from(">H", file, at)
        at += (6 if version == 1 else 4) + base
        (extents,) = struct.unpack_from(">H", file, at)
        if number == item:
            file[at - base : at] = bytes(base)
            struct.pack_into(">II", file, at + 2 + index, offset, length)
            return
        at += 2 + extents * (8 + index)
    raise ValueError("no place of the Exif item")


def iptc_of_tiff(photoshop: bytes | None, iptc: bytes | None) -> bytes | None:
    """TIFF's Photoshop and IPTC fields as the one block of Photoshop resources that JPEG has."""
    if photoshop is None and iptc is None:
        return None
    block = PHOTOSHOP + (photoshop or b"")
    if iptc is None or _iptc_records(block) is not None:
        return block
    return (
        block + struct.pack(">4sHHI", b"8BIM", 0x0404, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)
    )


def tiff_iptc(block: bytes) -> tuple[bytes, bytes | None]:
    """The inverse of :func:`iptc_of_tiff`: Photoshop's resources, and the records among them."""
    return block.removeprefix(PHOTOSHOP), _iptc_records(block)


def _iptc_records(block: bytes) -> bytes | None:
    """The IPTC records (resource 0x0404) within Photoshop resources."""
    at, block = 0, block.removeprefix(PHOTOSHOP)
    while at + 12 <= len(block) and block[at : at + 4] == b"8BIM":
        name = 1 + block[at + 6]
        size_at = at + 6 + name + name % 2
        (length,) = struct.unpack_from(">I", block.ljust(size_at + 4, b"\0"), size_at)
        if block[at + 4 : at + 6] == b"\x04\x04":
            return block[size_at + 4 : size_at + 4 + length]
        at = size_at + 4 + length + length % 2
    return None
