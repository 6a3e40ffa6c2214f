"""Pictures written with libvips, by rows as they come; a file appears whole or not at all.

What a file can't hold is returned as :class:`~subpixel.media.picture.Loss`, never dropped in
silence. An orientation stays a tag, except in AVIF and GIF, where the pixels that go out are
upright.
"""

import io
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self

import numpy as np
import pyvips

from subpixel.errors import PictureError, UsageError
from subpixel.media import containers
from subpixel.media.formats import (
    Format,
    FormatName,
    Look,
    format_of,
    frames_kept,
    is_opaque,
    losses_of,
    needs_bigtiff,
    profile_fate,
    refuse,
    refuse_losses,
)
from subpixel.media.growing_tiff import GrowingTiff, ReaderGoneError
from subpixel.media.libvips import Image, out_of_memory, reason, set_blob
from subpixel.media.metadata import exif
from subpixel.media.picture import Header, Loss, Picture, Rows, rounded
from subpixel.system.atomic import atomic_path
from subpixel.system.targets import expect_free, target_exists

_DEFAULT_DELAY_MS = 100
"""For an animation whose source has no timing: what browsers give a GIF without one."""

CACHED_ROWS = 1000
"""Rows that libvips keeps of a picture that it writes from top to bottom."""

BLOCK_BYTES = 1 << 22
"""About how much of a picture in memory is handed on at a time."""


@dataclass(frozen=True)
class EncodeOptions:
    """How a picture is compressed. The defaults are chosen for quality first, then speed."""

    quality: int | None = None
    """1 … 100 of JPEG (default 95), WebP (90) and AVIF (80); from 90 on chroma is kept in full
    in JPEG, and always in AVIF."""
    lossless: bool = False
    """WebP and AVIF without loss (AVIF up to 12 bits)."""
    png_compression: int | None = None
    """0 … 9, fast and large to slow and small. The default, 2 with the filter ``up``, takes a
    fifth of the time of 6 for files an eighth larger."""
    tiff_compression: Literal["none", "lzw", "deflate"] = "deflate"
    """Lossless all; with the horizontal predictor, and Deflate at level 2: a quarter faster than
    LZW, and 3 % larger. LZW is read by the oldest programs too."""
    effort: int | None = None
    """Search of the WebP (0 … 6, default 2) and AVIF (0 … 9, default 1) encoders. AVIF at 4 takes
    ten times as long as at 1 for a file about as large."""

    def __post_init__(self) -> None:
        limits = (
            ("quality", self.quality, 1, 100),
            ("png_compression", self.png_compression, 0, 9),
            ("effort", self.effort, 0, 9),
        )
        for name, value, low, high in limits:
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} is {value}; it is a whole number of {low} to {high}")
        if self.tiff_compression not in ("none", "lzw", "deflate"):
            raise UsageError(
                f"tiff_compression is {self.tiff_compression!r}; it is none, lzw or deflate"
            )


