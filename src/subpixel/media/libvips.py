"""libvips as reading, writing and the formats use it: files, fields of images, errors."""

import atexit
import io
import logging
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Literal
from weakref import finalize

import pyvips

from subpixel.errors import MemoryLimitError, PictureError, SubpixelError
from subpixel.media.metadata import exif, icc
from subpixel.media.picture import Loss, Metadata
from subpixel.media.timing import DEFAULT_DELAY_MS, TimingLimits, fit_timing
from subpixel.system.files.inputs import FileBytes, open_input, pump_file

VipsImage = Any
"""A :class:`pyvips.Image`; its operations are made at run time, so it has no useful type."""

VipsLoad = tuple[VipsImage, tuple[Loss, ...]]
"""All frames below each other, nothing decoded yet; and what of the file is left out."""

Strictness = Literal["error", "warning"]
"""What stops libvips while it decodes."""

HEAD_BYTES = 64
"""As many of a file's first bytes as it takes to tell its format."""

MAX_VIPS_SIDE = 100_000_000
"""Most pixels along one side of an image of libvips, frames below each other."""

READ_BYTES = 1 << 20
"""What is read at a time of what is held in memory."""


MAX_HELD_BYTES = 1 << 24
"""Most bytes of a file that is held in memory though it could be read by rows."""


@dataclass(frozen=True)
class FileContents:
    """A file's bytes: left on disk, or in memory where they can be read but once (a stream)."""

    file: Path
    head: bytes
    """The first :data:`HEAD_BYTES` bytes."""
    stamp: tuple[int, ...]
    """What changes when the file does."""
    data: bytes | None
    max_bytes: int
    """Most bytes of it that are held in memory."""

    @staticmethod
    def of(file: Path, max_bytes: int) -> "FileContents":
        """An ordinary file, of which formats that can't be read by rows hold up to ``max_bytes``.

        Raises :class:`PictureError` for a file that can't be opened, or is empty, and for a
        folder, a pipe or a device.
        """
        with reading_errors(file), open_input(file) as stream:
            head, stamp = stream.read(HEAD_BYTES), _stamp_of(stream)
        return FileContents(file, _expect_content(head, file), stamp, None, max_bytes)

    @staticmethod
    def of_stream(
        stream: BinaryIO, name: str, max_bytes: int, accept: Callable[[bytes], object]
    ) -> "FileContents":
        """All that is left of a stream, called ``name`` in messages.

        ``accept`` gets its first bytes before more are read, and raises what is wrong with them.
        Raises :class:`PictureError` for a stream that can't be read, or is empty, and
        :class:`MemoryLimitError` for more than ``max_bytes``.
        """
        file = Path(name)
        with reading_errors(file):
            head = _read_head(stream)
            accept(_expect_content(head, file))
            data = _read_all(stream, max_bytes, partial(_refuse_stream, name), head)
        return FileContents(file, data[:HEAD_BYTES], (), data, max_bytes)

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return self.stamp[2] if self.data is None else len(self.data)

    @property
    def memory(self) -> int:
        """Bytes that are held: none of what was left on disk."""
        return 0 if self.data is None else len(self.data)

    def stream(self, *, buffering: int = -1) -> BinaryIO:
        """The file, open for reading; ``buffering`` as of :func:`open`, 0 for few bytes here and
        there."""
        if self.data is not None:
            return io.BytesIO(self.data)
        return open_input(self.file, buffering=buffering)

    def look(self) -> exif.Block:
        """All of it, read from disk where it is looked at."""
        return FileBytes(self.file) if self.data is None else self.data

    def hold(self) -> bytes:
        """All of it, in memory; raises :class:`MemoryLimitError` for more than ``max_bytes``."""
        if self.data is not None:
            return self.data
        with self.stream(buffering=0) as stream:
            return _read_all(stream, self.max_bytes, partial(_refuse_file, self.file))

    def source(self) -> pyvips.Source:
        """For libvips, which reads the file as it goes along, here and there."""
        if self.data is not None:
            return pyvips.Source.new_from_memory(self.data)
        if os.name == "nt":  # which doesn't let a file be cut off that is mapped
            return pyvips.Source.new_from_file(os.fsencode(self.file))
        with self.stream(buffering=0) as stream:
            return pyvips.Source.new_from_descriptor(stream.fileno())

    def row_source(self) -> pyvips.Source:
        """For a loader of libvips that reads from top to bottom, and would map a file.

        A small one is held; a large one comes through a pipe, for which a thread is needed, with
        all the address space that the system sets aside for one.
        """
        if self.data is not None or os.name == "nt":
            return self.source()
        if self.size <= min(MAX_HELD_BYTES, self.max_bytes):
            return pyvips.Source.new_from_memory(self.hold())
        with pump_file(self.file) as pipe:
            return pyvips.Source.new_from_descriptor(pipe.fileno())

    def expect_unchanged(self) -> None:
        """Raises :class:`PictureError` when the file is not what it was when it was opened."""
        if self.data is not None:
            return
        with reading_errors(self.file), self.stream() as stream:
            stamp = _stamp_of(stream)
        if stamp != self.stamp:
            raise PictureError(f"{self.file} has changed while it was read; start anew")


