"""The picture: pixels and everything else that a picture file says, as one frozen value.

Pixels keep the depth of their file (uint8, uint16) rather than float32: what a network does not
touch goes out bit for bit as it came in, and a decoded photograph takes a quarter of the memory.
They become float32 in 0 … 1 only at a network's door, one tile at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from numbers import Integral
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from subpixel.arguments import expect_kind
from subpixel.errors import PictureError

Frames = NDArray[Any]
"""``(N, H, W, C)``, uint8, uint16 or float32."""

Rows = NDArray[Any]
"""``(h, W, C)``: some rows of a picture, of its dtype."""

PictureShape = tuple[int | None, int, int, int]
"""Frames, height, width, channels; None frames: their number isn't known before the last."""

ExtraChannel = Literal["alpha", "independent alpha", "data"]
"""What a channel beyond grey or RGB is: transparency, which hides colours; transparency that a
file says it is and whose pixels' colours count all the same (a game's texture); or data of its own
(a mask, infrared). Only the first has to do with the colours; the others go their own way."""

FULL_SCALE: dict[np.dtype[Any], float] = {
    np.dtype(np.uint8): 255.0,
    np.dtype(np.uint16): 65535.0,
    np.dtype(np.float32): 1.0,
}
"""The sample value that stands for 1.0, by dtype."""

BIT_DEPTHS: dict[np.dtype[Any], range] = {
    np.dtype(np.uint8): range(8, 9),
    np.dtype(np.uint16): range(9, 17),
    np.dtype(np.float32): range(32, 33),
}
"""How many bits of a sample may mean something, by dtype."""

_ALL_BITS = cast(int, None)
"""The default: the most of the dtype, which takes its place at once."""


@dataclass(frozen=True)
class Loss:
    """One thing that a picture had and that its new file can't hold."""

    what: str
    """Short and stable, for programs: ``"bit depth"``, ``"alpha"``, ``"icc"``, ``"exif"``, …"""
    why: str
    """For people: what it was, what becomes of it."""

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


@dataclass(frozen=True)
class GainMap:
    """How much brighter than its samples each part of a picture is on a display with high dynamic
    range (ISO 21496-1, and what phones wrote before it)."""

    data: bytes = field(repr=False)
    """A picture file of its own, which also says how the map is to be applied."""
    width: int
    """Of the picture that it was made for, in pixels; the map itself is usually smaller."""
    height: int
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Left, top, right, bottom of what the picture shows of the map, 0 … 1."""

    def crop(self, left: float, top: float, right: float, bottom: float) -> "GainMap":
        """The map of a part of the picture, whose edges are fractions (0 … 1) of its sides."""
        x, y, right_edge, bottom_edge = self.region
        wide, high = right_edge - x, bottom_edge - y
        region = (x + left * wide, y + top * high, x + right * wide, y + bottom * high)
        return replace(self, region=region)

    def scales_to(self, width: int, height: int) -> tuple[float, float]:
        """By how much what is shown of the map's picture grows to these sides, across and down."""
        left, top, right, bottom = self.region
        return width / (self.width * (right - left)), height / (self.height * (bottom - top))

    def fits(self, width: int, height: int) -> bool:
        """Whether a picture of these sides has the shape of what the map is for, but for rounding
        to whole pixels; one that was cut without :meth:`crop` has not."""
        across, down = self.scales_to(width, height)
        return abs(across - down) <= across / width + down / height


