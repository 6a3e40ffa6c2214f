"""Frames of a GIF that clear their place, as browsers show them.

A frame may ask that its place be cleared before the next one is drawn. Browsers clear it to
transparent. libvips (its libnsgif) does where the frame has a transparent colour, and else fills
the place with the background colour; so it does around a first frame that is smaller than the
picture. Behind each such frame, and before such a first one, comes an empty frame here that has a
transparent colour: libnsgif clears what that one covers. Behind all others comes one that does
nothing, so that every second page is the file's own: the rest is left out again in one operation.
Source: GIF89a (CompuServe, 1990).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAX_AREA = 1 << 31
"""Most pixels to clear, of all frames: a second's work."""

_GIF_HEADER = 13
_EXTENSION, _IMAGE = 0x21, 0x2C
_GRAPHIC_CONTROL = 0xF9
_KEEP, _CLEAR, _RESTORE = 1, 2, 3
_CODE_BITS, _MAX_CODES = 2, 4096


@dataclass(frozen=True)
class _Frame:
    """One frame: where it stands in the file, and where in the picture."""

    start: int
    """Its first byte, that of its graphic control block where it has one."""
    stop: int
    control: int | None
    """Where the flags of its graphic control stand."""
    flags: int
    place: tuple[int, int, int, int]
    """Left, top, width, height."""

    @property
    def is_opaque(self) -> bool:
        """Whether it has no transparent colour."""
        return not self.flags & 1

    @property
    def disposal(self) -> int:
        """What becomes of its place: 0 … 7."""
        return self.flags >> 2 & 7


@dataclass(frozen=True)
class ClearedGif:
    """A file with empty frames."""

    file: bytes
    pages: range
    """The numbers of the file's own frames."""


def clear_as_browsers(file: bytes) -> ClearedGif | None:
    """The file with empty frames where libnsgif needs them.

    None where it needs none. Raises :class:`ValueError` for an attack: more to clear than any
    picture has.
    """
    frames = list(_list_frames(file))
    clears = [_needs_clearing(frames, i) for i in range(len(frames) - 1)]
    screen = (0, 0, *struct.unpack_from("<HH", file, 6)) if frames else (0, 0, 0, 0)
    starts_small = bool(frames) and frames[0].is_opaque and _lies_within(frames[0].place, screen)
    if not starts_small and not any(clears):
        return None
    places = [frame.place for frame, clear in zip(frames, clears, strict=False) if clear]
    area = sum(width * height for _, _, width, height in [*places, screen])
    if area > MAX_AREA:
        raise ValueError(f"its frames clear {area:,} pixels, over {MAX_AREA:,}")
    builder = _EmptyFrames()
    head = builder.build(screen) if starts_small else b""
    parts = [file[: frames[0].start], head]
    if any(clears):
        parts += _insert_empty(file, frames, [*clears, False], builder)
    else:
        parts.append(file[frames[0].start :])
    step = 2 if any(clears) else 1
    start = 1 if starts_small else 0
    return ClearedGif(b"".join(parts), range(start, start + step * len(frames), step))


def leaves_screen_bare(file: bytes) -> bool:
    """Whether the first frame is smaller than the picture: what is around it is transparent."""
    frame = next(_list_frames(file), None)
    return frame is not None and _lies_within(
        frame.place, (0, 0, *struct.unpack_from("<HH", file, 6))
    )


def _needs_clearing(frames: list[_Frame], number: int) -> bool:
    """Whether libnsgif leaves what is to be cleared behind a frame.

    Before the first frame is nothing, so to restore what was there is to clear, too.
    """
    frame = frames[number]
    first = number == 0 and frame.disposal == _RESTORE
    return frame.is_opaque and (frame.disposal == _CLEAR or first)


def _lies_within(place: tuple[int, int, int, int], screen: tuple[int, int, int, int]) -> bool:
    """Whether a place is a part of the screen and not all of it."""
    left, top, width, height = place
    inside = left + width <= screen[2] and top + height <= screen[3]
    return inside and (width, height) != screen[2:]