@contextmanager
def reading_errors(file: Path) -> Iterator[None]:
    """The system's errors as :class:`PictureError`."""
    try:
        yield
    except OSError as error:
        raise PictureError(f"{file} can't be read: {error.strerror or error}") from error


def _expect_content(head: bytes, file: Path) -> bytes:
    if not head:
        raise PictureError(f"{file} can't be read: it is empty (0 bytes)")
    return head


def _read_head(stream: BinaryIO) -> bytes:
    """The first :data:`HEAD_BYTES`, which a pipe may give one by one."""
    head = b""
    while len(head) < HEAD_BYTES and (block := stream.read(HEAD_BYTES - len(head))):
        head += block
    return head


def _read_all(
    stream: BinaryIO, max_bytes: int, refusal: Callable[[int], str], head: bytes = b""
) -> bytes:
    """Block by block, as no more may come than is allowed; held twice at the end."""
    blocks, size = [head], len(head)
    while block := stream.read(READ_BYTES):
        blocks.append(block)
        size += len(block)
        if size > max_bytes:
            raise MemoryLimitError(refusal(max_bytes))
    return b"".join(blocks)


def _refuse_stream(name: str, max_bytes: int) -> str:
    return (
        f"{name} gives more than {max_bytes:,} bytes, which are held in memory as they can be read "
        "but once; save them as a file and name that, or raise --max-memory or --max-pixels"
    )


def _refuse_file(file: Path, max_bytes: int) -> str:
    return (
        f"{file} has more than {max_bytes:,} bytes, and its format can't be read by rows; raise "
        "--max-memory or --max-pixels, or save it in a format that can"
    )


