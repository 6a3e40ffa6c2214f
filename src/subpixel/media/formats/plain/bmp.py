"""BMP: Windows bitmaps, uncompressed. Source: Microsoft's Bitmap Storage, Bitmap Header Types."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from subpixel.media.formats.account import FilePart, leave_out, lose_oversized
from subpixel.media.formats.format import Capacity, EncodeTask, Format, FormatReader, FormatWriter
from subpixel.media.formats.plain.rows import cut_rows, fetch_blocks, read_bytes, stretch
from subpixel.media.libvips import (
    FileContents,
    FileTarget,
    Strictness,
    VipsImage,
    VipsLoad,
    build_header,
    turn_upright,
)
from subpixel.media.metadata import exif
from subpixel.media.metadata.budget import MAX_METADATA
from subpixel.media.picture import Loss, Metadata, Rows

_FILE_HEADER, _OS2_HEADER, _HEADER, _V4_HEADER, _V5_HEADER = 14, 12, 40, 108, 124
_PLAIN, _BIT_FIELDS, _ALPHA_BIT_FIELDS = 0, 3, 6
_COMPRESSIONS = {1: "run-length", 2: "run-length", 4: "JPEG", 5: "PNG"}
_EMBEDDED, _LINKED, _CALIBRATED = b"DEBM", b"KNIL", bytes(4)
_SRGB = b"BGRs"
"""Kinds of colour space, as their bytes stand in a file."""

_MASKS_16 = (0x7C00, 0x03E0, 0x001F, 0)
_MASKS_32 = (0xFF0000, 0x00FF00, 0x0000FF, 0)

MAX_FILE = (1 << 32) - 1
_MAX_BMP_DENSITY = (1 << 31) - 1


@dataclass(frozen=True)
class BmpHeader:
    """What a file says of its samples."""

    width: int
    height: int
    bottom_up: bool
    bits: int
    """Per pixel: 1, 2, 4, 8 with a palette; 16, 24, 32."""
    start: int
    """Where the samples begin."""
    masks: tuple[int, int, int, int]
    """Bits of red, green, blue and alpha in 16 or 32."""
    palette: NDArray[np.uint8]
    """``(N, C)``, grey where all its colours are."""
    resolution: tuple[float, float] | None
    profile: bytes | None
    losses: tuple[Loss, ...]
    end_of_header: int
    """Where the header and the palette end."""

    @property
    def channels(self) -> int:
        if self.bits <= 8:
            return int(self.palette.shape[1])
        return 4 if self.masks[3] else 3

    @property
    def row_bytes(self) -> int:
        """With what fills it up to a multiple of 4."""
        return (self.width * self.bits + 31) // 32 * 4


def read_bmp_header(stream: BinaryIO) -> BmpHeader:
    """Raises :class:`ValueError` for what isn't read here."""
    stream.seek(0)
    start, size = struct.unpack("<10xII", read_bytes(stream, 18))
    if not (size == _OS2_HEADER or _HEADER <= size <= 1024):
        raise ValueError(f"its header of {size} bytes is of no known kind")
    stream.seek(_FILE_HEADER)
    info = read_bytes(stream, size)
    if size == _OS2_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", info, 4)
        info, entry = info.ljust(_HEADER, b"\0"), 3
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", info, 4)
        entry = 4
    compression, _, across, down, used = struct.unpack_from("<IIiiI", info, 16)
    if size == _OS2_HEADER:
        compression = across = down = used = 0
    _expect_readable(width, height, bits, compression)
    masks = _read_masks(stream, info, bits, compression)
    palette = _read_palette(stream, entry, bits, used)
    profile, losses = _read_bmp_colour(stream, info)
    resolution = (across / 1000, down / 1000) if across > 0 and down > 0 else None
    end = _FILE_HEADER + size + entry * (len(palette) if bits <= 8 else 0)
    bottom_up, height = height > 0, abs(height)
    return BmpHeader(
        width, height, bottom_up, bits, start, masks, palette, resolution, profile, losses, end
    )


def _expect_readable(width: int, height: int, bits: int, compression: int) -> None:
    if width <= 0 or height == 0:
        raise ValueError(f"it has {width} x {height} pixels")
    if compression in _COMPRESSIONS:
        how = _COMPRESSIONS[compression]
        raise ValueError(f"its samples are compressed ({how}); save it plain")
    if bits not in (1, 2, 4, 8, 16, 24, 32) or (
        compression != _PLAIN
        and (compression not in (_BIT_FIELDS, _ALPHA_BIT_FIELDS) or bits not in (16, 32))
    ):
        raise ValueError(f"{bits} bits a pixel in compression {compression} are of no known kind")


