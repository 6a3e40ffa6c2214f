"""Animated PNG: frames as chunks of their own, laid on one another. Source: W3C PNG 3rd edition.

libvips knows stills only, so each frame is handed to it as a PNG of its own.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import BinaryIO

import numpy as np
import pyvips

from subpixel.media.formats.png.chunks import SIGNATURE, build_chunk
from subpixel.media.libvips import (
    FileContents,
    VipsImage,
    VipsLoad,
    build_header,
    get_blob,
)
from subpixel.media.metadata.budget import Budget
from subpixel.media.picture import Loss, Metadata, Rows
from subpixel.media.timing import DEFAULT_DELAY_MS, MAX_SHORT, TimingLimits, fit_timing

MAX_FRAMES = 100_000
"""More are taken for an attack."""

_KEEP, _CLEAR, _RESTORE = 0, 1, 2
"""What becomes of a frame's place when its time is over."""
_REPLACE, _OVER = 0, 1
PNG_TIMING = TimingLimits(
    "fractions of two 16-bit numbers", None, max_delay_ms=1000 * MAX_SHORT, max_loop=2**32 - 1
)
_BLOCK_ROWS = 64
"""Rows that are blended, or taken from libvips, at a time."""


@dataclass(frozen=True)
class Frame:
    """One frame: its place, its time, and where its compressed samples stand in the file."""

    width: int
    height: int
    x: int
    y: int
    delay_ms: Fraction
    dispose: int
    blend: int
    places: tuple[tuple[int, int], ...]
    """Where data of a chunk begins, and its bytes."""


@dataclass(frozen=True)
class Animation:
    """What a file says of its frames."""

    ihdr: bytes
    shared: tuple[tuple[bytes, bytes], ...]
    """Chunks that each frame's samples need: the palette, transparency."""
    loop: int
    frames: tuple[Frame, ...]
    has_still: bool
    """Whether the picture for programs that don't know animations is none of the frames."""

    @property
    def opens_holes(self) -> bool:
        """Whether something may show through although no frame's samples are transparent."""
        width, height = struct.unpack_from(">II", self.ihdr)
        first = self.frames[0]
        covers = (first.x, first.y, first.width, first.height) == (0, 0, width, height)
        clears = any(frame.dispose == _CLEAR for frame in self.frames[:-1])
        return not covers or clears or (len(self.frames) > 1 and first.dispose == _RESTORE)


def read_animation(stream: BinaryIO) -> Animation | None:
    """The animation in a file; None for a still. Raises :class:`ValueError` where it is damaged."""
    reader = _Reader()
    for name, at, length in _walk_chunks(stream):
        reader.take(stream, name, at, length)
    return reader.finish()


