"""Picture files, read with libvips: what they say first, then their pixels, by rows.

The pixels are held as stored: an orientation is a tag, except in AVIF and GIF, where the pixels
that come in are upright.
"""

import io
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pyvips

from subpixel.errors import PictureError, PictureTooLargeError
from subpixel.media import containers
from subpixel.media.formats import FormatName, sniff
from subpixel.media.libvips import Image, blob, number, out_of_memory, reason
from subpixel.media.metadata import exif
from subpixel.media.picture import Frames, Header, Loss, Metadata, Picture, Rows

DEFAULT_MAX_PIXELS = 500_000_000
"""Width × height × frames. Twice the largest camera sensors (250 megapixels), 1.5 GB as 8-bit RGB;
a header that claims more, such as 60000 × 60000, is likelier an attack than a photograph."""

CHUNK_ROWS = 32
"""Rows that are decoded at a time. libvips drops its sequential cache's oldest rows beyond that."""

CACHED_ROWS = 1100
"""Rows that libvips keeps of a picture that it reads from top to bottom."""

Strictness = Literal["error", "warning"]


@dataclass(frozen=True, eq=False)
class PictureFile:
    """A picture file that is open: what it says, and its pixels as often as they are asked for."""

    file: Path
    name: FormatName
    header: Header
    memory: int
    """About what libvips holds while it decodes, beside the rows it gives."""
    _contents: "_Contents"

    def chunks(self) -> Iterator[Rows]:
        """Decode from the start: ``(h, W, C)`` rows from top to bottom, frame after frame.

        ``h`` is at most :data:`CHUNK_ROWS`, and no chunk has rows of two frames. Raises
        :class:`PictureError` where the data is damaged or cut off, or the file has changed
        since it was opened, and :class:`MemoryError`.
        """
        with _said(self.file, self.name):
            self._contents.expect_unchanged()
            yield from self._decoded()

    def _decoded(self) -> Iterator[Rows]:
        done = 0
        for fail_on in _STRICTNESS[self.name]:
            try:
                for rows in self._decoded_from(done, fail_on):
                    yield rows
                    done += len(rows)
            except pyvips.Error as error:
                if fail_on == "error" or not _harmless(error):
                    raise
            else:
                return

    def _decoded_from(self, start: int, fail_on: Strictness) -> Iterator[Rows]:
        count, height, _, channels = self.header.shape
        image, _ = _in_rgb(_opened(self._contents, self.name, fail_on)[0])
        for rows in _chunks(image, start, count * height, height):
            yield _true(rows[..., :channels], self.name, self.header.bit_depth)