def _read_masks(
    stream: BinaryIO, info: bytes, bits: int, compression: int
) -> tuple[int, int, int, int]:
    if compression == _PLAIN:
        return _MASKS_16 if bits == 16 else _MASKS_32
    if len(info) >= 56:
        red, green, blue, alpha = struct.unpack_from("<IIII", info, 40)
    elif len(info) >= 52:
        red, green, blue, alpha = (*struct.unpack_from("<III", info, 40), 0)
    elif compression == _ALPHA_BIT_FIELDS:
        red, green, blue, alpha = struct.unpack("<IIII", read_bytes(stream, 16))
    else:
        red, green, blue, alpha = (*struct.unpack("<III", read_bytes(stream, 12)), 0)
    for mask in (red, green, blue):
        if not mask:
            raise ValueError("a colour has no bits")
    if max(red, green, blue, alpha) >> bits:
        raise ValueError(f"a colour has bits beyond the {bits} of a pixel")
    return red, green, blue, alpha


def _read_palette(stream: BinaryIO, entry: int, bits: int, used: int) -> NDArray[np.uint8]:
    """Behind the header, where the stream stands."""
    if bits > 8:
        return np.empty((0, 3), np.uint8)
    count = min(used or 1 << bits, 1 << bits)
    colours = np.frombuffer(read_bytes(stream, count * entry), np.uint8).reshape(count, entry)
    colours = colours[:, 2::-1]
    if (colours == colours[:, :1]).all():
        colours = colours[:, :1]
    return np.ascontiguousarray(colours)


def _read_bmp_colour(stream: BinaryIO, info: bytes) -> tuple[bytes | None, tuple[Loss, ...]]:
    """The colour profile that a file holds, or a loss where it describes its colours otherwise."""
    if len(info) < _V4_HEADER:
        return None, ()
    kind = info[56:60]
    if kind == _EMBEDDED and len(info) >= _V5_HEADER:
        at, size = struct.unpack_from("<II", info, 112)
        stream.seek(_FILE_HEADER + at)
        profile = stream.read(min(size, MAX_METADATA))
        if size > MAX_METADATA:
            return None, (lose_oversized("icc", size),)
        return (profile, ()) if len(profile) == size else (None, (_lose_colour("is cut off"),))
    if kind == _LINKED:
        return None, (_lose_colour("is a file of its own"),)
    if kind == _CALIBRATED and any(info[96:108]):
        return None, (Loss("colour", "end points and gamma in the header are not applied"),)
    return None, ()


def _lose_colour(reason: str) -> Loss:
    return Loss("icc", f"the profile {reason}; left out")


def _load_bmp(contents: FileContents, _fail_on: Strictness) -> VipsLoad:
    with contents.stream() as stream:
        header = read_bmp_header(stream)
    shape = (1, header.height, header.width, header.channels)
    return build_header(shape, 8, header.profile), header.losses


def _describe_bmp(contents: FileContents, _image: VipsImage) -> tuple[Metadata, tuple[Loss, ...]]:
    with contents.stream() as stream:
        header = read_bmp_header(stream)
        losses = tuple(_find_unnamed_alpha(stream, header))
    resolution = exif.believe_resolution(header.resolution)
    if header.resolution is not None and resolution is None:
        losses += (exif.lose_resolution(header.resolution),)
    return Metadata(resolution=resolution), losses


def _find_unnamed_alpha(stream: BinaryIO, header: BmpHeader) -> Iterator[Loss]:
    """Some programs write alpha where the header knows of none; Windows takes it as padding."""
    if header.bits != 32 or any(header.masks[3:]) or header.masks != _MASKS_32:
        return
    values = set[int]()
    stream.seek(header.start)
    for _, count in cut_rows(header.height, header.row_bytes):
        block = stream.read(count * header.row_bytes)
        if not block:
            break
        values |= set(np.unique(np.frombuffer(block, np.uint8)[3::4]).tolist())
    if not values <= {0} and not values <= {255}:
        yield Loss("alpha", "the fourth byte of its pixels is taken as padding, as Windows does")


def _decode_bmp(contents: FileContents) -> Iterator[Rows]:
    with contents.stream() as stream:
        header = read_bmp_header(stream)
        for top, count in cut_rows(header.height, header.row_bytes):
            first = header.height - top - count if header.bottom_up else top
            stream.seek(header.start + first * header.row_bytes)
            data = read_bytes(stream, count * header.row_bytes)
            rows = _parse_bmp_rows(np.frombuffer(data, np.uint8).reshape(count, -1), header)
            yield rows[::-1] if header.bottom_up else rows


