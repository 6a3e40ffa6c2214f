"""PNG: chunks before the pixels hold everything else.

libvips turns every text into ``zTXt`` with its keyword cut at the first space, so the chunks are
written here. Source: W3C PNG 3rd edition.
"""

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from subpixel.media.formats.format import Capacity, EncodeTask, Format, FormatReader, FormatWriter
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    load_first_page,
    read_metadata,
)
from subpixel.media.metadata import exif
from subpixel.media.picture import Loss, Metadata

MAX_TEXT = 1 << 26
"""Most bytes that one compressed text may unfold to."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP_KEYWORD = "XML:com.adobe.xmp"
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_READ_CHUNKS = (*_TEXT_CHUNKS, b"eXIf", b"pHYs", b"iCCP", b"sRGB", b"gAMA", b"cICP", b"acTL")
_SRGB_GAMMA = 45455
_SRGB_CODING_POINTS = (b"\x01\x0d\x00\x01", b"\x01\x0d\x00\x00")


def _load_png(contents: FileContents, fail_on: Strictness) -> VipsLoad:
    return load_first_page("pngload_source", contents, fail_on), ()


def _describe_png(contents: FileContents, image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    with contents.stream() as stream:
        png = _read_png_facts(stream)
    meta = replace(
        read_metadata(image),
        text=png.text,
        xmp=png.xmp,
        exif=png.exif,
        orientation=exif.orientation_in(png.exif),
        resolution=png.resolution or exif.resolution_in(png.exif),
    )
    losses = png.losses
    if png.has_profile and not image.get_typeof("icc-profile-data"):
        losses += (Loss("icc", "libpng finds the profile unsound; left out"),)
    return meta, losses


@dataclass(frozen=True)
class _PngFacts:
    """What a file says beside its pixels and colour profile."""

    text: tuple[tuple[str, str], ...]
    xmp: bytes | None
    exif: bytes | None
    resolution: tuple[float, float] | None
    has_profile: bool
    losses: tuple[Loss, ...]


def _read_png_facts(file: BinaryIO) -> _PngFacts:
    """Read the chunks; texts that are damaged or oversized are left out and named as losses."""
    chunks = list(_read_chunks(file))
    texts, unread = _decode_texts(chunks)
    first = dict(reversed(chunks))
    xmp = [text.encode() for key, text in texts if key == _XMP_KEYWORD]
    return _PngFacts(
        text=tuple((key, text) for key, text in texts if key != _XMP_KEYWORD),
        xmp=xmp[0] if xmp else None,
        exif=first.get(b"eXIf"),
        resolution=_parse_density(first.get(b"pHYs", b"")),
        has_profile=b"iCCP" in first,
        losses=(*unread, *_find_png_losses(first)),
    )


def _read_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and data of every chunk, the data of those that say nothing left out."""
    size = file.seek(0, io.SEEK_END)
    at = file.seek(len(_SIGNATURE))
    while at + 8 <= size:
        length, name = struct.unpack(">I4s", file.read(8))
        yield name, file.read(min(length, size - at - 8)) if name in _READ_CHUNKS else b""
        at = file.seek(at + 12 + length)


def _decode_texts(
    chunks: Iterable[tuple[bytes, bytes]],
) -> tuple[list[tuple[str, str]], list[Loss]]:
    texts, losses = [], []
    for name, data in chunks:
        if name in _TEXT_CHUNKS:
            try:
                texts.append(_decode_text(name, data))
            except ValueError as error:
                losses.append(Loss("text", f"{error}; left out"))
    return texts, losses


def _decode_text(name: bytes, data: bytes) -> tuple[str, str]:
    key, _, rest = data.partition(b"\0")
    keyword = key.decode("latin-1")
    if name == b"tEXt":
        return keyword, rest.decode("latin-1")
    if name == b"zTXt":
        text = _inflate(rest[1:])
        return keyword, text.decode("utf-8" if keyword == _XMP_KEYWORD else "latin-1")
    is_deflated, (_, _, text) = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    return keyword, (_inflate(text) if is_deflated else text).decode()