class PictureWriter:
    """A picture file that is being written, from top to bottom; a context manager.

    ``header`` says what is coming, ``file``'s suffix names the format, ``opaque`` whether alpha,
    where there is any, is full all over (None: not known). All rows must be given in order with
    :meth:`write`. When the block ends well the file is finished, flushed to disk and takes its
    name in one step; when it ends with any exception, nothing is left behind.

    Raises :class:`PictureError` for an unknown suffix, an existing file without ``overwrite``, a
    picture too large for the format, a folder that can't be written or a full disk, and
    :class:`LossError` under ``strict``, at the latest when the last row was seen.
    """

    def __init__(
        self,
        header: Header,
        file: str | Path,
        options: EncodeOptions = EncodeOptions(),
        *,
        opaque: bool | None = None,
        strict: bool = False,
        overwrite: bool = False,
    ) -> None:
        self._file, self._overwrite, self._strict = Path(file), overwrite, strict
        self._encoder = Encoder(header, self._file, options, opaque=opaque)
        expect_free(self._file, overwrite=overwrite)
        self.losses: tuple[Loss, ...] = self._encoder.losses
        """What the file doesn't hold of the picture's source; complete when the file is."""
        if strict:
            refuse(self.losses, self._file)
        self._stack = ExitStack()

    @property
    def memory(self) -> int:
        """About how many bytes libvips holds meanwhile."""
        return self._encoder.memory

    def __enter__(self) -> Self:
        with self._said(), ExitStack() as stack:
            partial = stack.enter_context(atomic_path(self._file, overwrite=self._overwrite))
            stream = partial.open("x+b")
            stack.callback(_close, stream)
            stack.enter_context(self._encoder.into(stream))
            self._stack = stack.pop_all()
        return self

    def write(self, rows: Rows) -> None:
        """The next rows, ``(h, W, C)`` of the header's dtype, all of one frame."""
        with self._said():
            self._encoder.write(rows)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            with suppress(OSError, PictureError, pyvips.Error):
                self._stack.__exit__(kind, error, trace)
            return
        with self._said(), self._stack:
            self._encoder.finish()
            self.losses = self._encoder.losses
            if self._strict:
                refuse(self.losses, self._file)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What goes wrong on disk, in one line."""
        try:
            yield
        except FileExistsError as error:
            raise target_exists(self._file) from error
        except OSError as error:
            raise PictureError(
                f"{self._file} can't be written: {error.strerror or error}"
            ) from error


def write_picture(
    picture: Picture,
    file: str | Path,
    options: EncodeOptions = EncodeOptions(),
    *,
    strict: bool = False,
    overwrite: bool = False,
) -> tuple[Loss, ...]:
    """Write ``picture`` in the format that the suffix of ``file`` names, whole or not at all.

    Returns what the file doesn't hold of the picture's source: what reading lost, then what
    this format loses. Raises what :class:`PictureWriter` does. Nothing is left behind then.
    """
    file = Path(file)
    if strict:
        refuse_losses(picture, file)
    opaque = picture.has_alpha and is_opaque(picture)
    with PictureWriter(picture.header, file, options, opaque=opaque, overwrite=overwrite) as writer:
        for rows in _blocks(picture):
            writer.write(rows)
    return writer.losses


def encode_picture(
    picture: Picture, file: str | Path, options: EncodeOptions = EncodeOptions()
) -> bytes:
    """The bytes that ``file``, whose suffix names the format, would hold; nothing is written.

    Raises :class:`PictureError` for an unknown suffix or a picture too large for the format.
    """
    stream = io.BytesIO()
    opaque = picture.has_alpha and is_opaque(picture)
    encoder = Encoder(picture.header, Path(file), options, opaque=opaque)
    with encoder.into(stream):
        for rows in _blocks(picture):
            encoder.write(rows)
        encoder.finish()
    return stream.getvalue()


def _blocks(picture: Picture) -> Iterator[Rows]:
    row = picture.frames[0, :1].nbytes
    step = max(1, BLOCK_BYTES // row)
    for frame in picture.frames:
        for top in range(0, len(frame), step):
            yield frame[top : top + step]


def _close(stream: BinaryIO) -> None:
    with suppress(OSError):  # of a full disk; what is to be kept was flushed before
        stream.close()


class Encoder:
    """Rows in, the bytes of a picture file out; libvips works in a thread of its own.

    Raises :class:`PictureError` for an unknown suffix or a picture too large for the format.
    """

    def __init__(
        self, header: Header, file: Path, options: EncodeOptions, *, opaque: bool | None
    ) -> None:
        form = format_of(file)
        _expect_sides(header, form)
        self._file = file
        self._order = _Order(header, form, options, opaque is True)
        self._look = Look(header, form, opaque=opaque is not False)
        self._missing = header.count * header.height
        self._kept = frames_kept(header, form) * header.height
        self._tiff = GrowingTiff(self._order.stored)
        self._saved: Future[None] = Future()

    @property
    def memory(self) -> int:
        """About how many bytes libvips holds while it encodes; measured with libvips 8.18."""
        stored, name = self._order.stored, self._order.form.name
        row = stored.width * stored.channels * stored.dtype.itemsize
        rows = min(stored.count * stored.height, CACHED_ROWS)
        whole = stored.width * stored.height * _WHOLE.get(name, 0)
        return row * rows + whole

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What reading lost and this format loses, as far as the rows until now tell."""
        header, form = self._order.header, self._order.form
        return header.losses + losses_of(header, form, self._look)

    @contextmanager
    def into(self, stream: BinaryIO) -> Iterator[None]:
        """Encode into ``stream``, open for reading and writing, until the block ends."""
        target = _Target(stream, self._file)
        with ThreadPoolExecutor(1, "encoder") as thread:
            self._saved = thread.submit(_save, self._tiff, self._order, target)
            try:
                yield
            finally:
                target.stop()
                self._tiff.end()

    def write(self, rows: Rows) -> None:
        """The next rows, ``(h, W, C)``, all of one frame."""
        self._look.at(rows)
        kept = rows[: self._kept]
        self._kept -= len(kept)
        self._missing -= len(rows)
        try:
            if len(kept):
                self._tiff.put(self._order.samples(kept))
        except ReaderGoneError:
            self._saved.result()
            raise

    def finish(self) -> None:
        """Wait for the last byte."""
        if self._missing:
            raise ValueError(f"{self._missing} rows of the picture did not come")
        self._tiff.end()
        self._saved.result()


