"""Picture files, read with libvips: what they say first, then their pixels, by rows.

The pixels are held as stored: an orientation is a tag, except in formats whose decoder applies it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import pyvips

from subpixel.errors import MemoryLimitError, PictureError, PictureTooLargeError
from subpixel.media.compression.read import Compression
from subpixel.media.formats.account import collect_losses, limit_metadata
from subpixel.media.formats.format import Format
from subpixel.media.formats.registry import list_names, sniff
from subpixel.media.libvips import (
    DECODER_PIXEL_BYTES,
    FileContents,
    Strictness,
    VipsImage,
    VipsLoad,
    clear_errors,
    expect_threads,
    explain_error,
    get_blob,
    get_number,
    is_out_of_memory,
    reading_errors,
)
from subpixel.media.metadata import icc
from subpixel.media.metadata.budget import MAX_METADATA, Budget
from subpixel.media.picture import Header, Loss, Metadata, Rows
from subpixel.system.machine_memory import can_allocate, resident

DEFAULT_MAX_PIXELS = 500_000_000
"""Width × height × frames. Twice the largest camera sensors (250 megapixels), 1.5 GB as 8-bit RGB;
a header that claims more, such as 60000 × 60000, is likelier an attack than a photograph."""

PIXEL_BYTES = 8
"""What a pixel takes in a file without compression, at most: four channels of 16 bits."""

MAX_PAGES_METADATA = 1 << 26
"""What a file that is held in memory may have beside its pixels, in bytes."""

METADATA_COPIES = 4
"""How often texts and blocks are held while they are changed and written."""

SPARE_MEMORY = 1 << 28
"""More than it takes to read the header of any sound file, in bytes."""

CHUNK_ROWS = 32
"""Rows that are decoded at a time. libvips drops its sequential cache's oldest rows beyond that."""

CHUNK_BYTES = 1 << 22
"""Of rows that are decoded at a time, about the most: those of a very wide picture are fewer."""

PART_BYTES = 1 << 18
"""Of rows that are computed at a time, at the most: each of libvips' operations between the decoder
and us holds as many pixels."""

READ_CACHE_ROWS = 1100
"""Rows that libvips keeps of a picture that it reads from top to bottom."""

_GREY, _RGB = ("b-w", "grey16"), ("srgb", "rgb16", "rgb")
"""libvips' names for grey and RGB."""

_DTYPES: dict[str, type[np.generic]] = {"uchar": np.uint8, "ushort": np.uint16}


@dataclass(frozen=True, eq=False)
class PictureFile:
    """A picture file that is open: what it says, and its pixels as often as they are asked for."""

    file: Path
    form: Format
    header: Header
    memory: int
    """About what libvips holds while it decodes, beside the rows it gives."""
    _contents: FileContents

    def compression(self) -> Compression:
        """How coarsely the file was quantised, as far as it says so."""
        return self.form.reader.compression(self._contents)

    @property
    def decoders(self) -> "Decoders | None":
        """Who decodes it apart, if anybody; they do what else its bytes are needed for."""
        return None

    def chunks(self) -> Iterator[Rows]:
        """Decode from the start: ``(h, W, C)`` rows from top to bottom, frame after frame.

        ``h`` is at most :data:`CHUNK_ROWS`, and no chunk has rows of two frames. Raises
        :class:`PictureError` where the data is damaged or cut off, or the file has changed
        since it was source, and :class:`MemoryError`.
        """
        expect_threads()
        with _decoding_errors(self.file, self.form, 2 * self.memory):
            self._contents.expect_unchanged()
            yield from self._decode()
            self._contents.expect_unchanged()  # where a decoder made the best of a file cut off

    def _decode(self) -> Iterator[Rows]:
        """All rows; behind a harmless warning they go on where it stopped them."""
        done, reader = 0, self.form.reader
        ours = reader.decode(self._contents)
        if ours is not None:
            yield from _cut_rows(ours, self.header, self.form)
            return
        for fail_on in reader.strictness:
            try:
                for rows in self._decode_from(done, fail_on):
                    yield rows
                    done += len(rows)
            except pyvips.Error as error:
                if fail_on == "error" or not reader.is_harmless(error):
                    raise
            else:
                return

    def _decode_from(self, start: int, fail_on: Strictness) -> Iterator[Rows]:
        _, height, _, channels = self.header.shape
        reader, count = self.form.reader, self.header.expect_count(self.form.name)
        image, _ = _convert_to_rgb(reader.load(self._contents, fail_on)[0])
        for rows in _fetch_rows(image, start, count * height, height):
            yield reader.true_samples(rows[..., :channels], self.header.bit_depth)


