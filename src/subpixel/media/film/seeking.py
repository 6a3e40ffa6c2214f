"""A film's frames from one in its middle on: those that decoding from the start gives, to the bit.

After a seek a decoder may lack what frames refer to: open groups, gradual refresh, key frames that
are none. So it begins well before, and where a frame is known that was decoded from the start, it
must come again, at the same time and with the same pixels.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import PictureError
from subpixel.media.film.facts import FilmFacts
from subpixel.media.film.frames import FilmFrame, decode_film

SEEK_SECONDS = 10
"""Before a frame of which nothing is known, from where on is decoded."""

ROOM_SECONDS = (0, 1, 10)
"""Before a key frame, where is sought for it: some containers count by decoding, or have no index
and land behind the place."""

WHOLE_GROUPS = 1
"""Of pictures, from key frame to key frame, that are decoded before the one of a known frame."""

CONTEXT_FRAMES = 2
"""Frames before a known one that deinterlacing may look at."""


@dataclass(frozen=True)
class KnownFrame:
    """A frame that was decoded by an earlier run."""

    time: int
    """In ticks."""
    size: int
    """In bytes of its pixels."""
    sha256: str
    """Of them."""


def describe_frame(time: int, pixels: NDArray[Any]) -> KnownFrame:
    """What tells a frame's ``pixels``, ``(H, W, C)``, as :meth:`FilmFrame.read` gives them."""
    data = np.ascontiguousarray(pixels).data
    return KnownFrame(time, data.nbytes, hashlib.sha256(data).hexdigest())


def decode_from(
    facts: FilmFacts, stream: int, time: int, *, deinterlace: bool = False
) -> Iterator[FilmFrame]:
    """Frames by time, that at ``time`` in ticks among them, and some before it.

    Raises :class:`PictureError` where one can't be decoded.
    """
    start = round(time - SEEK_SECONDS / facts.time_base)
    if start > facts.times[0]:
        frames = decode_film(facts, stream, deinterlace=deinterlace, start=start)
        first = _find_first(frames)
        if first is not None and first.time <= time:
            return chain([first], frames)
    return decode_film(facts, stream, deinterlace=deinterlace)


def decode_after(
    facts: FilmFacts, stream: int, known: KnownFrame, *, deinterlace: bool = False
) -> Iterator[FilmFrame] | None:
    """The frames after a known one, by time; None where it isn't found as it was but by decoding
    from the start."""
    for start in _list_seek_points(facts, known.time):
        frames = decode_film(facts, stream, deinterlace=deinterlace, start=start)
        if _skip_to(facts, frames, known):
            return frames
    return None


def _find_first(frames: Iterator[FilmFrame]) -> FilmFrame | None:
    try:
        return next(frames, None)
    except PictureError:
        return None


def _list_seek_points(facts: FilmFacts, time: int) -> Iterator[int]:
    """Where to look for a key frame from which the frame at ``time`` is decoded rightly; nothing
    where that is about the start."""
    earlier = [other for other in facts.times if other < time][-CONTEXT_FRAMES:]
    keys = [key for key in facts.keys if earlier and key <= earlier[0]]
    if len(keys) <= WHOLE_GROUPS:
        return
    key = keys[-1 - WHOLE_GROUPS]
    places = [round(key - seconds / facts.time_base) for seconds in ROOM_SECONDS]
    yield from (place for place in places if place > facts.times[0])


def _skip_to(facts: FilmFacts, frames: Iterator[FilmFrame], known: KnownFrame) -> bool:
    """Go on to behind the known frame; False where it isn't there as it was."""
    try:
        frame = next((frame for frame in frames if frame.time >= known.time), None)
        return (
            frame is not None
            and frame.time == known.time
            and describe_frame(frame.time, frame.read(facts)) == known
        )
    except PictureError:
        return False