def _inflate(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(data, MAX_TEXT)
    except zlib.error as error:
        raise ValueError(f"a compressed text is damaged ({error})") from error
    if not stream.eof:
        raise ValueError(f"a compressed text is cut off or over {MAX_TEXT:,} bytes")
    return text


def _parse_density(data: bytes) -> tuple[float, float] | None:
    if len(data) != 9 or data[8] != 1:
        return None
    across, down = struct.unpack(">II", data[:8])
    return (across / 1000, down / 1000) if across and down else None


def _find_png_losses(chunks: dict[bytes, bytes]) -> Iterator[Loss]:
    if b"acTL" in chunks:
        yield Loss("frames", "an animated PNG; its first frame is used")
    if b"cICP" in chunks and chunks[b"cICP"] not in _SRGB_CODING_POINTS:
        yield Loss("colour", "coding points other than sRGB's (cICP) are not applied")
    gamma = chunks.get(b"gAMA", b"")
    has_label = b"iCCP" in chunks or b"sRGB" in chunks
    if len(gamma) == 4 and not has_label and abs(int.from_bytes(gamma) - _SRGB_GAMMA) > 500:
        yield Loss("colour", f"a gamma of 1/{1e5 / int.from_bytes(gamma):.2f} is not applied")


def _save_png(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    level, meta = task.options.png_compression, task.header.metadata
    block = task.exif_block(meta.orientation)

    def splice(head: bytes) -> bytes | None:
        return _splice_chunks(head, meta, block) if _reaches_pixels(head) else None

    out = target.for_libvips(splice)
    if level is None:
        image.pngsave_target(out, keep="icc", compression=2, filter="up")
    else:
        image.pngsave_target(out, keep="icc", compression=level)


def _splice_chunks(file: bytes, meta: Metadata, block: bytes | None) -> bytes:
    """libvips' PNG, or its beginning, with the metadata's chunks before its pixels."""
    chunks = [(b"pHYs", _build_density(meta.resolution))] if meta.resolution else []
    if block is not None:
        chunks.append((b"eXIf", block))
    texts = [_encode_text(key, text) for key, text in meta.text]
    if meta.xmp is not None:
        texts.insert(0, (b"iTXt", _XMP_KEYWORD.encode() + bytes(5) + meta.xmp))
    ours = b"".join(_build_chunk(name, data) for name, data in chunks + texts)
    return b"".join(_replace_chunks(file, ours))


def _reaches_pixels(file: bytes) -> bool:
    """Whether the first bytes of a file reach as far as its pixels."""
    at = len(_SIGNATURE)
    while at + 8 <= len(file):
        length, name = struct.unpack_from(">I4s", file, at)
        if name == b"IDAT":
            return True
        at += 12 + length
    return False


def _replace_chunks(file: bytes, ours: bytes) -> Iterator[bytes | memoryview]:
    """The file with ``ours`` in place of all before the pixels but header and profile."""
    whole, at = memoryview(file), len(_SIGNATURE)
    yield whole[:at]
    while at < len(file):
        length, name = struct.unpack_from(">I4s", file, at)
        if name == b"IDAT":
            yield ours
            yield whole[at:]
            return
        if name in (b"IHDR", b"iCCP"):
            yield whole[at : at + 12 + length]
        at += 12 + length


def _build_density(resolution: tuple[float, float]) -> bytes:
    across, down = (min(max(round(r * 1000), 1), (1 << 31) - 1) for r in resolution)
    return struct.pack(">IIB", across, down, 1)


def _encode_text(key: str, text: str) -> tuple[bytes, bytes]:
    keyword = key.encode("latin-1")
    try:
        return b"tEXt", keyword + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", keyword + bytes(5) + text.encode()


def _build_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


PNG = Format(
    name="PNG",
    suffixes=(".png",),
    recognize=lambda head: head[:8] == _SIGNATURE,
    capacity=Capacity(depth=16, alpha="full", grey=True, animation="none", text="yes"),
    reader=FormatReader(load=_load_png, describe=_describe_png, interlaced_rows=1.2),
    writer=FormatWriter(save=_save_png, options=frozenset({"png_compression", "lossless"})),
)