class ColourStage(Protocol):
    """Turns rows into sRGB."""

    def convert(self, rows: Rows) -> Rows:
        """``(h, W, C)`` of any height; grey becomes RGB."""
        ...

    def close(self) -> None:
        """No more rows come."""
        ...


class Decoders(Protocol):
    """Who decodes files apart: a :class:`~subpixel.media.apart.pool.DecoderPool`."""

    def open_colours(self, profile: bytes, header: Header, file: Path) -> ColourStage:
        """Apply ``profile`` to rows of ``header``, which go into ``file``."""
        ...

    def enlarge_map(self, header: Header, quality: int) -> bytes | None:
        """The gain map of a picture of ``header``, grown with it, as a JPEG of ``quality``; None
        where there is none that fits."""
        ...

    def open_contents(self, contents: FileContents, form: Format, max_pixels: int) -> PictureFile:
        """Open a file of the format ``form`` whose first bytes were read."""
        ...


def open_picture(
    file: str | Path,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_memory: int | None = None,
    max_bytes: int | None = None,
    decoders: Decoders | None = None,
) -> PictureFile:
    """Open a picture of any format in the registry, told apart by content rather than by suffix.

    Pixels are uint8 or uint16: palettes and 1, 2 and 4 bits unfolded, animations frame by frame,
    CMYK turned into sRGB through its profile (recorded in ``losses``). Nothing is decoded yet,
    but for transparency that a format's decoder gives in any case; ``max_memory`` is what the
    process may hold for that, in bytes. GIF and WebP are held in memory as files: up to
    ``max_bytes``, and to what ``max_pixels`` pixels of 16 bits take without compression. With
    ``decoders`` all of it happens apart, but for a look at the first bytes.

    Raises :class:`PictureTooLargeError` when width × height × frames is over ``max_pixels``,
    :class:`~subpixel.errors.MemoryLimitError` where ``max_memory`` or ``max_bytes`` is too little,
    and :class:`PictureError`, in one line, for a file that is missing or damaged, or holds anything
    that a picture can't be, and for a folder, a pipe or a device: what comes through a pipe is for
    :func:`open_stream`.
    """
    contents = FileContents.of(Path(file), limit_file_bytes(max_pixels, max_bytes))
    return open_contents(contents, max_pixels, max_memory, decoders)


def open_stream(
    stream: BinaryIO,
    *,
    name: str = "the stream",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    max_bytes: int | None = None,
    decoders: Decoders | None = None,
) -> PictureFile:
    """Open a picture that a binary stream (a pipe) gives, from where it is to its end.

    Its bytes are held in memory: up to ``max_bytes``, and to what ``max_pixels`` pixels of 16 bits
    take without compression. ``name`` is what messages call it. Raises what :func:`open_picture`
    raises, and :class:`~subpixel.errors.MemoryLimitError` for more bytes.
    """
    contents = hold_stream(stream, name, limit_file_bytes(max_pixels, max_bytes))
    return open_contents(contents, max_pixels, None, decoders)


def hold_stream(stream: BinaryIO, name: str, max_bytes: int) -> FileContents:
    """All that is left of a stream that begins as a picture does, called ``name`` in messages.

    Raises :class:`PictureError` for another stream, and
    :class:`~subpixel.errors.MemoryLimitError` for more than ``max_bytes``.
    """
    return FileContents.of_stream(
        stream, name, max_bytes, lambda head: sniff_format(head, Path(name))
    )


def limit_file_bytes(max_pixels: int, max_bytes: int | None = None) -> int:
    """Most bytes of a file of so many pixels that are held in memory, and of no more than are
    allowed."""
    most = max_pixels * PIXEL_BYTES + MAX_PAGES_METADATA
    return most if max_bytes is None else min(most, max_bytes)


def open_contents(
    contents: FileContents,
    max_pixels: int,
    max_memory: int | None = None,
    decoders: Decoders | None = None,
) -> PictureFile:
    """Open a file whose first bytes were read, as :func:`open_picture` does."""
    form = expect_format(contents)
    if decoders is not None:
        return decoders.open_contents(contents, form, max_pixels)
    with _decoding_errors(contents.file, form, contents.memory):
        source = _open_tolerantly(contents, form, max_pixels)
        if not form.reader.spare_alpha or form.reader.shows_through(contents):
            return source
        _expect_decoding_room(source, max_memory)
        return replace(source, header=_drop_spare_alpha(source))


def expect_format(contents: FileContents) -> Format:
    """The format that the first bytes announce; raises :class:`PictureError` where they announce
    none, or a package lacks that decodes it."""
    form = sniff_format(contents.head, contents.file)
    _expect_package(contents.file, form)
    return form


