"""What a PNG's chunks say of its colours. Source: W3C PNG 3rd edition, 4.3 and 13.13.

``cICP`` takes precedence over ``iCCP``, that over ``sRGB``, and that over ``gAMA`` and ``cHRM``.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyvips

from subpixel.media.formats.png.chunks import CHECKSUM_BYTES, COLOUR_CHUNKS, walk_chunks
from subpixel.media.libvips import VipsImage, set_blob
from subpixel.media.metadata.budget import MAX_METADATA, Budget, NoRoomError, inflate
from subpixel.media.metadata.colour_tags import (
    CodingPoints,
    coding_points_in,
    describe_coding_points,
    describe_encoding,
)
from subpixel.media.metadata.icc import fits_colours, repair_length
from subpixel.media.metadata.profile_building import Chromaticities
from subpixel.media.picture import Loss, Rows

MAX_PROFILE = MAX_METADATA
"""Most bytes that a compressed profile may unfold to, and that a chunk of colours may have."""

_PROFILE_NAME = b"icc"


@dataclass(frozen=True)
class PngColour:
    """How samples are to be read."""

    profile: bytes | None = None
    """The profile that the chunks hold or describe; None: sRGB, or nothing is said."""
    narrow: bool = False
    """Whether black and white are 16 and 235, of 8 bits, as in video."""
    losses: tuple[Loss, ...] = ()


def read_colour(file: BinaryIO, *, grey: bool) -> PngColour:
    """What the chunks before the pixels say of grey, or else RGB, samples."""
    chunks = _read_colour_chunks(file)
    if len(chunks.get(b"cICP", b"")) == 4:
        return _read_coding_points(chunks[b"cICP"], grey=grey)
    if b"iCCP" in chunks:
        return _read_profile(chunks[b"iCCP"], grey=grey)
    if b"sRGB" in chunks:
        return PngColour()
    return _read_gamma(chunks, grey=grey)


def apply_colour(image: VipsImage, colour: PngColour) -> VipsImage:
    """The image with the profile, and with black and white at the ends of its range."""
    image = image.copy()
    image.remove("icc-profile-data")
    if colour.profile is not None:
        set_blob(image, "icc-profile-data", colour.profile)
    return _widen(image) if colour.narrow else image


def widen_rows(rows: Rows) -> Rows:
    """Rows ``(h, W, C)`` of a picture of narrow range, stretched as its image is."""
    return np.asarray(_widen(pyvips.Image.new_from_array(rows)).numpy()).reshape(rows.shape)


def build_colour_chunks(profile: bytes | None) -> list[tuple[bytes, bytes]]:
    """Name and data of the chunks for samples of this profile: its code points, then itself.

    libpng's own way refuses to write profiles that it finds unsound.
    """
    if profile is None:
        return []
    chunks = [(b"iCCP", _PROFILE_NAME + b"\0\0" + zlib.compress(profile))]
    points = coding_points_in(profile)
    if points is not None:
        chunks.insert(0, (b"cICP", bytes((points.primaries, points.transfer, 0, 1))))
    return chunks


def _read_colour_chunks(file: BinaryIO) -> dict[bytes, bytes]:
    """The first of each chunk of colour before the pixels."""
    size, chunks = file.seek(0, io.SEEK_END), dict[bytes, bytes]()
    for chunk in walk_chunks(file):
        if chunk.name == b"IDAT":
            break
        is_whole = chunk.at + chunk.size + CHECKSUM_BYTES <= size
        if chunk.name in COLOUR_CHUNKS and is_whole and chunk.name not in chunks:
            chunks[chunk.name] = chunk.read(file, MAX_PROFILE)
    return chunks


def _read_coding_points(data: bytes, *, grey: bool) -> PngColour:
    primaries, transfer, matrix, full = data
    losses = []
    if not full:
        losses.append(Loss("colour", "narrow-range samples (cICP) are stretched to the full range"))
    if matrix:
        losses.append(Loss("colour", f"the matrix {matrix} of cICP is none for RGB; not applied"))
    points, profile = CodingPoints(primaries, transfer), None
    if not points.says_srgb:
        try:
            profile = describe_coding_points(points, grey=grey)
        except ValueError as error:
            losses.append(Loss("colour", f"{error} (cICP), are not applied"))
    return PngColour(profile, not full, tuple(losses))


def _read_profile(data: bytes, *, grey: bool) -> PngColour:
    """Of ``iCCP``; libpng passes a profile over where its length is a few bytes off."""
    _, _, rest = data.partition(b"\0")
    try:
        profile = repair_length(inflate(rest[1:], Budget(), MAX_PROFILE))
    except (zlib.error, EOFError, NoRoomError):
        profile = b""
    if fits_colours(profile, grey=grey):
        return PngColour(profile)
    reason = "the profile is damaged or of another colour space; left out"
    return PngColour(losses=(Loss("icc", reason),))


def _read_gamma(chunks: dict[bytes, bytes], *, grey: bool) -> PngColour:
    gamma = int.from_bytes(chunks[b"gAMA"]) if len(chunks.get(b"gAMA", b"")) == 4 else 0
    numbers = chunks.get(b"cHRM", b"")
    colours = _parse_chromaticities(numbers) if len(numbers) == 32 else None
    try:
        return PngColour(describe_encoding(colours, gamma / 1e5 or None, grey=grey))
    except ValueError as error:
        return PngColour(losses=(Loss("colour", f"{error} (gAMA, cHRM); not applied"),))


def _parse_chromaticities(data: bytes) -> Chromaticities:
    numbers = [number / 1e5 for number in struct.unpack(">8I", data)]
    white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
    return Chromaticities(red, green, blue, white)


def _widen(image: VipsImage) -> VipsImage:
    """Samples of 16 … 235 of 255, or 256 times that in 16 bits, stretched to the full range."""
    step, white = (1, 255) if image.format == "uchar" else (256, 65_535)
    colours = image.bands - (1 if image.bands in (2, 4) else 0)
    scale = [white / (219 * step)] * colours + [1.0] * (image.bands - colours)
    shift = [-16 * white / 219] * colours + [0.0] * (image.bands - colours)
    wide = image.linear(scale, shift).rint().cast(image.format)
    return wide.copy(interpretation=image.interpretation)
