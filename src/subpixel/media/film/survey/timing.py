"""When a film's frames are shown: by its packets, and by decoding where these don't tell."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
from av import VideoFrame
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from subpixel.errors import PictureError
from subpixel.media.film.survey.avi import count_avi_frames
from subpixel.media.film.survey.container import decode_video, is_empty, to_fraction
from subpixel.media.film.survey.look import FilmLook
from subpixel.media.picture import Loss
from subpixel.system.files.inputs import FileBytes

UNTIMED = frozenset({"avi"})
"""Containers without times of showing; those that FFmpeg makes up for them may be out of order."""

MAX_REPEAT_BYTES = 19
"""Of an MPEG-4 packet that isn't coded: FFmpeg takes none of more for one."""

SHORT_SECONDS = 1.0
"""By so much a file's streams may end before the length that its header says."""

MAX_STEP_BACK = Fraction(1, 5)
"""Seconds by which sound may go back: after damage by a packet or two, after a cut by more."""


class FilmPacket(NamedTuple):
    """What a packet of the video says."""

    order: int | None
    """When it is decoded, in ticks, like the time."""
    time: int | None
    duration: int
    is_key: bool
    is_left_out: bool
    """By an edit list."""
    is_empty: bool
    may_repeat: bool
    """Whether it may say in a few bytes that the frame before it stays."""

    @property
    def has_frame(self) -> bool:
        return not (self.is_left_out or self.is_empty)


@dataclass(frozen=True)
class FilmTiming:
    """When the frames of a stream are shown, in ticks."""

    times: tuple[int, ...]
    keys: tuple[int, ...]
    last_duration: int
    are_counted: bool = False
    """Whether packets have no times of their own; ``times`` are of decoding, or of the rate."""
    is_unclear: bool = False
    """Whether packets have no time, or that of another, or perhaps no frame: decoding tells."""
    lead: int = 0
    """Frames before the first that can be decoded."""
    damaged: frozenset[int] = frozenset()
    """Numbers of other streams that have packets which aren't whole."""

    def list_losses(self) -> Iterator[Loss]:
        """What of the film isn't there."""
        if self.lead:
            reason = "what they refer to lies before the film's beginning"
            yield Loss("frames", f"the first {self.lead:,} can't be decoded: {reason}")
        for number in sorted(self.damaged):
            yield Loss("packets", f"stream {number} has some that aren't whole, copied as they are")


def time_packets(file: Path, container: InputContainer, look: FilmLook) -> FilmTiming:
    """By the video's packets; raises :class:`PictureError` for a film that is cut off or damaged,
    and for one whose sound goes back in time."""
    listing = _list_packets(file, container, look)
    _expect_all_packets(file, container, look, listing)
    with_frames = [packet for packet in listing.packets if packet.has_frame]
    timed = {packet.time: packet for packet in with_frames if packet.time is not None}
    if container.format.name in UNTIMED or not timed:
        timing = _count_times(with_frames, look, container.streams[look.stream].frames)
    elif _are_out_of_order(look.frames):
        timing = FilmTiming(tuple(sorted(timed)), (), timed[max(timed)].duration, are_counted=True)
    else:
        timing = _read_times(timed, listing.packets, look)
    is_unclear = not timing.are_counted and len(timed) < len(with_frames)
    return replace(
        timing,
        is_unclear=is_unclear or any(packet.may_repeat for packet in with_frames),
        damaged=frozenset(listing.damaged),
    )


@dataclass
class _Listing:
    """What all packets of a film say, while they are read."""

    packets: list[FilmPacket] = field(default_factory=list)
    """Those of the video."""
    end: float = 0.0
    """Of the last of any stream, in seconds."""
    damaged: set[int] = field(default_factory=set)
    """Numbers of other streams that have packets which aren't whole."""
    orders: dict[int, int] = field(default_factory=dict)
    """The last time of decoding, by the number of a stream of sound."""


def _list_packets(file: Path, container: InputContainer, look: FilmLook) -> _Listing:
    listing = _Listing()
    for packet in container.demux():
        if not packet.size and not is_empty(packet):
            continue  # the end of a stream
        listing.end = max(listing.end, _end_of(packet))
        if packet.stream_index == look.stream:
            _expect_whole_packet(file, packet)
            listing.packets.append(_read_packet(packet, look.codec))
        else:
            _see_other(file, packet, listing)
    return listing


def _expect_whole_packet(file: Path, packet: Packet) -> None:
    if packet.is_corrupt:
        place = _place_of(packet, packet.dts if packet.pts is None else packet.pts)
        raise PictureError(
            f"{file} is cut off or damaged: a packet of the video{place} isn't whole"
        )


def _see_other(file: Path, packet: Packet, listing: _Listing) -> None:
    number = packet.stream_index
    if packet.is_corrupt:
        listing.damaged.add(number)
    base = to_fraction(packet.time_base)
    if packet.dts is None or base is None or packet.stream.type != "audio":
        return
    before = listing.orders.get(number, packet.dts)
    if (before - packet.dts) * base > MAX_STEP_BACK:
        raise PictureError(
            f"{file}: the sound of stream {number} goes back in time{_place_of(packet, before)}, "
            "as where recordings were joined; cut the film there first"
        )
    listing.orders[number] = packet.dts


