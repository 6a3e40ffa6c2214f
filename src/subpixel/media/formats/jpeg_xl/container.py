"""The boxes around a JPEG XL codestream: metadata, and what becomes of each of them.

Source: ISO/IEC 18181-2.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from subpixel.media.formats.account import FilePart, escape_name, leave_out
from subpixel.media.formats.jpeg_xl.codestream import CODESTREAM_SIGNATURE, HEADER_BYTES
from subpixel.media.metadata.budget import Budget
from subpixel.media.picture import Loss

CONTAINER_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"

_UNFOLD_STEP = 1 << 20

EXIF, XMP, JPEG_DATA = b"Exif", b"xml ", b"jbrd"
_COMPRESSED = b"brob"
_CODESTREAM_BOXES = (b"JXL ", b"ftyp", b"jxlc", b"jxlp", b"jxll", b"jxli", JPEG_DATA)
"""What says how the pixels are stored."""
_DECODED_BOXES = (*_CODESTREAM_BOXES, EXIF, XMP)
"""EXIF and XMP are parts of a JPEG that is stored without loss."""

_LOST = {b"jumb": "C2PA or another JUMBF box", b"jhgm": "a gain map"}


@dataclass(frozen=True)
class JpegXlBox:
    """One box of a file; of a compressed one what it is once it is unfolded."""

    name: bytes
    start: int
    """Where its content begins."""
    size: int
    """Bytes of its content as they are in the file."""
    is_compressed: bool = False


def walk_jpeg_xl_boxes(stream: BinaryIO) -> Iterator[JpegXlBox]:
    """The boxes at the top; none in a bare codestream. What is cut off ends the walk."""
    end = stream.seek(0, io.SEEK_END)
    at = stream.seek(0)
    if stream.read(12) != CONTAINER_SIGNATURE:
        return
    budget = Budget()
    while at + 8 <= end and budget.step():
        stream.seek(at)
        size, name, long = struct.unpack(">I4sQ", stream.read(16).ljust(16, b"\0"))
        start = at + (16 if size == 1 else 8)
        stop = min({0: end, 1: at + long}.get(size, at + size), end)
        yield _unfold_name(stream, JpegXlBox(name, start, max(stop - start, 0)))
        if stop <= at:
            return
        at = stop


def _unfold_name(stream: BinaryIO, box: JpegXlBox) -> JpegXlBox:
    if box.name != _COMPRESSED or box.size < 4:
        return box
    stream.seek(box.start)
    return JpegXlBox(stream.read(4), box.start + 4, box.size - 4, is_compressed=True)


def read_for_decoder(stream: BinaryIO) -> bytes:
    """The file without the boxes that no decoder needs: of damaged ones it tells standard error."""
    boxes = [box for box in walk_jpeg_xl_boxes(stream) if box.name in _DECODED_BOXES]
    if boxes:
        return b"".join(_copy_box(stream, box) for box in boxes)
    stream.seek(0)
    return stream.read()


def _copy_box(stream: BinaryIO, box: JpegXlBox) -> bytes:
    stream.seek(box.start)
    content = stream.read(box.size)
    if box.is_compressed:
        content = box.name + content
    name = _COMPRESSED if box.is_compressed else box.name
    if len(content) + 8 < 1 << 32:
        return struct.pack(">I4s", len(content) + 8, name) + content
    return struct.pack(">I4sQ", 1, name, len(content) + 16) + content


def read_codestream_head(stream: BinaryIO) -> bytes:
    """The first bytes of the codestream, as many as its header takes."""
    stream.seek(0)
    if stream.read(2) == CODESTREAM_SIGNATURE:
        stream.seek(0)
        return stream.read(HEADER_BYTES)
    head = b""
    for box in walk_jpeg_xl_boxes(stream):
        skip = {b"jxlc": 0, b"jxlp": 4}.get(box.name)
        if len(head) >= HEADER_BYTES:
            break
        if skip is not None:
            stream.seek(box.start + skip)
            head += stream.read(min(HEADER_BYTES, max(box.size - skip, 0)))
    return head


def read_block(
    stream: BinaryIO, name: bytes, budget: Budget
) -> tuple[bytes | None, tuple[Loss, ...]]:
    """The content of the first box of this name; or what is wrong with it."""
    box = next((box for box in walk_jpeg_xl_boxes(stream) if box.name == name), None)
    if box is None:
        return None, ()
    what = {EXIF: "exif", XMP: "xmp"}[name]
    try:
        return _read_content(stream, box, budget), ()
    except ValueError as error:
        return None, (Loss(what, f"{error}; left out"),)


def _read_content(stream: BinaryIO, box: JpegXlBox, budget: Budget) -> bytes:
    if not budget.take(box.size):
        raise ValueError(f"{box.size:,} bytes have no room in memory beside the rest")
    stream.seek(box.start)
    data = stream.read(box.size)
    return _decompress(data, budget) if box.is_compressed else data


def _decompress(data: bytes, budget: Budget) -> bytes:
    import brotli

    stream, parts, has_room = brotli.Decompressor(), [], True
    try:
        while not stream.is_finished() and has_room:
            parts.append(stream.process(data, output_buffer_limit=_UNFOLD_STEP))
            has_room = budget.take(len(parts[-1]))
            data = b""
            if not parts[-1] and stream.can_accept_more_data():
                break
    except brotli.error as error:
        raise ValueError(f"its compressed block is damaged ({error})") from error
    if not has_room:
        raise ValueError("its compressed block unfolds to more than has room in memory")
    if not stream.is_finished():
        raise ValueError("its compressed block is cut off")
    return b"".join(parts)


def strip_exif_offset(block: bytes | None) -> bytes | None:
    """The TIFF structure of an ``Exif`` box, which begins with the way to it."""
    if block is None:
        return None
    if block[:2] in (b"II", b"MM"):  # as some encoders write it, against the standard
        return block
    return block[4 + int.from_bytes(block[:4]) :] or None


def list_parts(stream: BinaryIO) -> Iterator[FilePart]:
    """Every box, and what becomes of it."""
    met = set()
    for box in walk_jpeg_xl_boxes(stream):
        kind = f"a box '{escape_name(box.name)}'"
        if box.name in _CODESTREAM_BOXES or (box.name in (EXIF, XMP) and box.name not in met):
            met.add(box.name)
            yield FilePart(kind, box.size)
        elif box.name == b"jhgm":
            yield FilePart(kind, box.size, Loss("gain map", "a gain map (jhgm) is left out"))
        else:
            yield leave_out(kind, box.size, _LOST.get(box.name, ""))
