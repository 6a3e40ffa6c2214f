"""A film's frames, one after the other, each with its exact time."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import av
from av import VideoFrame
from av.container import InputContainer
from av.filter import Graph
from av.video.stream import VideoStream
from numpy.typing import NDArray

from subpixel.errors import PictureError
from subpixel.media.film.conversion import decode_planes, sample_dtype
from subpixel.media.film.facts import FilmColour, FilmFacts, follow_tags
from subpixel.media.film.planes import read_planes
from subpixel.media.film.survey.container import decode_video, open_container, to_fraction
from subpixel.media.film.survey.look import read_frame_tags
from subpixel.media.film.survey.timing import time_frames
from subpixel.media.picture import Header, Metadata

PLACES, PLACE_FRAMES, MIN_LONG_COUNT = 8, 3, 500
"""Into so many parts a film is divided to be looked at between them, so many frames are decoded
there, and so many frames a film has for which that is worth it."""


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """A frame, decoded, not yet in RGB."""

    time: int
    """In ticks of the film's time base."""
    coded: VideoFrame

    def read(self, facts: FilmFacts) -> NDArray[Any]:
        """``(H, W, C)``, grey or RGB and alpha: uint8, or uint16 of more than 8 bits, by the matrix
        and the range that the frame says.

        Raises :class:`PictureError` where the frame is otherwise not as the film's first.
        """
        if (self.coded.height, self.coded.width) != (facts.height, facts.width):
            raise _explain_change(
                f"{facts.width} x {facts.height}",
                f"{self.coded.width} x {self.coded.height}",
                self.time,
                facts,
            )
        if self.coded.interlaced_frame:
            raise PictureError(
                f"{facts.file} is interlaced from {describe_time(self.time, facts)} on; use "
                "--deinterlace to make whole frames of its half pictures first"
            )
        colour = self._read_colour(facts)
        return decode_planes(read_planes(self.coded, facts.layout), facts.layout, colour)

    def _read_colour(self, facts: FilmFacts) -> FilmColour:
        colour = follow_tags(facts.colour, read_frame_tags(self.coded), facts.layout)
        if colour.gamut != facts.colour.gamut:
            raise _explain_change(facts.colour.gamut, colour.gamut, self.time, facts)
        return colour


def _explain_change(before: str, after: str, time: int, facts: FilmFacts) -> PictureError:
    return PictureError(
        f"{facts.file}: frames change from {before} to {after} at {describe_time(time, facts)}; "
        "cut the film there first"
    )


def film_header(facts: FilmFacts) -> Header:
    """A film's frames as a picture's: their number is unknown."""
    layout, aspect = facts.layout, facts.aspect
    shown = None if aspect == 1 else (aspect.denominator, aspect.numerator)
    shape = (None, facts.height, facts.width, layout.channels)
    meta = Metadata(aspect=shown)
    return Header(shape, sample_dtype(layout), meta, layout.bits)


