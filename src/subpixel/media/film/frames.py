"""A film's frames, one after the other, each with its exact time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
from av import VideoFrame
from av.container import InputContainer
from av.filter import Graph
from av.video.stream import VideoStream
from numpy.typing import NDArray

from subpixel.errors import PictureError
from subpixel.media.film.conversion import decode_planes, sample_dtype
from subpixel.media.film.facts import FilmFacts
from subpixel.media.film.planes import read_planes
from subpixel.media.film.survey.container import decode_video, open_container
from subpixel.media.film.survey.timing import time_frames
from subpixel.media.picture import Header, Metadata


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """A frame, decoded, not yet in RGB."""

    time: int
    """In ticks of the film's time base."""
    coded: VideoFrame

    def read(self, facts: FilmFacts) -> NDArray[Any]:
        """``(H, W, C)``, grey or RGB and alpha: uint8, or uint16 of more than 8 bits.

        Raises :class:`PictureError` where the frame is not as the film's first.
        """
        if (self.coded.height, self.coded.width) != (facts.height, facts.width):
            raise PictureError(
                f"{facts.file}: frames change from {facts.width} x {facts.height} to "
                f"{self.coded.width} x {self.coded.height} at {describe_time(self.time, facts)}; "
                "cut the film there first"
            )
        return decode_planes(read_planes(self.coded, facts.layout), facts.layout, facts.colour)


def film_header(facts: FilmFacts) -> Header:
    """A film's frames as a picture's: their number is unknown."""
    layout, aspect = facts.layout, facts.aspect
    shown = None if aspect == 1 else (aspect.denominator, aspect.numerator)
    shape = (None, facts.height, facts.width, layout.channels)
    meta = Metadata(aspect=shown)
    return Header(shape, sample_dtype(layout), meta, layout.bits)


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
            frames = _deinterlace(video, frames)
        yield from _with_times(facts, frames if start is None else _timed(facts, frames))


def _decode_all(
    facts: FilmFacts, container: InputContainer, video: VideoStream
) -> Iterator[VideoFrame]:
    last: int | None = None
    try:
        for frame in decode_video(container, video):
            if frame.is_corrupt:
                raise PictureError(f"{facts.file}: a frame is damaged{_place_after(last, facts)}")
            last = frame.pts if frame.pts is not None else last
            yield frame
    except av.FFmpegError as error:
        text = error.strerror
        where = _place_after(last, facts)
        raise PictureError(f"{facts.file}: a frame can't be decoded{where}: {text}") from error


def _place_after(last: int | None, facts: FilmFacts) -> str:
    return "" if last is None else f", after {describe_time(last, facts)}"


def _deinterlace(video: VideoStream, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """One whole frame of each two fields, at the time of the first (FFmpeg's bwdif)."""
    graph = Graph()
    nodes = (
        graph.add_buffer(template=video),
        graph.add("bwdif", "mode=send_frame:parity=auto:deint=all"),
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
