"""What PBM, PGM, PPM and PAM share: a header of text, then samples. Source: netpbm's manual pages.

Their colours are taken as sRGB, as all programs do.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from subpixel.media.formats.account import FilePart, leave_out
from subpixel.media.formats.format import COMMENT, Capacity, EncodeTask, FormatReader, hold_comments
from subpixel.media.formats.plain.rows import cut_rows, fetch_blocks, read_bytes, stretch
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    build_header,
    get_number,
    turn_upright,
)
from subpixel.media.picture import Loss, Metadata, Rows

MAX_HEADER = 1 << 16
"""Most bytes of a header, comments included."""

_MAX_DIGITS = 9
_TEXT_BLOCK = 1 << 20
_SPACE = b" \t\n\v\f\r"
_TOKEN = re.compile(rb"(?>(?:\s|#[^\n\r]*)*)([^\s#]+)")
_COMMENT = re.compile(rb"#[ \t]?([^\n\r]*)")
_NEXT_PICTURE = re.compile(rb"P[1-7]\s")


@dataclass(frozen=True)
class NetpbmHeader:
    """What a file's header says."""

    width: int
    height: int
    channels: int
    white: int
    """The largest sample, 1 … 65535."""
    start: int
    """Where the samples begin."""
    coding: str = "binary"
    """``binary``; ``bits``, black as 1; numbers as ``text``, or such ``digits`` of 0 and 1."""
    comments: tuple[str, ...] = ()

    @property
    def bits(self) -> int:
        """Significant bits per sample, 8 at least."""
        return max(8, self.white.bit_length())

    @property
    def row_bytes(self) -> int:
        """Of samples that are no text."""
        if self.coding == "bits":
            return -(-self.width // 8)
        return self.width * self.channels * (1 if self.white < 256 else 2)


def read_header(contents: FileContents) -> NetpbmHeader:
    """Raises :class:`ValueError` for a header that makes no sense or is cut off."""
    with contents.stream() as stream:
        head = stream.read(MAX_HEADER)
    header = _parse_pam(head) if head[:2] == b"P7" else _parse_pnm(head)
    if not (header.width > 0 and header.height > 0 and 0 < header.white < 65536):
        raise ValueError(
            f"its header says {header.width} x {header.height} samples of up to {header.white}"
        )
    return header


def _parse_pnm(head: bytes) -> NetpbmHeader:
    kind, at = head[1:2], 2
    is_bitmap = kind in (b"1", b"4")
    numbers = []
    for _ in range(2 if is_bitmap else 3):
        match = _TOKEN.match(head, at)
        if match is None or not match[1].isdigit() or len(match[1]) > 9:
            raise ValueError("its header is cut off or damaged")
        numbers.append(int(match[1]))
        at = match.end()
    white = 1 if is_bitmap else numbers[2]
    coding = {b"1": "digits", b"4": "bits", b"2": "text", b"3": "text"}.get(kind, "binary")
    channels = 3 if kind in (b"3", b"6") else 1
    comments = _decode_comments(head[:at])
    return NetpbmHeader(numbers[0], numbers[1], channels, white, at + 1, coding, comments)


def _decode_comments(head: bytes) -> tuple[str, ...]:
    return tuple(text.decode("utf-8", "replace") for text in _COMMENT.findall(head))


_TUPLES = {
    b"BLACKANDWHITE": 1,
    b"GRAYSCALE": 1,
    b"BLACKANDWHITE_ALPHA": 2,
    b"GRAYSCALE_ALPHA": 2,
    b"RGB": 3,
    b"RGB_ALPHA": 4,
}


def _parse_pam(head: bytes) -> NetpbmHeader:
    text, end, _ = head.partition(b"\nENDHDR\n")
    fields = {
        name.upper(): value.strip()
        for name, _, value in (line.strip().partition(b" ") for line in text.splitlines()[1:])
        if name and not name.startswith(b"#")
    }
    numbers = [fields.get(name, b"") for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")]
    if not end or not all(number.isdigit() and len(number) < 10 for number in numbers):
        raise ValueError("its header is cut off or damaged")
    width, height, channels, white = map(int, numbers)
    kind = fields.get(b"TUPLTYPE", b"")
    if not 1 <= channels <= 4 or (kind and _TUPLES.get(kind) != channels):
        raise ValueError(
            f"it has {channels} channels ({kind.decode('ascii', 'replace') or 'of no type'}); "
            "a picture is grey or RGB, with or without alpha"
        )
    comments = tuple(
        line[1:].strip().decode("utf-8", "replace")
        for line in text.splitlines()
        if line.startswith(b"#")
    )
    return NetpbmHeader(width, height, channels, white, len(text) + len(end), comments=comments)


def _load_netpbm(contents: FileContents, _fail_on: Strictness) -> VipsLoad:
    """The header of a file as an image."""
    header = read_header(contents)
    return build_header((1, header.height, header.width, header.channels), header.bits), ()


def _describe_netpbm(
    contents: FileContents, _image: VipsImage
) -> tuple[Metadata, tuple[Loss, ...]]:
    """Comments are all that is said."""
    texts = tuple((COMMENT, comment) for comment in read_header(contents).comments)
    return Metadata(text=texts), ()


def _decode_netpbm(contents: FileContents) -> Iterator[Rows]:
    """All rows, from top to bottom."""
    header = read_header(contents)
    with contents.stream() as stream:
        stream.seek(header.start)
        if header.coding in ("text", "digits"):
            yield from _read_text(stream, header)
            return
        for _, count in cut_rows(header.height, header.row_bytes):
            yield _parse_rows(read_bytes(stream, count * header.row_bytes), count, header)


def _parse_rows(data: bytes, count: int, header: NetpbmHeader) -> Rows:
    if header.coding == "bits":
        bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(count, -1), axis=1)
        return ((1 - bits[:, : header.width, None]) * 255).astype(np.uint8)
    samples = np.frombuffer(data, np.uint8 if header.white < 256 else ">u2")
    return stretch(samples.reshape(count, header.width, header.channels), header.white)


def _read_text(stream: BinaryIO, header: NetpbmHeader) -> Iterator[Rows]:
    """Rows of numbers in decimal; a bitmap's may stand without spaces, and its 1 is black."""
    per_row, left = header.width * header.channels, header.height
    pieces, size = list[NDArray[np.int64]](), 0
    for numbers in _read_header_numbers(stream, split=header.coding == "digits"):
        pieces.append(numbers)
        size += len(numbers)
        count = min(size // per_row, left)
        if not count:
            continue
        rest = np.concatenate(pieces)
        rows = rest[: count * per_row].reshape(count, header.width, header.channels)
        yield stretch(1 - rows if header.coding == "digits" else rows, header.white)
        left -= count
        if not left:
            return
        pieces = [rest[count * per_row :]]
        size = len(pieces[0])
    raise ValueError(f"it ends {left} rows too early")


def _read_header_numbers(stream: BinaryIO, *, split: bool) -> Iterator[NDArray[np.int64]]:
    tail = b""
    while block := stream.read(_TEXT_BLOCK):
        text = tail + block
        cut = len(text) if split else max(text.rfind(bytes([space])) for space in _SPACE) + 1
        text, tail = text[:cut], text[cut:]
        if len(tail) > _MAX_DIGITS:
            raise ValueError("something among its samples is no number")
        yield _parse_samples(text, split=split)
    yield _parse_samples(tail, split=split)


def _parse_samples(text: bytes, *, split: bool) -> NDArray[np.int64]:
    words = text.split()
    if not all(word.isdigit() and len(word) <= _MAX_DIGITS for word in words) and not split:
        raise ValueError("something among its samples is no number")
    if not split:
        return np.array(words, np.int64)
    digits = np.frombuffer(b"".join(words), np.uint8).astype(np.int64) - ord("0")
    if digits.size and not 0 <= int(digits.min()) <= int(digits.max()) <= 1:
        raise ValueError("something among its samples is neither 0 nor 1")
    return digits


def _list_netpbm_parts(contents: FileContents) -> Iterator[FilePart]:
    """What stands behind the samples."""
    try:
        header = read_header(contents)
    except ValueError:  # opening the file says so
        return
    if header.coding in ("text", "digits"):
        return
    with contents.stream() as stream:
        size = stream.seek(0, 2)
        end = header.start + header.height * header.row_bytes
        if size > end:
            stream.seek(end)
            further = _NEXT_PICTURE.match(stream.read(3)) is not None
            yield leave_out(
                "data behind the samples", size - end, "further pictures" if further else ""
            )


def save_netpbm(image: VipsImage, task: EncodeTask, target: FileTarget, head: bytes) -> None:
    """Write ``head`` and then the samples as they are, the high byte first."""
    target.take(head)
    for rows in fetch_blocks(turn_upright(image, task.header.metadata.orientation)):
        target.take(rows.astype(">u2").tobytes() if rows.itemsize == 2 else rows.tobytes())


def build_comments(meta: Metadata) -> bytes:
    """The picture's comments as lines of a header."""
    comments = hold_comments(NETPBM_CAPACITY, meta.text)
    lines = (line for text in comments for line in text.splitlines())
    return b"".join(b"# " + line.encode() + b"\n" for line in lines)


def upright_size(task: EncodeTask) -> tuple[int, int]:
    """Width and height of the picture as it goes out."""
    size = task.header.width, task.header.height
    return size[::-1] if task.header.metadata.orientation >= 5 else size


NETPBM_CAPACITY = Capacity(
    depth=16,
    alpha="none",
    grey=True,
    animation="none",
    icc=False,
    exif=False,
    xmp=False,
    text="comments",
    max_comments=MAX_HEADER // 2,
    resolution=False,
)

NETPBM_READER = FormatReader(
    load=_load_netpbm,
    describe=_describe_netpbm,
    decode=_decode_netpbm,
    parts=_list_netpbm_parts,
    bit_depth=lambda image: get_number(image, "bits-per-sample", 16),
)