@dataclass(frozen=True)
class _Order:
    """What to encode, and how."""

    header: Header
    form: Format
    options: EncodeOptions
    opaque: bool

    @property
    def drops_alpha(self) -> bool:
        """AVIF's lossy alpha would be a little less than opaque."""
        named = self.form.name in ("JPEG", "AVIF") and self.opaque
        return self.header.has_alpha and (named or self.form.alpha == "none")

    @property
    def depth(self) -> int:
        return min(self.form.depth, self.header.bit_depth)

    @property
    def stored(self) -> Header:
        """The header of the samples as the format takes them."""
        header = self.header
        count, channels = frames_kept(header, self.form), header.channels - self.drops_alpha
        dtype = np.dtype(np.uint8 if self.depth == 8 else np.uint16)
        return replace(header, shape=(count, header.height, header.width, channels), dtype=dtype)

    def samples(self, rows: Rows) -> Rows:
        """Rows in the format's depth, without alpha where it has none; contiguous."""
        if self.drops_alpha:
            rows = rows[..., :-1] if self.opaque else _on_white(rows)
        samples = rounded(rows, self.stored.dtype)
        if 8 < self.depth < 16:
            samples = _shifted(samples, self.depth)
        return np.ascontiguousarray(samples)

    @property
    def exif(self) -> bytes | None:
        """The EXIF block of the new file."""
        meta, name, height, width = self.header.metadata, self.form.name, *self.header.shape[1:3]
        if name == "AVIF" and meta.orientation >= 5:
            width, height = height, width
        return exif.adjusted(
            meta.exif,
            width=width,
            height=height,
            orientation=1 if name in ("AVIF", "GIF", "TIFF") else meta.orientation,
            resolution=meta.resolution if name in ("WebP", "AVIF") else None,
        )


def _expect_sides(header: Header, form: Format) -> None:
    if form.max_side is not None and max(header.width, header.height) > form.max_side:
        raise PictureError(
            f"{header.width} x {header.height} pixels are too large for {form.name}, "
            f"which holds up to {form.max_side:,} along a side; use PNG or TIFF"
        )


def _on_white(rows: Rows) -> Rows:
    unit = rounded(rows, np.dtype(np.float32))
    alpha = unit[..., -1:]
    return rounded(unit[..., :-1] * alpha + (1 - alpha), rows.dtype)