def _place_of(packet: Packet, time: int | None) -> str:
    """A time in the packet's ticks in words, from the film's beginning on."""
    base = to_fraction(packet.time_base)
    if base is None or time is None:
        return ""
    start = Fraction(packet.stream.container.start_time or 0, av.time_base)
    return f" at {float(time * base - start):.2f} s"


def _read_packet(packet: Packet, codec: str) -> FilmPacket:
    return FilmPacket(
        packet.dts,
        packet.pts,
        packet.duration or 0,
        packet.is_keyframe,
        packet.is_discard,
        is_empty(packet),
        codec == "mpeg4" and packet.size <= MAX_REPEAT_BYTES,
    )


def _read_times(
    timed: dict[int, FilmPacket], packets: list[FilmPacket], look: FilmLook
) -> FilmTiming:
    """Those that the packets say, from the first frame on that can be decoded; empty ones have the
    last frame stay."""
    first, _ = next(time_frames(look.frames, look.time_base, look.rate))
    shown, last = sorted(time for time in timed if time >= first), max(timed)
    stops = (p.time + p.duration for p in packets if p.is_empty and p.time is not None)
    duration = max(timed[last].duration, max(stops, default=last) - last)
    keys = tuple(time for time in shown if timed[time].is_key)
    return FilmTiming(tuple(shown), keys, duration, lead=len(timed) - len(shown))


def decode_times(container: InputContainer, look: FilmLook, timing: FilmTiming) -> FilmTiming:
    """The times of all frames, which takes as long as decoding them. One that isn't later than the
    one before is that of the rate."""
    video = container.streams[look.stream]
    assert isinstance(video, VideoStream)
    stated, times = list[int](), list[int]()
    step = max(1, round(1 / (look.rate * look.time_base)))
    for time, _ in time_frames(decode_video(container, video), look.time_base, look.rate):
        stated.append(time)
        times.append(time if not times or time > times[-1] else times[-1] + step)
    if timing.are_counted and len(times) == len(timing.times):
        return timing
    stop = timing.times[-1] + timing.last_duration
    return replace(
        timing,
        times=tuple(times),
        last_duration=stop - times[-1] if stop > times[-1] else step,
        are_counted=timing.are_counted or times != stated,
    )


def time_frames(
    frames: Iterable[VideoFrame], time_base: Fraction, rate: Fraction
) -> Iterator[tuple[int, VideoFrame]]:
    """Each frame with its time in ticks; those that aren't said go on as the rate says."""
    step, last = 1 / (rate * time_base), None
    for frame in frames:
        base = to_fraction(frame.time_base) or time_base
        if frame.pts is not None:
            last = Fraction(frame.pts) * base / time_base
        else:
            last = Fraction(0) if last is None else last + step
        yield round(last), frame


def _are_out_of_order(frames: Sequence[VideoFrame]) -> bool:
    """Whether times can't be those of showing: who made the film has taken those of decoding."""
    times = [frame.pts for frame in frames if frame.pts is not None]
    return times != sorted(times)


def _count_times(packets: list[FilmPacket], look: FilmLook, promise: int) -> FilmTiming:
    """Times of frames that have none: AVI says those of decoding, of which the first frame shown
    has the first, and bare streams say nothing. The last frame is shown to the end of the
    ``promise``, the ticks that the header counts."""
    stated = sorted({packet.order for packet in packets if packet.order is not None})
    step = 1 / (look.rate * look.time_base)
    if len(stated) < len(packets):
        stated = [round(step * place) for place in range(len(packets))]
    rest = promise - max(stated, default=0)
    return FilmTiming(tuple(stated), (), max(round(step), rest), are_counted=True)


def _end_of(packet: Packet) -> float:
    """In seconds."""
    base = to_fraction(packet.time_base)
    time = packet.pts if packet.pts is not None else packet.dts
    return float((time + (packet.duration or 0)) * base) if base and time is not None else 0.0


def _expect_all_packets(
    file: Path, container: InputContainer, look: FilmLook, listing: _Listing
) -> None:
    count, end = len(listing.packets), listing.end
    promise = container.streams[look.stream].frames
    if promise > count and container.format.name in UNTIMED:
        count = count_avi_frames(FileBytes(file), look.stream)
        end = max(end, float(count * look.time_base))
    if promise > count:
        raise PictureError(f"{file} is cut off: of {promise:,} frames {count:,} are there")
    length = (container.duration or 0) / av.time_base
    names = set(container.format.name.split(","))
    start = 0.0 if "matroska" in names else (container.start_time or 0) / av.time_base
    if names & {"mov", "matroska", "avi"} and end < start + length - SHORT_SECONDS:
        raise PictureError(
            f"{file} is cut off: of {length:.1f} seconds {end - start:.1f} are there"
        )