def sniff_format(head: bytes, file: Path) -> Format:
    """The format that the first bytes announce; raises :class:`PictureError` where they announce
    none."""
    form = sniff(head)
    if form is None:
        raise PictureError(f"{file} can't be read: it holds no {list_names()} picture")
    return form


@contextmanager
def _decoding_errors(file: Path, form: Format, memory: int) -> Iterator[None]:
    """What goes wrong in libvips and in the file system, in our words; ``memory`` is what a sound
    file takes, in bytes.

    A decoder that was refused memory although so much is there was asked for more by a damaged
    file.
    """
    clear_errors()
    try:
        with reading_errors(file):
            yield
    except (pyvips.Error, ValueError, MemoryError) as error:
        reason = explain_error(error)
        if is_out_of_memory(error):
            if not can_allocate(memory + SPARE_MEMORY):
                raise MemoryError(f"{file}: decoding {form.name}") from error
            reason = f"it is damaged, and asks for more memory than its picture takes ({reason})"
        raise PictureError(f"{file} can't be read as {form.name}: {reason}") from error


def _expect_package(file: Path, form: Format) -> None:
    try:
        form.expect_package()
    except PictureError as error:
        raise PictureError(f"{file} can't be read: {error}") from error


def _open_tolerantly(contents: FileContents, form: Format, max_pixels: int) -> PictureFile:
    """Open the file, once more where a harmless warning stopped libvips."""
    first, *rest = form.reader.strictness
    try:
        return _open_strictly(contents, form, max_pixels, first)
    except pyvips.Error as error:
        if not rest or not form.reader.is_harmless(error):
            raise
        return _open_strictly(contents, form, max_pixels, *rest)


def _open_strictly(
    contents: FileContents, form: Format, max_pixels: int, fail_on: Strictness
) -> PictureFile:
    image, skips = form.reader.load(contents, fail_on)
    _expect_allowed_size(image, contents.file, max_pixels)
    metadata, unread = form.reader.describe(contents, image)
    unread += collect_losses(form.reader.parts(contents))
    held = contents.size if contents.size <= form.reader.held_bytes else contents.memory
    decoder_memory = _decoder_memory(image, form) + held
    image, conversions = _convert_to_rgb(image)
    metadata = _set_read_profile(metadata, get_blob(image, "icc-profile-data"))
    budget = Budget()
    metadata, oversized = limit_metadata(metadata, budget)
    memory = decoder_memory + METADATA_COPIES * (MAX_METADATA - budget.bytes)
    header = _build_header(image, form, metadata, (*skips, *unread, *conversions, *oversized))
    return PictureFile(contents.file, form, header, memory, contents)


def _set_read_profile(metadata: Metadata, profile: bytes | None) -> Metadata:
    """The profile of the pixels as they are held, of each page too where that isn't its own."""
    pages = metadata.pages
    if profile != metadata.icc:
        pages = tuple(replace(page, icc=profile) for page in pages)
    return replace(metadata, icc=profile, pages=pages)


def _expect_allowed_size(image: VipsImage, file: Path, max_pixels: int) -> None:
    pixels = image.width * image.height
    if pixels > max_pixels:
        height = image.get_page_height()
        raise PictureTooLargeError(
            f"{file} has {image.width} x {height} pixels in {image.height // height} frame(s), "
            f"{pixels:,} in all; {max_pixels:,} are allowed: raise --max-pixels (in "
            "Python max_pixels) to read it"
        )


def _convert_to_rgb(image: VipsImage) -> VipsLoad:
    """Grey or RGB of 8 or 16 bits, alpha straight; raises :class:`ValueError` for what can't be."""
    if image.format not in ("uchar", "ushort"):
        raise ValueError(f"its samples are {image.format}; save it with 8 or 16 bits per sample")
    if image.interpretation == "cmyk":
        return _convert_cmyk(image)
    if image.interpretation not in (*_GREY, *_RGB):
        raise ValueError(
            f"it has {image.bands} channels ({image.interpretation}); "
            "a picture is grey or RGB, with or without further channels"
        )
    return image, ()


def _convert_cmyk(image: VipsImage) -> VipsLoad:
    fault = icc.reject_cmyk_profile(get_blob(image, "icc-profile-data"))
    inks = image.extract_band(0, n=4)
    try:
        rgb = _transform_cmyk(inks, embedded=fault is None)
    except pyvips.Error:
        if fault is not None:
            raise
        fault = "its own is damaged"
        rgb = _transform_cmyk(inks, embedded=False)
    if image.bands > 4:
        rgb = rgb.bandjoin(image.extract_band(4, n=image.bands - 4))
    through = "its own profile" if fault is None else f"a generic profile, as {fault}"
    return rgb, (Loss("colour", f"CMYK turned into sRGB through {through}"),)