def _insert_empty(
    file: bytes, frames: list[_Frame], clears: list[bool], builder: "_EmptyFrames"
) -> Iterator[bytes]:
    """The file from its first frame on, with an empty frame behind each."""
    idle, at = builder.build_idle(), frames[0].start
    for frame, clears_place in zip(frames, clears, strict=True):
        data = bytearray(file[at : frame.stop])
        if clears_place and frame.control is not None:
            data[frame.control - at] = frame.flags & ~0x1C | _KEEP << 2
        yield bytes(data)
        yield builder.build(frame.place) if clears_place else idle
        at = frame.stop
    yield file[at:]


def _list_frames(file: bytes) -> Iterator[_Frame]:
    """All frames up to the end, or to where the file is damaged."""
    if len(file) < _GIF_HEADER:
        return
    at = _GIF_HEADER + _palette_size(file[10])
    control: int | None = None
    while at + 10 <= len(file) and file[at] in (_EXTENSION, _IMAGE):
        if file[at] == _EXTENSION:
            if file[at + 1] == _GRAPHIC_CONTROL and file[at + 2] == 4:
                control = at
            at = _skip_blocks(file, at + 2)
            continue
        place = struct.unpack_from("<HHHH", file, at + 1)
        stop = _skip_blocks(file, at + 11 + _palette_size(file[at + 9]))
        start = at if control is None else control
        where = None if control is None else control + 3
        yield _Frame(start, stop, where, 0 if where is None else file[where], place)
        at, control = stop, None


def _palette_size(flags: int) -> int:
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _skip_blocks(file: bytes, at: int) -> int:
    """The first byte behind data in blocks, each with its size before it, the last one empty."""
    end = len(file)
    while at < end and (length := file[at]):
        at += 1 + length
    return min(at + 1, end)


class _EmptyFrames:
    """Builds frames that show nothing and then clear their place."""

    def __init__(self) -> None:
        self._samples: dict[int, bytes] = {}

    def build(self, place: tuple[int, int, int, int]) -> bytes:
        """The frame at this place: left, top, width, height."""
        count = place[2] * place[3]
        if count not in self._samples:
            self._samples[count] = _compress_zeros(count)
        return _build_empty_frame(place, _CLEAR, self._samples[count])

    def build_idle(self) -> bytes:
        """A frame that shows nothing and changes nothing."""
        return _build_empty_frame((0, 0, 1, 1), _KEEP, _compress_zeros(1))


def _build_empty_frame(place: tuple[int, int, int, int], disposal: int, samples: bytes) -> bytes:
    flags = disposal << 2 | 1
    control = struct.pack("<BBBBHBB", _EXTENSION, _GRAPHIC_CONTROL, 4, flags, 0, 0, 0)
    return control + struct.pack("<B4HB", _IMAGE, *place, 0x80) + bytes(6) + samples


def _compress_zeros(count: int) -> bytes:
    """So many pixels of colour 0 by LZW, and the block that ends them."""
    stream = at = 0
    pieces = bytearray()
    for code, width in _list_codes(count):
        stream |= code << at
        at += width
        while at >= 8:
            pieces.append(stream & 255)
            stream, at = stream >> 8, at - 8
    pieces.append(stream)
    blocks = (pieces[i : i + 255] for i in range(0, len(pieces), 255))
    return bytes((_CODE_BITS,)) + b"".join(bytes((len(b),)) + b for b in blocks) + b"\0"


def _list_codes(count: int) -> Iterator[tuple[int, int]]:
    """Codes and their widths in bits: each stands for a run one longer than that before it."""
    clear, first = 1 << _CODE_BITS, (1 << _CODE_BITS) + 2
    run, width = 1, _CODE_BITS + 1
    yield clear, width
    while count:
        length = min(run, count)
        yield 0 if length == 1 else first + length - 2, width
        count -= length
        if first + run - 1 == _MAX_CODES:
            yield clear, width
            run, width = 1, _CODE_BITS + 1
            continue
        width = max(width, min((first + run - 1).bit_length(), 12))
        run += 1
    yield clear + 1, width