def look_ahead(facts: FilmFacts, stream: int, *, deinterlace: bool = False) -> None:
    """Decode a few frames at some places of a long film, so that most changes are found before the
    work. Where nothing can be sought, nothing is looked at.

    Raises :class:`PictureError` for frames that aren't as the film's first.
    """
    if facts.are_times_counted or facts.count < MIN_LONG_COUNT:
        return
    for number in range(1, PLACES):
        start = facts.times[facts.count * number // PLACES]
        for frame in _decode_some(facts, stream, start, deinterlace=deinterlace):
            frame.read(facts)


def _decode_some(
    facts: FilmFacts, stream: int, start: int, *, deinterlace: bool
) -> tuple[FilmFrame, ...]:
    """None where that fails: what can't be decoded after a jump may be whole in its order."""
    try:
        frames = decode_film(facts, stream, deinterlace=deinterlace, start=start)
        return tuple(islice(frames, PLACE_FRAMES))
    except PictureError:
        return ()


def decode_film(
    facts: FilmFacts, stream: int, *, deinterlace: bool = False, start: int | None = None
) -> Iterator[FilmFrame]:
    """All frames by time; from where the container finds ``start``, in ticks, on: mostly the key
    frame before it, and the first frames may lack what they refer to.

    Raises :class:`PictureError` where one can't be decoded, and where it can't be sought, or frames
    have no times of their own, by which what was sought is told.
    """
    with open_container(facts.file) as container:
        video = container.streams[stream]
        assert isinstance(video, VideoStream)
        video.thread_type = "AUTO"
        if start is not None:
            container.seek(start, stream=video)
        frames = _decode_all(facts, container, video)
        if deinterlace:
            frames = _deinterlace(facts, video, frames)
        yield from _with_times(facts, frames if start is None else _timed(facts, frames))


def _decode_all(
    facts: FilmFacts, container: InputContainer, video: VideoStream
) -> Iterator[VideoFrame]:
    last: int | None = None
    aspect: Fraction | None = None
    try:
        for frame in decode_video(container, video):
            if frame.is_corrupt and aspect is None:
                continue  # what it refers to lies before the film's beginning, or where was sought
            if frame.is_corrupt:
                raise PictureError(f"{facts.file}: a frame is damaged{_place_after(last, facts)}")
            last = frame.pts if frame.pts is not None else last
            shape = to_fraction(video.codec_context.sample_aspect_ratio) or Fraction(1)
            aspect = aspect or shape
            if shape != aspect:
                raise _explain_shape(aspect, shape, last, facts)
            yield frame
    except av.FFmpegError as error:
        text = error.strerror
        where = _place_after(last, facts)
        raise PictureError(f"{facts.file}: a frame can't be decoded{where}: {text}") from error


def _explain_shape(
    before: Fraction, after: Fraction, time: int | None, facts: FilmFacts
) -> PictureError:
    old, new = (f"pixels of {shape.numerator}:{shape.denominator}" for shape in (before, after))
    return _explain_change(old, new, facts.times[0] if time is None else time, facts)


def _place_after(last: int | None, facts: FilmFacts) -> str:
    return "" if last is None else f", after {describe_time(last, facts)}"


def _deinterlace(
    facts: FilmFacts, video: VideoStream, frames: Iterator[VideoFrame]
) -> Iterator[VideoFrame]:
    """One whole frame of each two fields, at the time of the first (FFmpeg's bwdif). Of a film
    whose header alone says that it is interlaced, of all frames; else of those that say so."""
    graph = Graph()
    which = "all" if facts.interlaced and not facts.tells_fields else "interlaced"
    nodes = (
        graph.add_buffer(template=video),
        graph.add("bwdif", f"mode=send_frame:parity=auto:deint={which}"),
        graph.add("buffersink"),
    )
    graph.link_nodes(*nodes).configure()
    for frame in frames:
        graph.vpush(frame)
        yield from _pull_frames(graph)
    graph.vpush(None)
    yield from _pull_frames(graph)


def _pull_frames(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return


def _timed(facts: FilmFacts, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    for frame in frames:
        if frame.pts is None or facts.are_times_counted:
            raise PictureError(f"{facts.file}: frames have no times, and can't be sought")
        yield frame


def _with_times(facts: FilmFacts, frames: Iterator[VideoFrame]) -> Iterator[FilmFrame]:
    """Those that the file says; where it says none, those of their order."""
    timed = time_frames(frames, facts.time_base, facts.rate)
    for number, (time, frame) in enumerate(timed):
        is_counted = facts.are_times_counted and number < facts.count
        yield FilmFrame(facts.times[number] if is_counted else time, frame)


def describe_time(time: int, facts: FilmFacts) -> str:
    """For people: minutes and seconds since the film's first frame."""
    start = facts.times[0] if facts.times else 0
    seconds = float((time - start) * facts.time_base)
    return f"{int(seconds // 60)}:{seconds % 60:06.3f}"