@dataclass(frozen=True)
class Metadata:
    """What a picture file says beside its pixels. ``None`` and empty mean: it says nothing."""

    icc: bytes | None = None
    """ICC profile of the pixels as they are held."""
    exif: bytes | None = None
    """EXIF block, with or without its ``Exif\\0\\0`` prefix as libvips holds it."""
    xmp: bytes | None = None
    iptc: bytes | None = None
    orientation: int = 1
    """EXIF orientation, 1 … 8. The pixels are held as stored, not turned."""
    resolution: tuple[float, float] | None = None
    """Horizontal and vertical pixels per millimetre."""
    text: tuple[tuple[str, str], ...] = ()
    """Texts as key and value, in file order."""
    delays_ms: tuple[int | Fraction, ...] = ()
    """How long each frame of an animation stands, in milliseconds; empty for a still."""
    loop: int = 0
    """How often an animation plays; 0 is for ever."""
    gain_map: GainMap | None = None
    aspect: tuple[int, int] | None = None
    """Horizontal and vertical pixels along the same length, where a file says only that: pixels of
    a film that is twice as wide as it is stored have (1, 2). None: square, or ``resolution`` says
    it."""
    pages: tuple["Metadata", ...] = ()
    """What each frame says by itself, the first one's again included; empty: they all say this."""