def _stamp_of(stream: BinaryIO) -> tuple[int, ...]:
    """What changes when a file does."""
    status = os.fstat(stream.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class FileTarget:
    """A stream that libvips writes to, its beginning with what libvips leaves out."""

    def __init__(self, stream: BinaryIO, file: Path) -> None:
        self.stream, self.file = stream, file
        self.error: OSError | None = None
        self._splice: Callable[[bytes], bytes | None] | None = None
        self._head = b""
        self._stopping = False
        self._custom = pyvips.TargetCustom()

    def stop(self) -> None:
        """Take no more."""
        self._stopping = True

    def for_libvips(
        self, splice: Callable[[bytes], bytes | None] | None = None
    ) -> pyvips.TargetCustom:
        """``splice`` makes of the first bytes what is written; None while it needs more."""
        self._splice = splice
        self._custom.on_write(self._write)
        self._custom.on_read(self.stream.read)
        self._custom.on_seek(self._seek)
        return self._custom

    def take(self, data: bytes) -> None:
        """A whole file."""
        try:
            self.stream.write(data)
        except OSError as error:
            self.error = error
            raise

    def _write(self, data: memoryview) -> int:
        if self._stopping:
            return -1
        try:
            self._put(data)
        except OSError as error:
            self.error = error
            return -1
        return len(data)

    def _seek(self, offset: int, whence: int) -> int:
        try:
            return self.stream.seek(offset, whence)  # which writes what was held back
        except OSError as error:
            self.error = error
            return -1

    def _put(self, data: memoryview) -> None:
        if self._splice is None:
            self.stream.write(data)
            return
        self._head += data
        whole = self._splice(self._head)
        if whole is not None:
            self._splice = None
            self.stream.write(whole)


def block_untrusted_operations() -> None:
    """Let this process do without the operations that libvips itself doesn't trust with hostile
    data; none of them belongs to a format of ours."""
    pyvips.block_untrusted_set(True)


Patches = Mapping[int, bytes]
"""Bytes that stand in place of a file's own, by where."""

NO_PATCHES: Patches = MappingProxyType({})


class PatchedFile:
    """A file some of whose bytes are others, for libvips, which asks for them."""

    def __init__(self, stream: BinaryIO, patches: Patches) -> None:
        self._stream, self._patches = stream, patches
        self._places, self._reach = sorted(patches), max(map(len, patches.values()), default=0)
        finalize(self, stream.close)

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end, and where the file can't be read any more."""
        try:
            at = self._stream.tell()
            data = self._stream.read(size)
        except OSError:
            return b""
        first, last = (bisect_left(self._places, p) for p in (at - self._reach, at + size))
        touched = [(p - at, self._patches[p]) for p in self._places[first:last]]
        return data if not touched else _overlay(data, touched)

    def seek(self, offset: int, whence: int) -> int:
        try:
            return self._stream.seek(offset, whence)
        except (OSError, ValueError):
            return -1

    def connect(self) -> pyvips.SourceCustom:
        """The file for libvips; it must live as long as the image that is read from it."""
        source = pyvips.SourceCustom()
        source.on_read(self.read)
        source.on_seek(self.seek)
        return source


def patch_bytes(data: bytes, patches: Patches) -> bytes:
    """A whole file with these bytes in place of its own."""
    return _overlay(data, patches.items())


def _overlay(data: bytes, patches: Iterable[tuple[int, bytes]]) -> bytes:
    """The data with bytes replaced, which may begin before it and go on behind it."""
    whole = bytearray(data)
    for at, new in patches:
        start, stop = max(at, 0), min(at + len(new), len(whole))
        if start < stop:
            whole[start:stop] = new[start - at : stop - at]
    return bytes(whole)


def load_first_page(
    loader: str, contents: FileContents, fail_on: Strictness, patches: Patches = NO_PATCHES
) -> VipsImage:
    """Open a file with libvips' operation ``loader``, from top to bottom: its first page."""
    load = getattr(pyvips.Image, loader)
    source = _open_source(contents, patches)
    return _finish_load(load(source, fail_on=fail_on, access="sequential"), source)


def load_rows(loader: str, contents: FileContents, fail_on: Strictness) -> VipsImage:
    """The same, for a loader that reads no byte twice, and would map a file."""
    source = contents.row_source()
    load = getattr(pyvips.Image, loader)
    return _finish_load(load(source, fail_on=fail_on, access="sequential"), source)


def load_page(
    loader: str,
    contents: FileContents,
    fail_on: Strictness,
    page: int,
    patches: Patches = NO_PATCHES,
) -> VipsImage:
    """The same: page number ``page``, counted from 0."""
    load = getattr(pyvips.Image, loader)
    source = _open_source(contents, patches)
    return _finish_load(load(source, page=page, fail_on=fail_on, access="sequential"), source)


def _open_source(contents: FileContents, patches: Patches) -> pyvips.Source:
    return PatchedFile(contents.stream(), patches).connect() if patches else contents.source()


def _finish_load(image: VipsImage, source: pyvips.Source) -> VipsImage:
    # No image keeps its source's callbacks, nor the bytes that it may hold.
    image._references.append(source)
    return _repair_profile(image)


def load_bytes(data: bytes, fail_on: Strictness, *, pages: int = 1) -> VipsImage:
    """Open a file that was changed after it was read: ``pages`` of it, -1 for all.

    The image keeps ``data``, which libvips itself doesn't.
    """
    options = {} if pages == 1 else {"n": pages}
    source = pyvips.Source.new_from_memory(data)
    image = pyvips.Image.new_from_source(
        source, "", fail_on=fail_on, access="sequential", **options
    )
    return _repair_profile(image)


def _repair_profile(image: VipsImage) -> VipsImage:
    """The image, its profile's length field true: savers and lcms leave others out."""
    profile = get_blob(image, "icc-profile-data")
    if profile is None or (whole := icc.repair_length(profile)) is profile:
        return image
    image = image.copy()
    set_blob(image, "icc-profile-data", whole)
    return image


def through_own_profile(image: VipsImage) -> VipsImage:
    """An image of 8 or 16 bits whose profile is set, in sRGB."""
    depth = 8 if image.format == "uchar" else 16
    return image.icc_transform("srgb", embedded=True, depth=depth)


def srgb_profile() -> bytes:
    """libvips' own, which an image has that was turned into sRGB."""
    return bytes(pyvips.Operation.call("profile_load", "srgb"))


DECODER_PIXEL_BYTES = "subpixel-decoder-pixel-bytes"
"""The field of an image that says what its decoder holds, where that isn't its format's
:attr:`~subpixel.media.formats.format.FormatReader.pixel_bytes`."""


def build_header(
    shape: tuple[int, int, int, int], bits: int, icc: bytes | None = None
) -> VipsImage:
    """Frames ``(N, H, W, C)`` of which nothing but their form and profile is known: no pixels are
    held. ``bits`` are those of a sample that mean something, 8 to 16. Raises :class:`ValueError`
    for sides over :data:`MAX_VIPS_SIDE`."""
    count, height, width, channels = shape
    if max(width, count * height) > MAX_VIPS_SIDE:
        raise ValueError(f"{count} frame(s) of {width} x {height} pixels are more than can be read")
    image = pyvips.Image.black(width, count * height, bands=channels)
    kind, colours = ("uchar", ("b-w", "srgb")) if bits == 8 else ("ushort", ("grey16", "rgb16"))
    image = image.cast(kind).copy(interpretation=colours[channels > 2])
    image.set_type(pyvips.GValue.gint_type, "page-height", height)
    image.set_type(pyvips.GValue.gint_type, "n-pages", count)
    image.set_type(pyvips.GValue.gint_type, "bits-per-sample", bits)
    if icc is not None:
        set_blob(image, "icc-profile-data", icc)
    return image


def get_number(image: VipsImage, name: str, default: int) -> int:
    """A whole number among an image's fields."""
    return int(image.get(name)) if image.get_typeof(name) else default


def set_number(image: VipsImage, name: str, value: int) -> None:
    """Set a whole number as an image's field."""
    image.set_type(pyvips.GValue.gint_type, name, value)


def get_blob(image: VipsImage, name: str) -> bytes | None:
    """Bytes among an image's fields."""
    return bytes(image.get(name)) if image.get_typeof(name) else None


def set_blob(image: VipsImage, name: str, value: bytes | None) -> None:
    """Set bytes as an image's field."""
    image.set_type(pyvips.GValue.blob_type, name, value)


def read_metadata(image: VipsImage) -> Metadata:
    """EXIF, XMP and timing as libvips has them, and what EXIF says of resolution, orientation.

    Not the colour profile, which the conversion to RGB may change.
    """
    block = (get_blob(image, "exif-data") or b"").removeprefix(exif.EXIF_PREFIX) or None
    has_timing = image.get_n_pages() > 1 and image.get_typeof("delay")
    return Metadata(
        exif=block,
        xmp=get_blob(image, "xmp-data"),
        orientation=exif.orientation_in(block),
        resolution=exif.resolution_in(block),
        delays_ms=tuple(image.get("delay")) if has_timing else (),
        loop=get_number(image, "loop", 0) if has_timing else 0,
    )


def set_timing(image: VipsImage, metadata: Metadata, limits: TimingLimits) -> None:
    """Set the delays of an image of several frames, and how often they play."""
    pages = image.height // image.get_page_height()
    if pages > 1:
        fitted = fit_timing(metadata, limits)
        delays = [round(delay) for delay in fitted.delays_ms[:pages]]
        delays += [DEFAULT_DELAY_MS] * (pages - len(delays))
        image.set_type(pyvips.GValue.array_int_type, "delay", delays)
        image.set_type(pyvips.GValue.gint_type, "loop", fitted.loop)


def turn_upright(image: VipsImage, orientation: int) -> VipsImage:
    """A picture of one frame as its EXIF orientation (1 … 8) asks; what is turned is held."""
    if orientation == 1:
        return image
    image = image.copy_memory()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image.autorot()


def select_metadata(image: VipsImage, metadata: Metadata, block: bytes | None) -> str:
    """Set the XMP, and say what libvips is to write; its EXIF only holds the place of ours."""
    if metadata.xmp is not None:
        set_blob(image, "xmp-data", metadata.xmp)
    return "icc:xmp:exif" if block is not None else "icc:xmp"


_CString = Any
"""A pointer to bytes that end in a zero."""

_LOG_DOMAINS = (b"VIPS", b"GLib", b"GLib-GObject")
_ALL_LOG_LEVELS = 255
_LOG_LEVELS = {4: 40, 8: 50, 16: 30, 32: 20, 64: 20, 128: 10}
"""Python's levels by GLib's."""


def clear_errors() -> None:
    """Forget what libvips said of other files, and have what it logs go where it belongs."""
    _forward_log()
    pyvips.vips_lib.vips_error_clear()


def expect_threads() -> None:
    """Check that libvips can compute pixels here, as it is about to.

    Raises :class:`SubpixelError` where it did so before this process was forked: its threads stayed
    in the other one, and would be waited for without end.
    """
    if os.getpid() != _first_process():
        raise SubpixelError(
            "pictures were read or written before this process was forked, and libvips works in "
            "that process alone; start processes by spawn or forkserver "
            "(multiprocessing.get_context), or read none before"
        )


@cache
def _first_process() -> int:
    """The one in which libvips computed first."""
    return os.getpid()


@cache
def _forward_log() -> object:
    """Hand what libvips and GLib log to the logger ``pyvips``; returns the callback, to be kept.

    pyvips itself does so for libvips, but not where a damaged file's bytes make a message that is
    no UTF-8, and GLib else writes to stderr.
    """
    if pyvips.API_mode:
        pyvips.ffi.def_extern(name="_log_handler_callback")(_log_message)
        callback = pyvips.glib_lib._log_handler_callback
    else:
        callback = pyvips.ffi.callback("GLogFunc", _log_message)
    for domain in _LOG_DOMAINS:
        handler = pyvips.glib_lib.g_log_set_handler(
            domain, _ALL_LOG_LEVELS, callback, pyvips.ffi.NULL
        )
        atexit.register(pyvips.glib_lib.g_log_remove_handler, domain, handler)
    return callback


def _log_message(domain: _CString, level: int, message: _CString, _data: object) -> None:
    text = (b"" if p == pyvips.ffi.NULL else pyvips.ffi.string(p) for p in (domain, message))
    line = ": ".join(part.decode("utf-8", "replace") for part in text)
    logging.getLogger("pyvips").log(_LOG_LEVELS.get(level & 0xFC, 30), "%s", line)


def is_out_of_memory(error: Exception) -> bool:
    """Whether libvips, or a codec under it, says that it was refused memory: there may be too
    little, or a damaged file asks for any amount."""
    if isinstance(error, MemoryError):
        return True
    message = str(error).lower()
    if "security limit" in message:  # of libheif, for a file that is no good
        return False
    return any(
        words in message for words in ("out of memory", "memory allocation", "insufficient mem")
    )


def explain_error(error: Exception) -> str:
    """The first telling line of libvips' log, which lists every step that failed in turn."""
    if isinstance(error, UnicodeDecodeError):  # what libvips says quotes the file's bytes
        return "the data is damaged"
    if not isinstance(error, pyvips.Error):
        return str(error) or type(error).__name__
    lines = [line.strip() for line in str(error.detail or error.message).splitlines()]
    noise = ("bad seek", "load error", "unable to call", "unable to write", "unable to fetch")
    telling = [line for line in lines if line and not any(word in line for word in noise)]
    return telling[0].partition(": ")[2] or telling[0] if telling else "the data is damaged"
