"""Decoding, the network and encoding at the same time, each frame in one of them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from subpixel.errors import PictureError
from subpixel.jobs.film.plan import FilmPlan
from subpixel.jobs.film.queues import Failures, FrameChannel, StoppedError, start_thread
from subpixel.media.film.encoding.encoder import CodedSegment, EncoderSettings, encode_segment
from subpixel.media.film.frames import FilmFrame, decode_film, describe_time, film_header
from subpixel.media.film.seeking import KnownFrame, decode_after, decode_from, describe_frame
from subpixel.media.picture import Header, RowSource, read_frames
from subpixel.runtime.op import Samples
from subpixel.upscaling.size.target_size import TargetSize
from subpixel.upscaling.upscaler import Upscaler

AHEAD_FRAMES = 2
"""Frames that wait between two steps."""

ENCODER_FRAMES = 64
"""That an encoder holds, about: it looks ahead."""

FrameReport = Callable[[int], None]
"""Gets how many frames are done."""

SegmentTaker = Callable[[int, CodedSegment, KnownFrame], None]
"""Gets each segment that is finished, by its number, and the last frame that went into it."""

TimedFrame = tuple[int, NDArray[Any]]
"""The time, in ticks, and the pixels."""


@dataclass(frozen=True)
class EncoderRoom:
    """A :class:`~subpixel.upscaling.rows.stage.RowStage` that leaves rows as they are, and counts
    the memory that an encoder takes."""

    def header(self, header: Header) -> Header:
        """The same."""
        return header

    def memory(self, header: Header) -> int:
        """Of the frames that wait, and those that the encoder holds, in 4:2:0."""
        frame = header.height * header.width * header.dtype.itemsize
        return frame * (header.channels * (AHEAD_FRAMES + 2) + ENCODER_FRAMES * 3 // 2)

    def run(self, header: Header, chunks: Iterable[Samples]) -> Iterator[Samples]:  # noqa: ARG002
        """The same rows."""
        yield from chunks


@dataclass
class _FilmState:
    """What the threads share."""

    failures: Failures
    decoded: FrameChannel[TimedFrame]
    enlarged: FrameChannel[TimedFrame]
    times: deque[int] = field(default_factory=deque)
    """Of the frames that are in the network."""
    lasts: dict[int, KnownFrame] = field(default_factory=dict)
    """The last frame of each segment, before the network, by its time."""


def run_film(
    upscaler: Upscaler,
    plan: FilmPlan,
    numbers: Sequence[int],
    take: SegmentTaker,
    *,
    size: TargetSize | None = None,
    max_memory: int | None = None,
    before: KnownFrame | None = None,
    report: FrameReport = lambda done: None,
) -> None:
    """Make the segments with these ``numbers``, ascending, and hand each to ``take``, in another
    thread, when it is finished. ``before`` is the frame before the first of them, if an earlier run
    had it.

    Raises what any step raises first; no thread of it goes on then.
    """
    failures = Failures()
    state = _FilmState(
        failures, FrameChannel(AHEAD_FRAMES, failures), FrameChannel(AHEAD_FRAMES, failures)
    )
    threads = [
        start_thread(
            "film-decoder", lambda: _decode_wanted(plan, numbers, before, state), failures
        ),
        start_thread(
            "film-encoder", lambda: _encode_segments(plan, numbers, state, take), failures
        ),
    ]
    try:
        _enlarge_frames(upscaler, plan, state, size, max_memory, report)
        threads[1].join()
    except StoppedError:
        pass
    except BaseException as error:
        failures.stop(error)
        raise
    finally:
        failures.stop()
        for thread in threads:
            thread.join()
    failures.raise_first()


def _decode_wanted(
    plan: FilmPlan, numbers: Sequence[int], before: KnownFrame | None, state: _FilmState
) -> None:
    """The frames that are wanted, to the network; raises :class:`PictureError` where one of the
    film isn't there."""
    wanted = [time for number in numbers for time in plan.segments[number]]
    ends = {plan.segments[number][-1] for number in numbers}
    expected = iter(wanted)
    time = next(expected, None)
    for frame in _open_frames(plan, before):
        if time is None:
            break
        if frame.time > time:
            raise _missing(plan, time)
        if frame.time == time:
            pixels = frame.read(plan.facts)
            if time in ends:
                state.lasts[time] = describe_frame(time, pixels)
            state.decoded.put((time, pixels))
            time = next(expected, None)
    if time is not None:
        raise _missing(plan, time)
    state.decoded.put(None)


def _open_frames(plan: FilmPlan, before: KnownFrame | None) -> Iterator[FilmFrame]:
    """Frames by time, those that are wanted among them."""
    facts, deinterlace = plan.facts, plan.deinterlace
    if before is not None:
        frames = decode_after(facts, plan.video, before, deinterlace=deinterlace)
        if frames is not None:
            return frames
    if plan.muxing.span is not None:
        begin = plan.segments[0][0]  # as in a run that nothing has stopped
        return decode_from(facts, plan.video, begin, deinterlace=deinterlace)
    return decode_film(facts, plan.video, deinterlace=deinterlace)


def _missing(plan: FilmPlan, time: int) -> PictureError:
    at = describe_time(time, plan.facts)
    return PictureError(f"{plan.source}: the frame at {at} can't be decoded; the film is damaged")


def _enlarge_frames(
    upscaler: Upscaler,
    plan: FilmPlan,
    state: _FilmState,
    size: TargetSize | None,
    max_memory: int | None,
    report: FrameReport,
) -> None:
    """Frames through the network, each put together of its rows, to the encoder."""

    def take_frames() -> Iterator[NDArray[Any]]:
        for time, frame in state.decoded:
            state.times.append(time)
            yield frame

    header = film_header(plan.facts)
    frame_bytes = header.height * header.width * header.channels * header.dtype.itemsize
    source = RowSource(header, take_frames(), frame_bytes * (AHEAD_FRAMES + 2))
    rows = upscaler.rows(source, size=size, max_memory=max_memory, stages=(EncoderRoom(),))
    larger = plan.way.header(header)
    for number, frame in enumerate(read_frames(RowSource(larger, rows))):
        cut = frame[: plan.settings.height, : plan.settings.width]
        state.enlarged.put((state.times.popleft(), cut))
        report(number + 1)
    state.enlarged.put(None)


def _encode_segments(
    plan: FilmPlan, numbers: Sequence[int], state: _FilmState, take: SegmentTaker
) -> None:
    for number in numbers:
        times = plan.segments[number]
        segment = _encode_one(plan.settings, times, state.enlarged)
        take(number, segment, state.lasts.pop(times[-1]))


def _encode_one(
    settings: EncoderSettings, times: Sequence[int], enlarged: FrameChannel[TimedFrame]
) -> CodedSegment:
    def frames() -> Iterator[TimedFrame]:
        for expected in times:
            item = enlarged.get()
            if item is None or item[0] != expected:
                raise PictureError("a frame was lost between the network and the encoder")
            yield item

    segment = encode_segment(settings, frames())
    if sorted(packet.time for packet in segment.packets) != list(times):
        raise PictureError(
            f"the encoder {settings.encoder} gave {len(segment.packets)} frames for {len(times)}, "
            "or at other times; use another --video-codec"
        )
    return segment
