"""Pictures written with libvips, by rows as they come; a file appears whole or not at all.

What a file can't hold is returned as :class:`~subpixel.media.picture.Loss`, never dropped in
silence. An orientation stays a tag, except in formats that have none: pixels go out upright there.
"""

import io
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import pyvips

from subpixel.arguments import expect_kind
from subpixel.errors import PictureError
from subpixel.media.formats.format import EncodeOptions, EncodeTask, Format
from subpixel.media.formats.registry import FORMATS, expect_all_used, format_of, list_names
from subpixel.media.formats.tiff.growing_tiff import GrowingTiff, ReaderGoneError, load_growing_tiff
from subpixel.media.libvips import (
    MAX_VIPS_SIDE,
    FileTarget,
    VipsImage,
    clear_errors,
    expect_threads,
    explain_error,
    is_out_of_memory,
    set_blob,
    srgb_profile,
    through_own_profile,
)
from subpixel.media.losses import (
    Look,
    expect_no_loss,
    is_opaque,
    losses_of,
    profile_fate,
    refuse_losses,
)
from subpixel.media.picture import Header, Loss, Picture, Rows, expect_picture
from subpixel.media.reading import ColourStage, Decoders
from subpixel.system.files.atomic import Seal, atomic_file
from subpixel.system.files.targets import expect_free_file, target_exists

__all__ = ["EncodeOptions", "Encoder", "PictureWriter", "encode_picture", "write_picture"]

WRITE_CACHE_ROWS = 1000
"""Rows that libvips keeps of a picture that it writes from top to bottom."""

HELD_ROWS = 6
"""Of a picture that is written without libvips: what one row becomes on its way."""

LONG_ROW = 1 << 18
"""Bytes of a row from which those of a format that needs no libvips are written without it."""

BLOCK_BYTES = 1 << 22
"""About how much of a picture in memory is handed on at a time."""


class PictureWriter:
    """A picture file that is being written, from top to bottom; a context manager.

    ``header`` says what is coming, ``file``'s suffix names the format, ``opaque`` whether alpha,
    where there is any, is full all over (None: not known). ``decoders`` apply a profile and enlarge
    a gain map that nobody trusts. All rows must be given in order with
    :meth:`write`. When the block ends well the file is finished, flushed to disk, handed to
    ``seal`` and takes its name in one step; when it ends with any exception, nothing is left
    behind.

    Raises :class:`UsageError` for options that mean nothing for the format, and
    :class:`PictureError` for an unknown suffix, an existing file without ``overwrite``, a
    picture too large for the format, frames of an unknown number in a format that holds several, a
    folder that can't be written or a full disk, and :class:`LossError` under ``strict``, at the
    latest when the last row was seen.
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
        decoders: Decoders | None = None,
        seal: Seal = lambda stream: None,
    ) -> None:
        self._file, self._overwrite, self._strict = Path(file), overwrite, strict
        self._seal = seal
        self._encoder = Encoder(header, self._file, options, opaque=opaque, decoders=decoders)
        expect_free_file(self._file, overwrite=overwrite)
        self.losses: tuple[Loss, ...] = self._encoder.losses
        """What the file doesn't hold of the picture's source; complete when the file is."""
        if strict:
            expect_no_loss(self.losses, self._file)
        self._stack = ExitStack()

    @property
    def memory(self) -> int:
        """About how many bytes libvips holds meanwhile."""
        return self._encoder.memory

    def __enter__(self) -> Self:
        with self._disk_errors(), ExitStack() as stack:
            stream = stack.enter_context(
                atomic_file(self._file, overwrite=self._overwrite, seal=self._seal)
            )
            stack.enter_context(self._encoder.into(stream))
            self._stack = stack.pop_all()
        return self

    def write(self, rows: Rows) -> None:
        """The next rows, ``(h, W, C)`` of the header's dtype, all of one frame."""
        with self._disk_errors():
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
        with self._disk_errors(), self._stack:
            self._encoder.finish()
            self.losses = self._encoder.losses
            if self._strict:
                expect_no_loss(self.losses, self._file)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
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
    expect_picture(picture)
    file = Path(file)
    if strict:
        refuse_losses(picture, file)
    opaque = is_opaque(picture) if picture.has_alpha else None
    with PictureWriter(picture.header, file, options, opaque=opaque, overwrite=overwrite) as writer:
        for rows in _cut_blocks(picture):
            writer.write(rows)
    return writer.losses