def _parse_bmp_rows(data: NDArray[np.uint8], header: BmpHeader) -> Rows:
    if header.bits <= 8:
        return _apply_palette(data, header)
    if header.bits == 24:
        pixels = data[:, : header.width * 3].reshape(len(data), header.width, 3)
        return pixels[..., ::-1]
    words = data[:, : header.width * header.bits // 8].view(f"<u{header.bits // 8}")
    masks = header.masks[: header.channels]
    return np.stack([_extract(words, mask) for mask in masks], axis=-1)


def _apply_palette(data: NDArray[np.uint8], header: BmpHeader) -> Rows:
    """Colours of a palette's numbers."""
    bits = np.unpackbits(data, axis=1).reshape(len(data), -1, header.bits)
    weights = 1 << np.arange(header.bits - 1, -1, -1)
    numbers = (bits[:, : header.width] * weights).sum(axis=-1)
    if int(numbers.max()) >= len(header.palette):
        raise ValueError(f"a pixel is of colour {int(numbers.max())} of {len(header.palette)}")
    return np.asarray(header.palette[numbers])


def _extract(words: NDArray[np.unsignedinteger], mask: int) -> Rows:
    """The bits of a mask, which lie beside one another, in the full range."""
    shift = (mask & -mask).bit_length() - 1
    white = mask >> shift
    samples = (words & mask) >> shift
    if white > 255:
        samples, white = samples >> (white.bit_length() - 8), 255
    return stretch(samples, white)


def _list_bmp_parts(contents: FileContents) -> Iterator[FilePart]:
    """What lies before, between and behind what is read."""
    with contents.stream() as stream:
        try:
            header = read_bmp_header(stream)
        except ValueError:  # opening the file says so
            return
        size = stream.seek(0, 2)
    end = header.start + header.height * header.row_bytes
    rest = size - end - (len(header.profile) if header.profile else 0)
    if rest > 3:  # what fills up to a multiple of 4 is no data
        yield leave_out("data behind the samples", rest)


def _save_bmp(image: VipsImage, task: EncodeTask, target: FileTarget) -> None:
    image = turn_upright(image, task.header.metadata.orientation)
    channels = 4 if image.bands == 2 else image.bands
    row = (image.width * channels + 3) // 4 * 4
    head = _build_bmp_head(image, channels, row, task.header.metadata)
    target.take(head)
    bottom = image.height
    for rows in fetch_blocks(image):
        bottom -= len(rows)
        target.stream.seek(len(head) + bottom * row)
        target.take(_order_samples(rows, row))


def _build_bmp_head(image: VipsImage, channels: int, row: int, meta: Metadata) -> bytes:
    """File header, header and palette, which for grey is a ramp."""
    palette = b"".join(bytes((v, v, v, 0)) for v in range(256)) if channels == 1 else b""
    size = _V4_HEADER if channels == 4 else _HEADER
    start = _FILE_HEADER + size + len(palette)
    if start + row * image.height > MAX_FILE:
        raise ValueError("over 4 GiB, which a BMP can't say; use PNG or TIFF")
    across, down = (min(round(1000 * r), _MAX_BMP_DENSITY) for r in meta.resolution or (0, 0))
    file = struct.pack("<2sI4xI", b"BM", start + row * image.height, start)
    info = struct.pack(
        "<IiiHHIIiiII",
        *(size, image.width, image.height, 1, 8 * channels),
        *(_BIT_FIELDS if channels == 4 else _PLAIN, row * image.height, across, down, 0, 0),
    )
    if channels == 4:
        info += struct.pack("<IIII4s", *_MASKS_32[:3], 0xFF000000, _SRGB)
    return file + info.ljust(size, b"\0") + palette


def _order_samples(rows: Rows, row: int) -> bytes:
    """Rows from the bottom up, blue first, each filled up."""
    if rows.shape[2] == 2:
        rows = rows[..., [0, 0, 0, 1]]
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[rows.shape[2]]
    flat = rows[::-1, :, order].reshape(len(rows), -1)
    return np.pad(flat, ((0, 0), (0, row - flat.shape[1]))).tobytes()


BMP = Format(
    name="BMP",
    suffixes=(".bmp", ".dib"),
    recognize=lambda head: head[:2] == b"BM" and head[6:10] == bytes(4),
    capacity=Capacity(
        depth=8, alpha="full", grey=True, animation="none", icc=False, exif=False, xmp=False
    ),
    reader=FormatReader(
        load=_load_bmp, describe=_describe_bmp, decode=_decode_bmp, parts=_list_bmp_parts
    ),
    writer=FormatWriter(save=_save_bmp, options=frozenset({"lossless"})),
)