def _walk_chunks(stream: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Name of each chunk, where its data begins, and its bytes."""
    size = stream.seek(0, io.SEEK_END)
    at = len(SIGNATURE)
    budget = Budget()
    while at + 12 <= size and budget.step():
        stream.seek(at)
        length, name = struct.unpack(">I4s", stream.read(8))
        if at + 12 + length > size:
            return
        yield name, at + 8, length
        at += 12 + length


class _Reader:
    """Chunk after chunk of a file."""

    def __init__(self) -> None:
        self._ihdr, self._shared = b"", dict[bytes, bytes]()
        self._control: tuple[int, int] | None = None
        self._frames: list[Frame] = []
        self._places: list[tuple[int, int]] = []
        self._sequence = 0
        self._met_pixels = self._has_still = False

    def take(self, stream: BinaryIO, name: bytes, at: int, length: int) -> None:
        stream.seek(at)
        if name == b"IHDR":
            if self._ihdr:
                raise ValueError("it has two headers")
            self._ihdr = stream.read(min(length, 13))
        elif name in (b"PLTE", b"tRNS") and not self._met_pixels:
            self._shared.setdefault(name, stream.read(min(length, 1024)))
        elif name == b"acTL" and not self._met_pixels and self._control is None:
            self._control = struct.unpack(">II", stream.read(min(length, 8)).ljust(8, b"\0"))
        elif name == b"IDAT":
            self._met_pixels = True
            if self._frames:
                self._places.append((at, length))
            else:
                self._has_still = True
        elif self._control is not None and name in (b"fcTL", b"fdAT"):
            self._take_frame(name, stream.read(min(length, 26)), at, length)

    def _take_frame(self, name: bytes, data: bytes, at: int, length: int) -> None:
        if data[:4] != struct.pack(">I", self._sequence):
            raise ValueError(f"its chunks are out of order at number {self._sequence}")
        self._sequence += 1
        if name == b"fcTL":
            self._close_frame()
            self._frames.append(_parse_frame(data, self._ihdr))
        elif not self._frames or not self._met_pixels:
            raise ValueError("samples come before their frame")
        else:
            self._places.append((at + 4, length - 4))

    def _close_frame(self) -> None:
        if self._frames:
            if not self._places:
                raise ValueError(f"frame {len(self._frames)} has no samples")
            self._frames[-1] = replace(self._frames[-1], places=tuple(self._places))
            self._places = []

    def finish(self) -> Animation | None:
        if self._control is None:
            return None
        self._close_frame()
        count, loop = self._control
        if count != len(self._frames) or not 1 <= count <= MAX_FRAMES:
            raise ValueError(f"{len(self._frames)} frames where {count} are announced")
        if count == 1 and not self._has_still:
            return None
        return Animation(
            self._ihdr, tuple(self._shared.items()), loop, tuple(self._frames), self._has_still
        )


def _parse_frame(data: bytes, ihdr: bytes) -> Frame:
    if len(data) != 26 or len(ihdr) != 13:
        raise ValueError("a frame's chunk is cut off")
    fields = struct.unpack(">IIIIHHBB", data[4:])
    width, height, x, y, number, per, dispose, blend = fields
    whole_width, whole_height = struct.unpack_from(">II", ihdr)
    if not (width and height and x + width <= whole_width and y + height <= whole_height):
        raise ValueError(f"a frame of {width} x {height} at {x}, {y} is outside the picture")
    if dispose > _RESTORE or blend > _OVER:
        raise ValueError("a frame of unknown kind")
    delay = Fraction(1000 * number, per or 100)
    return Frame(width, height, x, y, delay, dispose, blend, ())


def spread_frames(still: VipsImage, contents: FileContents) -> VipsLoad:
    """The header of all frames of a file, whose still libvips has opened; the still where there
    is no animation, or a damaged one."""
    try:
        with contents.stream() as stream:
            animation = read_animation(stream)
    except ValueError as error:
        return still, (Loss("frames", f"its animation is damaged ({error}); a still is used"),)
    if animation is None:
        return still, ()
    channels = still.bands + (still.bands in (1, 3) and animation.opens_holes)
    shape = (len(animation.frames), still.height, still.width, channels)
    bits = 8 if still.format == "uchar" else 16
    header = build_header(shape, bits, get_blob(still, "icc-profile-data"))
    if not animation.has_still:
        return header, ()
    return header, (Loss("frames", "the still in place of the animation is left out"),)


def add_timing(meta: Metadata, contents: FileContents) -> Metadata:
    """``meta`` with the delays of a file's frames."""
    animation = _read_sound_animation(contents)
    if animation is None:
        return meta
    delays = tuple(
        delay.numerator if delay.denominator == 1 else delay
        for delay in (frame.delay_ms for frame in animation.frames)
    )
    return replace(meta, delays_ms=delays if len(delays) > 1 else (), loop=animation.loop)


def _read_sound_animation(contents: FileContents) -> Animation | None:
    try:
        with contents.stream() as stream:
            return read_animation(stream)
    except ValueError:  # named when the file was opened
        return None


def decode_frames(contents: FileContents) -> Iterator[Rows] | None:
    """The frames as they are seen; None for a still, which libvips decodes."""
    animation = _read_sound_animation(contents)
    return None if animation is None else _compose(animation, contents)


def _compose(animation: Animation, contents: FileContents) -> Iterator[Rows]:
    """Each frame over what the ones before it left."""
    width, height = struct.unpack_from(">II", animation.ihdr)
    canvas: Rows | None = None
    with contents.stream() as stream:
        for number, frame in enumerate(animation.frames):
            samples = _decode_frame(animation, frame, stream)
            if canvas is None:
                canvas = np.zeros((height, width, samples.shape[2]), samples.dtype)
            place = canvas[frame.y : frame.y + frame.height, frame.x : frame.x + frame.width]
            restore = frame.dispose == _RESTORE and number > 0
            before = place.copy() if restore else None
            _lay(samples, place, frame.blend)
            yield canvas.copy()
            if before is not None:
                place[:] = before
            elif frame.dispose != _KEEP:
                place[:] = 0


def _decode_frame(animation: Animation, frame: Frame, stream: BinaryIO) -> Rows:
    """Its samples, with alpha where the animation has some."""
    ihdr = struct.pack(">II", frame.width, frame.height) + animation.ihdr[8:]
    data = b"".join(_read_checked(stream, at, size) for at, size in frame.places)
    chunks = ((b"IHDR", ihdr), *animation.shared, (b"IDAT", data), (b"IEND", b""))
    file = SIGNATURE + b"".join(build_chunk(name, content) for name, content in chunks)
    # what is read in sequence libvips does not keep
    image = pyvips.Image.pngload_buffer(file, fail_on="error", access="sequential")
    if image.bands in (1, 3) and animation.opens_holes:
        image = image.addalpha()
    return np.asarray(image.numpy().reshape(frame.height, frame.width, image.bands))


def _read_checked(stream: BinaryIO, at: int, size: int) -> bytes:
    """Data of a chunk whose checksum is right; without the number of a frame's chunk."""
    stream.seek(at - 4)
    name = stream.read(4)
    if name not in (b"IDAT", b"fdAT"):
        stream.seek(at - 8)
        name = stream.read(8)
    data = stream.read(size)
    if zlib.crc32(name + data) != int.from_bytes(stream.read(4)):
        raise ValueError("samples of a frame are damaged (a wrong checksum)")
    return data


def _lay(samples: Rows, place: Rows, blend: int) -> None:
    """Put a frame's samples into its place, alpha and all, or over what is there."""
    if blend == _REPLACE or samples.shape[2] in (1, 3):
        place[:] = samples
        return
    for top in range(0, len(samples), _BLOCK_ROWS):
        rows = slice(top, top + _BLOCK_ROWS)
        place[rows] = _blend(samples[rows], place[rows])


def _blend(upper: Rows, lower: Rows) -> Rows:
    """Straight alpha over straight alpha, rounded to the nearest value."""
    white = float(np.iinfo(upper.dtype).max)
    above = upper[..., -1:].astype(np.float64)
    below = lower[..., -1:] * (1 - above / white)
    alpha = above + below
    colour = (upper * above + lower * below) / np.maximum(alpha, 1e-9)
    colour[..., -1:] = alpha
    return np.floor(colour + 0.5).astype(upper.dtype)


def write_animation(files: Iterator[bytes], meta: Metadata, count: int, stream: BinaryIO) -> None:
    """Join ``count`` PNGs of one form; chunks of the first one that describe it are those of all.

    Raises :class:`ValueError` for files of several forms.
    """
    sequence, ihdr = 0, b""
    meta = fit_timing(meta, PNG_TIMING)
    delays = [*meta.delays_ms[:count], *[DEFAULT_DELAY_MS] * (count - len(meta.delays_ms))]
    for number, file in enumerate(files):
        control = _Control(sequence, delays[number])
        chunks = list(_split_chunks(file))
        if number and chunks[0] != (b"IHDR", ihdr):
            raise ValueError("its frames are of several forms")
        ihdr = chunks[0][1]
        if number == 0:
            stream.write(SIGNATURE)
            _write_first(chunks, control, count, meta.loop, stream)
        else:
            _write_further(chunks, control, stream)
        sequence = control.sequence
    stream.write(build_chunk(b"IEND", b""))


@dataclass
class _Control:
    """The numbers of the next chunks, and how long the frame stands."""

    sequence: int
    delay_ms: Fraction | int

    def next_number(self) -> bytes:
        self.sequence += 1
        return struct.pack(">I", self.sequence - 1)

    def build(self, ihdr: bytes) -> bytes:
        """The chunk that announces a frame of the whole picture's size."""
        seconds = Fraction(self.delay_ms) / 1000
        data = self.next_number() + ihdr[:8] + bytes(8)
        data += struct.pack(">HHBB", seconds.numerator, seconds.denominator, _KEEP, _REPLACE)
        return build_chunk(b"fcTL", data)


def _write_first(
    chunks: Sequence[tuple[bytes, bytes]], control: _Control, count: int, loop: int, out: BinaryIO
) -> None:
    """All of the first frame but its end; the pixels are the still's too."""
    announced = False
    for name, data in chunks:
        if name == b"IDAT" and not announced:
            out.write(build_chunk(b"acTL", struct.pack(">II", count, loop)))
            out.write(control.build(chunks[0][1]))
            announced = True
        if name != b"IEND":
            out.write(build_chunk(name, data))


def _write_further(chunks: Sequence[tuple[bytes, bytes]], control: _Control, out: BinaryIO) -> None:
    out.write(control.build(chunks[0][1]))
    for name, data in chunks:
        if name == b"IDAT":
            out.write(build_chunk(b"fdAT", control.next_number() + data))


def _split_chunks(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    for name, at, length in _walk_chunks(io.BytesIO(file)):
        yield name, file[at : at + length]


def cut_frames(image: VipsImage, height: int) -> Iterator[VipsImage]:
    """Frames below each other, one after the other, each in memory."""
    region = pyvips.Region.new(image)
    dtype = np.uint8 if image.format == "uchar" else np.uint16
    for top in range(0, image.height, height):
        samples = np.empty((height, image.width, image.bands), dtype)
        for at in range(0, height, _BLOCK_ROWS):
            rows = samples[at : at + _BLOCK_ROWS]
            block = region.fetch(0, top + at, image.width, len(rows))
            rows[:] = np.frombuffer(block, dtype).reshape(rows.shape)
        frame = pyvips.Image.new_from_array(samples)
        yield frame.copy(interpretation=image.interpretation)