def encode_picture(
    picture: Picture, file: str | Path, options: EncodeOptions = EncodeOptions()
) -> bytes:
    """The bytes that ``file``, whose suffix names the format, would hold; nothing is written.

    Raises :class:`PictureError` for an unknown suffix or a picture too large for the format.
    """
    expect_picture(picture)
    stream = io.BytesIO()
    opaque = is_opaque(picture) if picture.has_alpha else None
    encoder = Encoder(picture.header, Path(file), options, opaque=opaque)
    with encoder.into(stream):
        for rows in _cut_blocks(picture):
            encoder.write(rows)
        encoder.finish()
    return stream.getvalue()


def _cut_blocks(picture: Picture) -> Iterator[Rows]:
    row = picture.frames[0, :1].nbytes
    step = max(1, BLOCK_BYTES // row)
    for frame in picture.frames:
        for top in range(0, len(frame), step):
            yield frame[top : top + step]


class Encoder:
    """Rows in, the bytes of a picture file out; libvips works in a thread of its own.

    Raises :class:`PictureError` for an unknown suffix, a picture too large for the format, or
    frames of an unknown number in a format that holds several.
    """

    def __init__(
        self,
        header: Header,
        file: Path,
        options: EncodeOptions,
        *,
        opaque: bool | None,
        decoders: Decoders | None = None,
    ) -> None:
        expect_kind("options", options, EncodeOptions, hint="EncodeOptions(quality=90)")
        form = format_of(file)
        form.expect_package()
        expect_all_used(options, form)
        _expect_sides(header, form)
        self._file = file
        grow_map = decoders.enlarge_map if decoders else None
        self._task = EncodeTask(header, form, options, opaque is True, grow_map)
        self._decoders = decoders if profile_fate(header, form) == "applied" else None
        self._file_task = _announce_srgb(self._task) if self._decoders else self._task
        self._stage: ColourStage | None = None
        self._look = Look(header, form, opaque=opaque is not False)
        self._rows = 0
        self._rows_left = form.count_frames(header) * header.height
        self._tiff = GrowingTiff(self._file_task.file_header)
        self._end: Future[None] = Future()

    @property
    def memory(self) -> int:
        """About how many bytes libvips holds while it encodes; measured with libvips 8.18."""
        header = self._task.file_header
        writer, count = self._task.form.writer, self._task.form.count_frames(header)
        row = header.width * header.channels * header.dtype.itemsize
        rows = HELD_ROWS if _saves_rows(self._task) else WRITE_CACHE_ROWS
        rows = min(count * header.height, rows)
        per_pixel = writer.pixel_bytes or (writer.animation_bytes if count > 1 else 0)
        return row * rows + header.width * header.height * per_pixel

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What reading lost and this format loses, as far as the rows until now tell."""
        header, form = self._task.header, self._task.form
        return header.losses + losses_of(header, form, self._look)

    @contextmanager
    def into(self, stream: BinaryIO) -> Iterator[None]:
        """Encode into ``stream``, open for reading and writing, until the block ends."""
        target = FileTarget(stream, self._file)
        profile = self._task.header.metadata.icc
        if self._decoders is not None and profile is not None:
            header = self._task.file_header
            self._stage = self._decoders.open_colours(profile, header, self._file)
        with ThreadPoolExecutor(1, "encoder") as thread:
            self._end = thread.submit(_encode, self._tiff, self._file_task, target)
            try:
                yield
            finally:
                if self._stage is not None:
                    self._stage.close()
                target.stop()
                self._tiff.end()

    def write(self, rows: Rows) -> None:
        """The next rows, ``(h, W, C)``, all of one frame."""
        self._look.at(rows)
        part = rows[: self._rows_left]
        self._rows_left -= len(part)
        self._rows += len(rows)
        try:
            if len(part):
                self._put(self._task.convert(part))
        except ReaderGoneError:
            self._end.result()
            raise

    def _put(self, samples: Rows) -> None:
        if self._stage is None:
            self._tiff.put(samples)
            return
        for block in _cut_samples(samples):
            self._tiff.put(self._stage.convert(block))

    def finish(self) -> None:
        """Wait for the last byte."""
        missing = self._task.header.missing_rows(self._rows)
        if missing:
            raise ValueError(f"{missing} rows of the picture did not come")
        self._tiff.end()
        self._end.result()


def _cut_samples(samples: Rows) -> Iterator[Rows]:
    step = max(1, BLOCK_BYTES // samples[:1].nbytes)
    for top in range(0, len(samples), step):
        yield samples[top : top + step]


def _expect_sides(header: Header, form: Format) -> None:
    sides, count = (header.width, header.height), form.count_frames(header)
    limit = _max_side(form)
    if max(sides) > limit:
        others = [each for each in FORMATS if _max_side(each) >= max(sides)]
        instead = f"use {list_names(others)}" if others else "make it smaller"
        raise PictureError(
            f"{header.width} x {header.height} pixels are too large for {form.name}, "
            f"which holds up to {limit:,} along a side; {instead}"
        )
    if count * header.height > MAX_VIPS_SIDE:
        raise PictureError(
            f"{count} frames of {header.height} rows are more than can be written in one file, "
            f"{MAX_VIPS_SIDE:,} rows; make them smaller, or write fewer frames"
        )


def _max_side(form: Format) -> int:
    return min(form.capacity.max_side or MAX_VIPS_SIDE, MAX_VIPS_SIDE)


def _saves_rows(task: EncodeTask) -> bool:
    """Whether the file is written without libvips."""
    header, writer = task.file_header, task.form.writer
    row = header.width * header.channels * header.dtype.itemsize
    is_long = header.count == 1 and row >= LONG_ROW
    return is_long and writer.save_rows is not None and writer.takes_rows(task)


def _save_picture(tiff: GrowingTiff, task: EncodeTask, target: FileTarget) -> None:
    writer = task.form.writer
    if writer.save_rows is not None and _saves_rows(task):
        is_kept = profile_fate(task.header, task.form) == "kept"
        profile = task.header.metadata.icc if is_kept else None
        writer.save_rows(tiff.blocks(), task, profile, target)
    else:
        source = tiff.connect()  # which lives as long as the image
        writer.save(_build_image(load_growing_tiff(source), task), task, target)


def _encode(tiff: GrowingTiff, task: EncodeTask, target: FileTarget) -> None:
    """Read the growing picture to its end and write the file."""
    expect_threads()
    clear_errors()
    try:
        _save_picture(tiff, task, target)
        if target.error is not None:  # not every saver of libvips looks
            raise target.error
        target.stream.flush()
    except (pyvips.Error, ValueError) as error:
        # A saver that failed may call back while it is freed: not later than its callbacks are.
        traceback.clear_frames(error.__traceback__)
        if target.error is not None:
            raise target.error from error
        if is_out_of_memory(error):
            raise MemoryError(f"encoding {task.form.name}") from error
        raise PictureError(
            f"{target.file} can't be written as {task.form.name}: {explain_error(error)}"
        ) from error
    finally:
        tiff.leave()


def _build_image(frames: VipsImage, task: EncodeTask) -> VipsImage:
    """The frames below each other as a libvips image, with the metadata that libvips may write."""
    header = task.file_header
    kind = 8 if header.dtype == np.uint8 else 16
    colour = {8: ("b-w", "srgb"), 16: ("grey16", "rgb16")}[kind][not header.is_grey]
    across, down = header.metadata.resolution or (1.0, 1.0)
    image = frames.copy(interpretation=colour, xres=across, yres=down)
    for name in ("resolution-unit", "orientation", "n-pages", "bits-per-sample"):
        image.remove(name)
    image.set_type(pyvips.GValue.gint_type, "page-height", header.height)
    image = _set_profile(image, task)
    image.set_type(pyvips.GValue.gint_type, "orientation", header.metadata.orientation)
    return image


def _set_profile(image: VipsImage, task: EncodeTask) -> VipsImage:
    """The profile set, or applied to the pixels where the format has no room for it."""
    profile, fate = task.header.metadata.icc, profile_fate(task.header, task.form)
    if fate in ("kept", "applied"):
        set_blob(image, "icc-profile-data", profile)
    if fate != "applied":
        return image
    return through_own_profile(image)


def _announce_srgb(task: EncodeTask) -> EncodeTask:
    """The same for rows that were converted, as the file takes them, and turned into sRGB."""
    header = task.file_header
    shape = (*header.shape[:3], 3 + len(header.extra_channels))
    meta = replace(header.metadata, icc=srgb_profile() if task.form.capacity.icc else None)
    return replace(task, header=replace(header, shape=shape, metadata=meta))