def _shifted(samples: Rows, depth: int) -> Rows:
    """As libvips wants 10 and 12 bits: the high ones of 16."""
    most = (1 << depth) - 1
    return (((samples.astype(np.uint32) * most + 32767) // 65535) << (16 - depth)).astype(np.uint16)


class _Target:
    """A stream that libvips writes to, its beginning with what libvips leaves out."""

    def __init__(self, stream: BinaryIO, file: Path) -> None:
        self.stream, self.file = stream, file
        self.error: OSError | None = None
        self._splice: Callable[[bytes], bytes | None] | None = None
        self._head = b""
        self._stopped = False
        self._custom = pyvips.TargetCustom()

    def stop(self) -> None:
        """Take no more."""
        self._stopped = True

    def for_libvips(self, splice: Callable[[bytes], bytes | None] | None) -> pyvips.TargetCustom:
        """``splice`` makes of the first bytes what is written; None while it needs more."""
        self._splice = splice
        self._custom.on_write(self._write)
        self._custom.on_read(self.stream.read)
        self._custom.on_seek(self.stream.seek)
        return self._custom

    def take(self, data: bytes) -> None:
        """A whole file."""
        try:
            self.stream.write(data)
        except OSError as error:
            self.error = error
            raise

    def _write(self, data: memoryview) -> int:
        if self._stopped:
            return -1
        try:
            self._put(data)
        except OSError as error:
            self.error = error
            return -1
        return len(data)

    def _put(self, data: memoryview) -> None:
        if self._splice is None:
            self.stream.write(data)
            return
        self._head += data
        spliced = self._splice(self._head)
        if spliced is not None:
            self._splice = None
            self.stream.write(spliced)


def _save(tiff: GrowingTiff, order: _Order, target: _Target) -> None:
    """Read the growing picture to its end and write the file."""
    pyvips.vips_lib.vips_error_clear()
    try:
        source = pyvips.SourceCustom()
        source.on_read(tiff.read)
        source.on_seek(tiff.seek)
        _SAVERS[order.form.name](_image(source, order), order, target)
        if target.error is not None:  # libvips' GIF saver does not look
            raise target.error
        target.stream.flush()
    except (pyvips.Error, ValueError) as error:
        # A saver that failed may call back while it is freed: not later than its callbacks are.
        traceback.clear_frames(error.__traceback__)
        if target.error is not None:
            raise target.error from error
        if out_of_memory(error):
            raise MemoryError(f"encoding {order.form.name}") from error
        raise PictureError(
            f"{target.file} can't be written as {order.form.name}: {reason(error)}"
        ) from error
    finally:
        tiff.leave()


def _image(source: pyvips.SourceCustom, order: _Order) -> Image:
    """The frames below each other as a libvips image, with the metadata that libvips may write."""
    stored = order.stored
    kind = 8 if stored.dtype == np.uint8 else 16
    colour = {8: ("b-w", "srgb"), 16: ("grey16", "rgb16")}[kind][not stored.is_grey]
    loaded = pyvips.Image.tiffload_source(source, access="sequential", fail_on="error")
    across, down = stored.metadata.resolution or (1.0, 1.0)
    image = loaded.copy(interpretation=colour, xres=across, yres=down)
    for name in ("resolution-unit", "orientation", "n-pages", "bits-per-sample"):
        image.remove(name)
    image.set_type(pyvips.GValue.gint_type, "page-height", stored.height)
    return _with_colour(image, order)


def _with_colour(image: Image, order: _Order) -> Image:
    """Profile and orientation set, or made true in the pixels where the format has no room."""
    meta, fate = order.header.metadata, profile_fate(order.header, order.form)
    if fate in ("kept", "applied"):
        set_blob(image, "icc-profile-data", meta.icc)
    if fate == "applied":
        depth = 8 if image.format == "uchar" else 16
        image = image.icc_transform("srgb", embedded=True, depth=depth)
    if order.form.name == "GIF" and meta.orientation != 1:
        return _upright(image.copy_memory(), meta.orientation)
    image.set_type(pyvips.GValue.gint_type, "orientation", meta.orientation)
    return image


def _upright(image: Image, orientation: int) -> Image:
    """Every frame turned as its EXIF orientation asks."""
    height = image.get_page_height()
    pages = [image.crop(0, top, image.width, height) for top in range(0, image.height, height)]
    for page in pages:
        page.set_type(pyvips.GValue.gint_type, "page-height", height)
        page.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    turned = [page.autorot() for page in pages]
    whole = pyvips.Image.arrayjoin(turned, across=1).copy()
    whole.set_type(pyvips.GValue.gint_type, "page-height", turned[0].height)
    return whole


def _jpeg(image: Image, order: _Order, target: _Target) -> None:
    quality, meta, block = order.options.quality or 95, order.header.metadata, order.exif
    chroma = "off" if quality >= 90 else "on"

    def spliced(head: bytes) -> bytes | None:
        whole = len(head) >= containers.JFIF_END
        return containers.jpeg_with(head, meta, block) if whole else None

    image.jpegsave_target(target.for_libvips(spliced), keep="icc", Q=quality, subsample_mode=chroma)


def _png(image: Image, order: _Order, target: _Target) -> None:
    level, meta, block = order.options.png_compression, order.header.metadata, order.exif
    speed = {"compression": 2, "filter": "up"} if level is None else {"compression": level}

    def spliced(head: bytes) -> bytes | None:
        whole = containers.png_head(head) is not None
        return containers.png_with(head, meta, block) if whole else None

    image.pngsave_target(target.for_libvips(spliced), keep="icc", **speed)


def _webp(image: Image, order: _Order, target: _Target) -> None:
    _set_timing(image, order.header)
    options, block = order.options, order.exif
    data = image.webpsave_buffer(
        keep=_keep_blobs(image, order.header, block),
        Q=options.quality or 90,
        lossless=options.lossless,
        exact=options.lossless,
        effort=2 if options.effort is None else min(options.effort, 6),
    )
    target.take(data if block is None else containers.webp_with_exif(data, block))


def _tiff(image: Image, order: _Order, target: _Target) -> None:
    header, meta, block = order.header, order.header.metadata, order.exif
    if meta.xmp is not None:
        set_blob(image, "xmp-data", meta.xmp)
    image.tiffsave_target(
        target.for_libvips(None),
        keep="icc:xmp:other",
        compression=order.options.tiff_compression,
        predictor="horizontal",
        level=2,
        resunit="inch",
        bigtiff=needs_bigtiff(header),
    )
    byte_order = exif.order_of(target.stream)
    fields = [exif.no_resolution(byte_order)] if meta.resolution is None else []
    if meta.iptc is not None:
        resources, records = containers.tiff_iptc(meta.iptc)
        fields.append(exif.uninterpreted(exif.PHOTOSHOP, resources))
        fields += [exif.uninterpreted(exif.IPTC, records)] if records else []
    if block is not None:
        fields += exif.descriptive(block, byte_order)
    exif.into_tiff(target.stream, fields)


def _avif(image: Image, order: _Order, target: _Target) -> None:
    options, block = order.options, order.exif
    data = image.heifsave_buffer(
        keep=_keep_blobs(image, order.header, block),
        compression="av1",
        Q=options.quality or 80,
        lossless=options.lossless,
        bitdepth=min(order.header.bit_depth, 12),
        subsample_mode="off",
        effort=1 if options.effort is None else options.effort,
    )
    target.take(data if block is None else containers.avif_with_exif(data, block))


def _gif(image: Image, order: _Order, target: _Target) -> None:
    _set_timing(image, order.header)
    image.gifsave_target(
        target.for_libvips(None), keep="none", interpalette_maxerror=0, keep_duplicate_frames=True
    )


def _keep_blobs(image: Image, header: Header, block: bytes | None) -> str:
    """What libvips is to write; its EXIF only holds the place of ours."""
    if header.metadata.xmp is not None:
        set_blob(image, "xmp-data", header.metadata.xmp)
    return "icc:xmp:exif" if block is not None else "icc:xmp"


def _set_timing(image: Image, header: Header) -> None:
    pages = image.height // image.get_page_height()
    if pages > 1:
        delays = list(header.metadata.delays_ms[:pages])
        delays += [_DEFAULT_DELAY_MS] * (pages - len(delays))
        image.set_type(pyvips.GValue.array_int_type, "delay", delays)
        image.set_type(pyvips.GValue.gint_type, "loop", header.metadata.loop)


_WHOLE: dict[FormatName, int] = {"WebP": 28, "AVIF": 46, "GIF": 16}
"""Bytes per pixel of a frame for formats that can't be encoded in parts."""

_SAVERS: dict[FormatName, Callable[[Image, _Order, _Target], None]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "TIFF": _tiff,
    "AVIF": _avif,
    "GIF": _gif,
}