def _transform_cmyk(inks: VipsImage, *, embedded: bool) -> VipsImage:
    return inks.icc_transform(
        "srgb",
        embedded=embedded,
        input_profile="cmyk",
        intent="relative",
        black_point_compensation=True,
        depth=16 if inks.format == "ushort" else 8,
    )


def _build_header(
    image: VipsImage, form: Format, metadata: Metadata, losses: tuple[Loss, ...]
) -> Header:
    height, extras = image.get_page_height(), form.reader.extras(image)
    shape = (image.height // height, height, image.width, image.bands)
    dtype = np.dtype(_DTYPES[image.format])
    depth = 8 if dtype == np.uint8 else form.reader.bit_depth(image)
    return Header(shape, dtype, metadata, depth, losses, extras)


def _expect_decoding_room(source: PictureFile, max_memory: int | None) -> None:
    """Before all of a picture with alpha is decoded."""
    if max_memory is None or not source.header.has_alpha:
        return
    needed = resident() + source.memory
    if needed > max_memory:
        raise MemoryLimitError(
            f"{source.header.width} x {source.header.height} pixels need at least "
            f"{-(-needed // 10**6)}M of memory to be decoded as {source.form.name}, and "
            f"{max_memory // 10**6}M are allowed; raise --max-memory"
        )


def _drop_spare_alpha(source: PictureFile) -> Header:
    """The header without alpha where decoding shows that all is opaque."""
    header = source.header
    if header.has_alpha and all((rows[..., -1] == 255).all() for rows in source.chunks()):
        return replace(header, shape=(*header.shape[:3], header.channels - 1), extras=None)
    return header


def _fetch_rows(image: VipsImage, start: int, stop: int, height: int) -> Iterator[Rows]:
    """Rows ``[start, stop)`` of frames of ``height`` rows below each other."""
    region = pyvips.Region.new(image)
    dtype = np.dtype(_DTYPES[image.format])
    most = _chunk_rows(image.width * image.bands * dtype.itemsize)
    while start < stop:
        count = min(most, height - start % height)
        rows = np.empty((count, image.width, image.bands), dtype)
        part = max(1, PART_BYTES // (count * image.bands * dtype.itemsize))
        for left in range(0, image.width, part):
            columns = rows[:, left : left + part]
            samples = region.fetch(left, start, columns.shape[1], count)
            columns[:] = np.frombuffer(samples, dtype).reshape(columns.shape)
        yield rows
        start += count


def _cut_rows(frames: Iterator[Rows], header: Header, form: Format) -> Iterator[Rows]:
    """At most :data:`CHUNK_ROWS` at a time; raises :class:`ValueError` for rows of another form
    than the file announced, and for more or fewer of them."""
    count, height, width, channels = header.shape
    left = header.expect_count(form.name) * height
    most = _chunk_rows(width * channels * header.dtype.itemsize)
    for rows in frames:
        if rows.shape[1:] != header.shape[2:] or rows.dtype != header.dtype:
            raise ValueError(
                f"its header announces rows of {header.shape[2:]} {header.dtype}, and they are of "
                f"{rows.shape[1:]} {rows.dtype}"
            )
        left -= len(rows)
        if left < 0:
            raise ValueError(f"it holds more than the {count} × {height} rows that it announces")
        for top in range(0, len(rows), most):
            yield rows[top : top + most]
    if left:
        raise ValueError(f"{left} of the {count} × {height} rows that it announces are missing")


def _chunk_rows(row_bytes: int) -> int:
    return max(1, min(CHUNK_ROWS, CHUNK_BYTES // row_bytes))


def _decoder_memory(image: VipsImage, form: Format) -> int:
    """What a decoder holds at once, in bytes."""
    reader, deep = form.reader, image.format == "ushort"
    single = image.height == image.get_page_height()
    own = get_number(image, DECODER_PIXEL_BYTES, 0)
    per_pixel = own or reader.pixel_bytes or (0 if single else reader.animation_bytes)
    if per_pixel:
        return int(image.width * image.get_page_height() * per_pixel * (1 + deep))
    row = image.width * image.bands * (1 + deep)
    whole = reader.interlaced_rows * row if get_number(image, "interlaced", 0) else 0
    rows = min(image.height, READ_CACHE_ROWS) + 2 * _chunk_rows(row)
    return int(rows * row + image.get_page_height() * whole)