@dataclass(frozen=True)
class Header:
    """All that a picture says but its pixels.

    ``shape`` is ``(N, H, W, C)``: frames, height, width, channels; N is None where frames come as
    they come (a film, a camera). The fields mean what they mean in :class:`Picture`. Raises
    :class:`PictureError` for what a picture can't be.
    """

    shape: PictureShape
    dtype: np.dtype[Any]
    metadata: Metadata = field(default_factory=Metadata)
    bit_depth: int = _ALL_BITS
    losses: tuple[Loss, ...] = ()
    extras: tuple[ExtraChannel, ...] | None = None

    def __post_init__(self) -> None:
        channels = self.shape[3] if len(self.shape) == 4 else 0
        limit = 4 if self.extras is None else len(self.extras) + 3
        if not 1 <= channels <= limit or 0 in self.shape or self.colours not in (1, 3):
            raise PictureError(
                f"frames have the shape {self.shape}; a picture is (frames, height, width, "
                "1 to 4 channels), or has grey or RGB and the extra channels that are named"
            )
        if self.dtype not in FULL_SCALE:
            raise PictureError(
                f"samples are {self.dtype}; a picture holds uint8, uint16 or float32"
            )
        object.__setattr__(self, "bit_depth", _settle_depth(self.bit_depth, self.dtype))

    @property
    def count(self) -> int | None:
        """How many frames; None where that isn't known before the last has come."""
        return None if self.shape[0] is None else int(self.shape[0])

    def expect_count(self, taker: str) -> int:
        """How many frames, for what can't do without; raises :class:`PictureError` naming it where
        that isn't known."""
        if self.count is None:
            raise PictureError(
                f"{taker} needs the number of frames before the first one, and it isn't known "
                "here; take the frames one at a time"
            )
        return self.count

    def missing_rows(self, rows: int) -> int:
        """How many rows must follow the first ``rows`` for the picture, or else its frame, to be
        whole."""
        if self.count is not None:
            return self.count * self.height - rows
        return -rows % self.height if rows else self.height

    @property
    def height(self) -> int:
        return int(self.shape[1])

    @property
    def width(self) -> int:
        return int(self.shape[2])

    @property
    def channels(self) -> int:
        return int(self.shape[3])

    @property
    def extra_channels(self) -> tuple[ExtraChannel, ...]:
        """What the channels after grey or RGB are."""
        if self.extras is not None:
            return self.extras
        return ("alpha",) if self.channels in (2, 4) else ()

    @property
    def colours(self) -> int:
        """How many channels, the first ones, are colour: 1, grey, or 3, RGB."""
        return self.channels - len(self.extra_channels)

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel, the only one beside the colours, hides them."""
        return self.extra_channels == ("alpha",)

    @property
    def alpha_channel(self) -> int | None:
        """The channel that is transparency by name, whether it hides colours or not."""
        kinds = [kind != "data" for kind in self.extra_channels]
        return self.colours + kinds.index(True) if True in kinds else None

    @property
    def is_grey(self) -> bool:
        return self.colours == 1

    @property
    def full_scale(self) -> float:
        """The sample value of white: 255, 65535 or 1.0."""
        return FULL_SCALE[self.dtype]

    def enlarge(self, scale: int) -> "Header":
        """The header of the same picture, ``scale`` times as high and wide."""
        count, height, width, channels = self.shape
        return replace(self, shape=(count, height * scale, width * scale, channels))


def expect_picture(picture: object) -> None:
    """Raise :class:`~subpixel.errors.UsageError` unless ``picture`` is a :class:`Picture`."""
    hint = "read_picture(file) returns one; arrays and Pillow images go to upscale(image)"
    expect_kind("picture", picture, Picture, hint=hint)


class Source(Protocol):
    """Where pixels come from: a picture in memory, a file that is open, frames without end."""

    @property
    def header(self) -> Header:
        """What is coming; the number of frames may be unknown."""
        ...

    @property
    def memory(self) -> int:
        """About how many bytes it takes to have them, beside the rows themselves."""
        ...

    def chunks(self) -> Iterator[Rows]:
        """All rows from top to bottom, frame after frame, no two frames in one chunk: ``(h, W, C)``
        of the header's dtype. Each time from the start, where the number of frames is known; else
        maybe but once, and from the frame that comes next."""
        ...


def expect_source(source: object) -> None:
    """Raise :class:`~subpixel.errors.UsageError` unless ``source`` is a :class:`Source`."""
    if not callable(getattr(source, "chunks", None)):
        expect_picture(source)


@dataclass(frozen=True, eq=False)
class RowSource:
    """A :class:`Source` of rows that come but once."""

    header: Header
    rows: Iterator[Rows]
    memory: int = 0

    def chunks(self) -> Iterator[Rows]:
        return self.rows


@dataclass(frozen=True, eq=False)
class Picture:
    """A still picture, or the frames of an animation.

    ``frames`` is ``(N, H, W, C)`` of uint8, uint16 or float32, one to four channels: grey, grey
    and alpha, RGB, RGB and alpha; or grey or RGB and such channels as ``extras`` names. Alpha is
    straight, not premultiplied. The full range of the dtype (float32: 0 … 1) is black to white.
    """

    frames: Frames
    metadata: Metadata = field(default_factory=Metadata)
    bit_depth: int = _ALL_BITS
    """Significant bits per sample in the file: 8 of uint8, 9 to 16 of uint16, 32 of float32. Left
    out: all that the dtype has."""
    losses: tuple[Loss, ...] = ()
    """What reading could not keep: CMYK turned into RGB, further pages left out."""
    extras: tuple[ExtraChannel, ...] | None = None
    """What the channels after grey or RGB are, in their order; None: the last of two or four
    channels is alpha."""

    def __post_init__(self) -> None:
        if not isinstance(self.frames, np.ndarray):
            raise PictureError(
                f"frames are of the type {type(self.frames).__name__}; give a numpy array of the "
                "shape (frames, height, width, channels)"
            )
        object.__setattr__(self, "bit_depth", self.header.bit_depth)

    @property
    def header(self) -> Header:
        """All but the pixels."""
        shape = cast(tuple[int, int, int, int], self.frames.shape)
        meta, depth = self.metadata, self.bit_depth
        return Header(shape, self.frames.dtype, meta, depth, self.losses, self.extras)

    @property
    def height(self) -> int:
        return self.header.height

    @property
    def width(self) -> int:
        return self.header.width

    @property
    def has_alpha(self) -> bool:
        return self.header.has_alpha

    @property
    def is_grey(self) -> bool:
        return self.header.is_grey

    @property
    def full_scale(self) -> float:
        """The sample value of white: 255, 65535 or 1.0."""
        return self.header.full_scale

    @property
    def memory(self) -> int:
        """None: the pixels are here already."""
        return 0

    def chunks(self) -> Iterator[Rows]:
        """The frames, one after the other."""
        yield from self.frames

    def rgb8(self) -> NDArray[np.uint8]:
        """The first frame as ``(H, W, 3)`` RGB, without alpha, grey repeated, rounded to 8 bits."""
        frame = self.frames[0]
        colour = frame[..., :1].repeat(3, axis=-1) if self.is_grey else frame[..., :3]
        return convert_samples(colour, np.dtype(np.uint8))


def _settle_depth(depth: int | None, dtype: np.dtype[Any]) -> int:
    """``depth`` where samples of ``dtype`` may have it, and for None the most that they have."""
    allowed = BIT_DEPTHS[dtype]
    if depth is None:
        return allowed[-1]
    if not isinstance(depth, Integral) or isinstance(depth, bool) or depth not in allowed:
        bits = str(allowed[-1]) if len(allowed) == 1 else f"{allowed[0]} to {allowed[-1]}"
        raise PictureError(
            f"bit_depth is {depth!r}; samples of {dtype} have {bits}: leave it out for "
            f"{allowed[-1]}"
        )
    return int(depth)


def read_frames(source: Source) -> Iterator[Rows]:
    """Each frame of ``source`` as an array of its own, ``(H, W, C)``, as soon as it is whole.

    No more than one is held here, so the frames may be without end. Raises what the source
    raises, and :class:`PictureError` for rows of two frames in one chunk, and for an end within a
    frame or before the last one.
    """
    header, done = source.header, 0
    frame = np.empty(0, header.dtype)
    for rows in source.chunks():
        number, top = divmod(done, header.height)
        if top == 0:
            frame = np.empty(header.shape[1:], header.dtype)
        _expect_room_for(len(rows), 0 if number == header.count else header.height - top)
        frame[top : top + len(rows)] = rows
        done += len(rows)
        if done % header.height == 0:
            yield frame
    if done or header.count is not None:
        _expect_end(header, done)


def read_source(source: Source) -> Picture:
    """All of ``source`` in memory.

    Raises what :func:`read_frames` raises, and :class:`PictureError` where the number of frames
    isn't known: there might be no end to them.
    """
    header, done = source.header, 0
    count = header.expect_count("a picture in memory")
    frames: Frames = np.empty((count, *header.shape[1:]), header.dtype)
    below = frames.reshape(-1, *header.shape[2:])
    for rows in source.chunks():
        _expect_room_for(len(rows), len(below) - done)
        below[done : done + len(rows)] = rows
        done += len(rows)
    _expect_end(header, done)
    return Picture(frames, header.metadata, header.bit_depth, header.losses, header.extras)


def _expect_room_for(rows: int, room: int) -> None:
    if rows > room:
        raise PictureError(
            f"{rows} rows came where {room} were left; a source gives the rows of one frame at a "
            "time, and of no more frames than its header says"
        )


def _expect_end(header: Header, rows: int) -> None:
    missing = header.missing_rows(rows)
    if missing:
        raise PictureError(f"{missing} rows are missing: the source ended early; read it anew")


def convert_samples(samples: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Samples of one dtype's full range in another's: clipped, and rounded to the nearest value.

    The same array comes back when it has that dtype already.
    """
    if samples.dtype == dtype:
        return samples
    if samples.dtype == np.uint16 and dtype == np.uint8:
        return np.asarray(((samples.astype(np.uint32) + 128) // 257).astype(np.uint8))
    scale = np.float32(FULL_SCALE[dtype] / FULL_SCALE[samples.dtype])
    if dtype == np.float32:
        return np.asarray(samples.astype(np.float32) * scale)
    clipped = samples.clip(0, FULL_SCALE[samples.dtype])
    return np.asarray(np.floor(clipped * scale + np.float32(0.5)).astype(dtype))


def make_alpha_straight(samples: NDArray[Any]) -> NDArray[Any]:
    """``(h, W, C)`` uint8 or uint16 whose colours were multiplied by alpha, the last channel,
    divided by it, rounded; black where alpha is 0."""
    white = int(FULL_SCALE[samples.dtype])
    wide: NDArray[Any] = samples.astype(np.uint64 if samples.dtype == np.uint16 else np.uint32)
    alpha = wide[..., -1:]
    straight: NDArray[Any] = (wide * white + alpha // 2) // np.maximum(alpha, 1)
    straight[np.broadcast_to(alpha == 0, straight.shape)] = 0
    straight[..., -1:] = alpha
    return np.asarray(straight.clip(0, white).astype(samples.dtype))
