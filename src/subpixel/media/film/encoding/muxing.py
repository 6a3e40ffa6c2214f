"""The film with all its streams: the new video, and every other stream packet by packet."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from subpixel.errors import PictureError
from subpixel.media.film.encoding.covers import is_attached
from subpixel.media.film.encoding.encoder import CodedSegment
from subpixel.media.film.encoding.target import (
    FilmSpan,
    MuxPlan,
    make_packet,
    mux_covers,
    open_target,
)
from subpixel.media.film.facts import FilmFacts
from subpixel.media.film.survey.container import open_container, to_fraction

MIN_APART = Fraction(1, 1000)
"""Seconds from a packet of sound to the next at least, where they aren't in order: containers
round times."""


def write_film(
    file: BinaryIO,
    facts: FilmFacts,
    plan: MuxPlan,
    segments: Callable[[], Iterable[CodedSegment]],
) -> tuple[Fraction, ...]:
    """Put the film together: the video's ``segments`` in their order, which are read twice, and the
    streams of the source that the plan has. Returns the video's times, in seconds, ascending.

    Raises :class:`PictureError` where the container takes a packet for wrong, and what reading
    raises.
    """
    order = _plan_decoding(facts, segments())
    with (
        open_container(facts.file) as source,
        explain_writing(),
        open_target(file, plan, source) as (target, video, others),
    ):
        target.start_encoding()
        mux_covers(target, plan, others)
        packets = _video_packets(facts, plan, segments(), order, video)
        copies = _copy_packets(plan, source, others)
        for packet in heapq.merge(packets, copies, key=_time_of):  # as a file is read
            target.mux(packet)
    start = plan.span.start if plan.span else Fraction(0)
    return tuple(time * facts.time_base - start for time in sorted(order.durations))


@contextmanager
def explain_writing() -> Iterator[None]:
    """Errors of FFmpeg inside as :class:`PictureError`."""
    try:
        yield
    except av.FFmpegError as error:
        raise PictureError(f"the film can't be written: {error.strerror}") from error


@dataclass(frozen=True)
class _Order:
    """When each packet is decoded, and how long its frame is shown."""

    decoding: Sequence[int]
    durations: dict[int, int]
    """By the time of the frame."""


def _plan_decoding(facts: FilmFacts, segments: Iterable[CodedSegment]) -> _Order:
    """Packets are decoded in their order, each no later than it is shown: at the times of the
    frames, so many frames earlier as they are out of order at most. Those before the first frame
    are as far apart as the last frames are, so that the whole is as long as what is shown."""
    coded = [packet.time for segment in segments for packet in segment.packets]
    shown = sorted(coded)
    places = {time: number for number, time in enumerate(shown)}
    delay = max((number - places[time] for number, time in enumerate(coded)), default=0)
    ends = [*shown[1:], shown[-1] + _last_duration(facts, shown)] if shown else []
    durations = {time: end - time for time, end in zip(shown, ends, strict=True)}
    early = [shown[0] - shown[-1] + time for time in shown[len(shown) - 1 - delay : -1]]
    return _Order([*early, *shown][: len(coded)], durations)


def _last_duration(facts: FilmFacts, shown: Sequence[int]) -> int:
    after = next((time for time in facts.times if time > shown[-1]), None)
    return facts.last_duration if after is None else after - shown[-1]


def _video_packets(
    facts: FilmFacts,
    plan: MuxPlan,
    segments: Iterable[CodedSegment],
    order: _Order,
    video: Stream,
) -> Iterator[Packet]:
    start = plan.span.start if plan.span else Fraction(0)
    shift = round(start / facts.time_base)
    number = 0
    for segment in segments:
        if segment.header != plan.header:
            raise PictureError("segments of the film were encoded in different ways; begin anew")
        for coded in segment.packets:
            packet = make_packet(coded)
            packet.pts, packet.dts = coded.time - shift, order.decoding[number] - shift
            packet.duration = order.durations[coded.time]
            packet.time_base, packet.stream = facts.time_base, video
            number += 1
            yield packet


def _copy_packets(
    plan: MuxPlan, source: InputContainer, others: dict[int, Stream]
) -> Iterator[Packet]:
    """Those of the other streams, in the order of the file."""
    kept = [source.streams[n] for n in others if not is_attached(source.streams[n])]
    if not kept:
        return
    if plan.span is not None and all(stream.type != "subtitle" for stream in kept):
        source.seek(int(plan.span.start * av.time_base))
    packets = (packet for packet in source.demux(kept) if packet.size)
    lasts = dict[int, int]()
    for packet in packets if plan.span is None else _cut_to_span(packets, plan.span):
        if packet.stream.type == "audio":
            _keep_ascending(packet, lasts)
        packet.stream = others[packet.stream_index]
        yield packet


def _keep_ascending(packet: Packet, lasts: dict[int, int]) -> None:
    """A packet of sound that isn't later than the one before it, as after damage, is moved behind
    that. ``lasts`` has the times of the last packets by stream."""
    base = to_fraction(packet.time_base)
    if packet.dts is None or base is None:
        return
    last = lasts.get(packet.stream_index)
    if last is not None and packet.dts <= last:
        step = last + max(1, round(MIN_APART / base)) - packet.dts
        packet.dts += step
        packet.pts = None if packet.pts is None else packet.pts + step
    lasts[packet.stream_index] = packet.dts


def _cut_to_span(packets: Iterable[Packet], span: FilmSpan) -> Iterator[Packet]:
    """Those of a part. A picture of subtitles that says no end stays until the next of its
    stream: the last before the part begins with it."""
    shown: dict[int, Packet] = {}
    for packet in packets:
        if _is_open_before(packet, span):
            shown[packet.stream_index] = packet
        elif _cut_packet(packet, span):
            yield from _begin_with(shown)
            yield packet
    yield from _begin_with(shown)


def _is_open_before(packet: Packet, span: FilmSpan) -> bool:
    base = to_fraction(packet.time_base)
    is_open = packet.stream.type == "subtitle" and not packet.duration
    return (
        is_open and base is not None and packet.pts is not None and packet.pts * base < span.start
    )


def _begin_with(shown: dict[int, Packet]) -> Iterator[Packet]:
    while shown:
        packet = shown.popitem()[1]
        packet.pts = packet.dts = 0
        yield packet


def _cut_packet(packet: Packet, span: FilmSpan) -> bool:
    """Whether a packet is in the span, or is a subtitle that is shown in it; it is moved to its
    place there."""
    base = to_fraction(packet.time_base)
    if base is None:
        return True
    time = packet.pts if packet.pts is not None else packet.dts
    if time is None or time * base >= span.end:
        return False
    shift = round(span.start / base)
    if packet.stream.type == "subtitle" and packet.duration:
        end = min(time + packet.duration, shift + round((span.end - span.start) / base))
        if time < shift < end:
            packet.pts = packet.dts = time = shift
        packet.duration = end - time
    if time < shift:
        return False
    packet.pts = None if packet.pts is None else packet.pts - shift
    packet.dts = None if packet.dts is None else packet.dts - shift
    return True


def _time_of(packet: Packet) -> Fraction:
    """Of decoding, in seconds; what says none goes first."""
    time = packet.dts if packet.dts is not None else packet.pts
    base = to_fraction(packet.time_base)
    return Fraction(-(10**9)) if time is None or base is None else time * base


def read_times(file: BinaryIO) -> tuple[Fraction, ...]:
    """The time of each frame of a film's first video, in seconds, ascending, as its packets say."""
    file.seek(0)
    with av.open(file, "r") as container:
        video = container.streams.video[0]
        base = to_fraction(video.time_base) or Fraction(1)
        times = [packet.pts for packet in container.demux(video) if packet.pts is not None]
    return tuple(time * base for time in sorted(times))


def expect_times(
    file: Path, expected: Sequence[Fraction], times: Sequence[Fraction], tick: Fraction
) -> None:
    """Raise :class:`PictureError` where frames are missing, or stand at other times by more than
    half a ``tick`` of the container, but for a start that all streams share."""
    if len(times) != len(expected):
        raise PictureError(
            f"{file}: {len(expected):,} frames were written, {len(times):,} are there"
        )
    if not times:
        raise PictureError(f"{file}: no frame was written")
    shift = times[0] - expected[0]
    worst = max(abs(a - b - shift) for a, b in zip(times, expected, strict=True))
    if worst > tick:
        raise PictureError(f"{file}: a frame stands {float(worst):.4f} s from its time")