def open_picture(file: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> PictureFile:
    """Open a JPEG, PNG, WebP, TIFF, AVIF or GIF, told apart by content rather than by suffix.

    Pixels are uint8 or uint16: palettes and 1, 2 and 4 bits unfolded, animations frame by frame,
    CMYK turned into sRGB through its profile (recorded in ``losses``). Nothing is decoded yet,
    but for a GIF with transparency. Raises :class:`PictureTooLargeError` when width × height ×
    frames is over ``max_pixels``, and :class:`PictureError`, in one line, for a file that is
    missing or damaged, or holds anything that a picture can't be.
    """
    file = Path(file)
    contents = _Contents.of(file)
    name = sniff(contents.head)
    if name is None:
        raise PictureError(
            f"{file} can't be read: it holds no JPEG, PNG, WebP, TIFF, AVIF or GIF picture"
        )
    with _said(file, name):
        return _open(contents, name, max_pixels)


def read_picture(file: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Read the whole of what :func:`open_picture` opens.

    Frames come as ``(N, H, W, C)``. Raises what :func:`open_picture` and
    :meth:`PictureFile.chunks` raise.
    """
    opened = open_picture(file, max_pixels=max_pixels)
    header, at = opened.header, 0
    frames: Frames = np.empty(header.shape, header.dtype)
    below = frames.reshape(-1, *header.shape[2:])
    for rows in opened.chunks():
        below[at : at + len(rows)] = rows
        at += len(rows)
    return Picture(frames, header.metadata, header.bit_depth, header.losses)


@dataclass(frozen=True)
class _Contents:
    """A file's bytes: left on disk, or held where they can be had but once (a pipe)."""

    file: Path
    head: bytes
    stamp: tuple[int, ...]
    data: bytes | None

    @staticmethod
    def of(file: Path) -> "_Contents":
        try:
            with file.open("rb") as stream:
                stamp = _stamp(stream)
                data = None if stamp else stream.read()
                head = stream.read(16) if data is None else data[:16]
        except OSError as error:
            raise PictureError(f"{file} can't be read: {error.strerror or error}") from error
        if not head:
            raise PictureError(f"{file} can't be read: it is empty (0 bytes)")
        return _Contents(file, head, stamp, data)

    def stream(self) -> BinaryIO:
        return self.file.open("rb") if self.data is None else io.BytesIO(self.data)

    def mapped(self) -> exif.Block:
        """All of it, read from disk where it is looked at."""
        if self.data is not None:
            return self.data
        try:
            with self.stream() as stream:
                return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise MemoryError(f"no room to map {self.file}: {error.strerror}") from error

    def source(self) -> pyvips.Source:
        """For libvips, which reads a file as it goes along."""
        if self.data is None:
            return pyvips.Source.new_from_file(os.fsencode(self.file))
        return pyvips.Source.new_from_memory(self.data)

    def expect_unchanged(self) -> None:
        if self.data is not None:
            return
        try:
            with self.stream() as stream:
                stamp = _stamp(stream)
        except OSError as error:
            raise PictureError(f"{self.file} can't be read: {error.strerror}") from error
        if stamp != self.stamp:
            raise PictureError(f"{self.file} has changed while it was read; start anew")


def _stamp(stream: BinaryIO) -> tuple[int, ...]:
    """What changes when a file does; empty for what is no file of a size."""
    if not stream.seekable():
        return ()
    status = os.fstat(stream.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def _said(file: Path, name: FormatName) -> Iterator[None]:
    """What goes wrong in libvips, in our words."""
    pyvips.vips_lib.vips_error_clear()
    try:
        yield
    except (pyvips.Error, ValueError) as error:
        if out_of_memory(error):
            raise MemoryError(f"decoding {name}") from error
        raise PictureError(f"{file} can't be read as {name}: {reason(error)}") from error


_STRICTNESS: dict[FormatName, tuple[Strictness, ...]] = {
    "JPEG": ("warning", "error"),
    "PNG": ("error",),
    "WebP": ("error",),
    "TIFF": ("error",),
    "AVIF": ("error",),
    "GIF": ("error",),
}

_HARMLESS = ("extraneous bytes", "JFIF revision", "color transform code", "bad ICC marker")
"""What libjpeg warns of in whole pictures; its other warnings mean damaged pixels."""


def _harmless(error: pyvips.Error) -> bool:
    return any(words in str(error) for words in _HARMLESS)


def _open(contents: _Contents, name: FormatName, max_pixels: int) -> PictureFile:
    first, *rest = _STRICTNESS[name]
    try:
        return _opened_as(contents, name, max_pixels, first)
    except pyvips.Error as error:
        if not rest or not _harmless(error):
            raise
        return _opened_as(contents, name, max_pixels, *rest)


def _opened_as(
    contents: _Contents, name: FormatName, max_pixels: int, fail_on: Strictness
) -> PictureFile:
    image, skipped = _opened(contents, name, fail_on)
    _expect_size(image, contents.file, max_pixels)
    metadata, unread = _metadata(contents, name, image)
    if name == "TIFF" and exif.photometric_of_tiff(contents.mapped()) in _LAB:
        raise ValueError("its colours are Lab; convert it to RGB first")
    held = _held(image, name)
    image, converted = _in_rgb(image)
    metadata = replace(metadata, icc=blob(image, "icc-profile-data"))
    header = _header(image, name, metadata, (*skipped, *unread, *converted))
    opened = PictureFile(contents.file, name, header, held, contents)
    return replace(opened, header=_without_unused_alpha(opened)) if name == "GIF" else opened


_LOADERS: dict[FormatName, str] = {
    "JPEG": "jpegload_source",
    "PNG": "pngload_source",
    "WebP": "webpload_source",
    "TIFF": "tiffload_source",
    "AVIF": "heifload_source",
    "GIF": "gifload_source",
}


def _opened(
    contents: _Contents, name: FormatName, fail_on: Strictness
) -> tuple[Image, tuple[Loss, ...]]:
    """The header read and nothing decoded: all frames below each other."""
    load = getattr(pyvips.Image, _LOADERS[name])
    options: dict[str, str | int] = {"fail_on": fail_on, "access": "sequential"}
    if name in ("WebP", "GIF"):
        return load(contents.source(), n=-1, **options), ()
    first = load(contents.source(), **options)
    pages = first.get_n_pages()
    if pages == 1:
        return first, ()
    if name == "TIFF":
        try:
            return load(contents.source(), n=-1, **options), ()
        except pyvips.Error:  # pages of several sizes: a pyramid, or a thumbnail
            return first, (
                Loss("frames", f"pages 2 to {pages} are of other sizes, or damaged; left out"),
            )
    primary = load(contents.source(), page=first.get("heif-primary"), **options)
    return primary, (Loss("frames", f"one of the {pages} pictures in the file is used"),)


def _expect_size(image: Image, file: Path, max_pixels: int) -> None:
    pixels = image.width * image.height
    if pixels > max_pixels:
        height = image.get_page_height()
        raise PictureTooLargeError(
            f"{file} has {image.width} x {height} pixels in {image.height // height} frame(s), "
            f"{pixels:,} in all; {max_pixels:,} are allowed: raise max_pixels to read it"
        )


def _metadata(
    contents: _Contents, name: FormatName, image: Image
) -> tuple[Metadata, tuple[Loss, ...]]:
    """All but the colour profile, which the conversion to RGB may change."""
    block = (blob(image, "exif-data") or b"").removeprefix(exif.PREFIX) or None
    meta = replace(_timing(image), exif=block, xmp=blob(image, "xmp-data"))
    losses: tuple[Loss, ...] = ()
    if name == "JPEG":
        with contents.stream() as stream:
            data = containers.jpeg_head(stream)
        resolution = containers.jpeg_resolution(data) or exif.resolution_in(meta.exif)
        meta = replace(meta, resolution=resolution, iptc=blob(image, "iptc-data"))
        meta = replace(meta, text=containers.jpeg_comments(data))
        losses = containers.jpeg_losses(data)
    elif name == "PNG":
        with contents.stream() as stream:
            png = containers.png_facts(stream)
        resolution = png.resolution or exif.resolution_in(png.exif)
        meta = replace(meta, text=png.text, xmp=png.xmp, exif=png.exif, resolution=resolution)
        losses = png.losses
        if png.has_profile and not image.get_typeof("icc-profile-data"):
            losses += (Loss("icc", "libpng finds the profile unsound; left out"),)
    elif name == "TIFF":
        whole = contents.mapped()
        resources, records = (exif.value_in(whole, t) for t in (exif.PHOTOSHOP, exif.IPTC))
        iptc = containers.iptc_of_tiff(resources, records)
        meta = replace(meta, exif=exif.from_tiff(whole), iptc=iptc)
        meta = replace(meta, resolution=exif.resolution_in(whole))
    else:
        meta = replace(meta, resolution=exif.resolution_in(meta.exif))
    turned = number(image, "orientation", 1) if name == "TIFF" else exif.orientation_in(meta.exif)
    return replace(meta, orientation=1 if name == "AVIF" else turned), losses


def _timing(image: Image) -> Metadata:
    """The metadata of a file's frames; that of a still says nothing."""
    if image.get_n_pages() == 1 or not image.get_typeof("delay"):
        return Metadata()
    return Metadata(delays_ms=tuple(image.get("delay")), loop=number(image, "loop", 0))


_LAB = (8, 9, 10)


def _in_rgb(image: Image) -> tuple[Image, tuple[Loss, ...]]:
    """Grey or RGB of 8 or 16 bits, alpha straight; raises :class:`ValueError` for what can't be."""
    if image.format not in ("uchar", "ushort"):
        raise ValueError(f"its samples are {image.format}; save it with 8 or 16 bits per sample")
    if image.interpretation == "cmyk":
        return _from_cmyk(image)
    if image.bands > 4 or image.interpretation not in ("b-w", "grey16", "srgb", "rgb16", "rgb"):
        raise ValueError(
            f"it has {image.bands} channels ({image.interpretation}); "
            "a picture is grey or RGB, with or without alpha"
        )
    return image, ()


def _from_cmyk(image: Image) -> tuple[Image, tuple[Loss, ...]]:
    embedded = bool(image.get_typeof("icc-profile-data"))
    depth = 16 if image.format == "ushort" else 8
    options = {"intent": "relative", "black_point_compensation": True, "depth": depth}
    rgb = image.icc_transform("srgb", embedded=embedded, input_profile="cmyk", **options)
    through = "its own profile" if embedded else "a generic profile, as it has none of its own"
    return rgb, (Loss("colour", f"CMYK turned into sRGB through {through}"),)


def _header(image: Image, name: FormatName, metadata: Metadata, losses: tuple[Loss, ...]) -> Header:
    height = image.get_page_height()
    shape = (image.height // height, height, image.width, image.bands)
    dtype = np.dtype(_DTYPES[image.format])
    depth = number(image, "bits-per-sample", 16) if name == "AVIF" else 16
    return Header(shape, dtype, metadata, 8 if dtype == np.uint8 else depth, losses)


_DTYPES: dict[str, type[np.generic]] = {"uchar": np.uint8, "ushort": np.uint16}


def _without_unused_alpha(opened: PictureFile) -> Header:
    """libvips makes room for transparency in every GIF, be it used or not."""
    header = opened.header
    if header.has_alpha and all((rows[..., -1] == 255).all() for rows in opened.chunks()):
        return replace(header, shape=(*header.shape[:3], header.channels - 1))
    return header


def _chunks(image: Image, start: int, stop: int, height: int) -> Iterator[Rows]:
    """Rows ``[start, stop)`` of frames of ``height`` rows below each other."""
    region = pyvips.Region.new(image)
    dtype = _DTYPES[image.format]
    while start < stop:
        count = min(CHUNK_ROWS, height - start % height)
        samples = np.frombuffer(region.fetch(0, start, image.width, count), dtype)
        yield samples.reshape(count, image.width, image.bands)
        start += count


def _true(rows: Rows, name: FormatName, depth: int) -> Rows:
    """libvips shifts AVIF's 10 and 12 bits up, so that white is below 65535: scale instead."""
    if name != "AVIF" or depth in (8, 16):
        return rows
    most = (1 << depth) - 1
    samples = (rows >> (16 - depth)).astype(np.uint32)
    return ((samples * 65535 + most // 2) // most).astype(np.uint16)


def _held(image: Image, name: FormatName) -> int:
    """What a decoder holds at once; measured with libvips 8.18 on 9 and 16 megapixels."""
    pixels = image.width * image.get_page_height()
    deep, interlaced = image.format == "ushort", bool(number(image, "interlaced", 0))
    row = image.width * image.bands * (1 + deep)
    if name in _WHOLE:
        return int(pixels * _WHOLE[name] * (1 + deep))
    whole = {"PNG": 1.2 * row, "JPEG": 2 * row}.get(name, 0) if interlaced else 0
    return int(min(image.height, CACHED_ROWS) * row + image.get_page_height() * whole)


_WHOLE: dict[FormatName, float] = {"WebP": 10, "AVIF": 20, "GIF": 8}
"""Bytes per pixel of formats that can't be decoded in parts."""
