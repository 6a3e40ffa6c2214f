"""The film with all its streams: the new video, and every other stream packet by packet."""

import heapq
import io
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer, OutputContainer
from av.container.core import Flags
from av.packet import Packet, PacketSideData
from av.stream import AttachmentStream, DataStream, Stream
from av.video.stream import VideoStream

from subpixel.errors import PictureError
from subpixel.media.film.encoding.encoder import (
    CodedPacket,
    CodedSegment,
    EncoderSettings,
    describe_video,
)
from subpixel.media.film.facts import FilmFacts
from subpixel.media.film.survey.container import TEXT_OPTIONS, open_container, to_fraction
from subpixel.media.picture import Loss

WRITE_BYTES = 1 << 20
"""That are given to the file at a time."""

BLOCK_ADDITIONAL = 15
"""FFmpeg's number of the side data ``matroska_block_additional``: VP9's transparency."""

STALE_KEYS = ("bps", "number_of_bytes", "number_of_frames", "duration", "encoder", "rotate")
"""Beginnings of the keys of metadata that the old video had of itself, in lower case."""

CONTAINER_KEYS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
"""Keys of metadata that a container has of itself."""

MUXER_OPTIONS = {"mp4": {"movflags": "+write_colr"}, "mov": {"movflags": "+write_colr"}}


@dataclass(frozen=True)
class FilmSpan:
    """A part of a film, in seconds of its own time, that becomes a film from 0 on."""

    start: Fraction
    end: Fraction


@dataclass(frozen=True)
class MuxPlan:
    """How a film is put together."""

    muxer: str
    """FFmpeg's name of what writes the container."""
    video: int
    """The number of the stream of the source that is replaced."""
    template: bytes = b""
    """A film of the new video's first frame, from which its description is taken."""
    header: bytes = b""
    """What a decoder of the new video needs first."""
    streams: tuple[int, ...] = ()
    """The numbers of the streams that are copied."""
    losses: tuple[Loss, ...] = ()
    """What of the source the container can't hold."""
    span: FilmSpan | None = None
    """None: all of it."""


def plan_muxing(
    facts: FilmFacts,
    video: int,
    settings: EncoderSettings,
    muxer: str,
    sample: CodedSegment,
    span: FilmSpan | None = None,
) -> MuxPlan:
    """Try, in memory, which streams and which metadata of the source a container takes.

    ``sample`` is a segment of a frame or more. Raises :class:`PictureError` where it doesn't even
    take the video.
    """
    template = _make_template(facts, settings, sample)
    bare = MuxPlan(muxer, video, template, sample.header, span=span)
    with open_container(facts.file) as source:
        others = [stream for stream in source.streams if _is_content(stream, video)]
        refusals = {stream.index: _find_refusal(bare, source, stream) for stream in others}
        fits = tuple(number for number, refusal in refusals.items() if refusal is None)
        losses = [
            Loss(_kind_of(source.streams[n]), _explain_refusal(source.streams[n], muxer, refusal))
            for n, refusal in refusals.items()
            if refusal is not None
        ]
        plan = replace(bare, streams=fits)
        losses += _compare_trial(plan, source, facts, sample)
    return replace(plan, losses=tuple(losses))


def _is_content(stream: Stream, video: int) -> bool:
    """Whether a stream is one to copy: not the video, nor a track in which MP4 keeps the chapters,
    or the timecode of the video."""
    is_own = stream.name == "bin_data" or "timecode" in stream.metadata  # MP4 makes them again
    return stream.index != video and not (isinstance(stream, DataStream) and is_own)


def _kind_of(stream: Stream) -> str:
    return "subtitles" if stream.type == "subtitle" else str(stream.type)


def _explain_refusal(stream: Stream, muxer: str, refusal: str) -> str:
    language = f", {stream.metadata['language']}" if stream.metadata.get("language") else ""
    codec = stream.codec_context.name if stream.codec_context else stream.name or "unknown"
    hint = "" if muxer == "matroska" else "; .mkv holds most"
    return f"stream {stream.index} ({codec}{language}) is left out: {refusal}{hint}"


def _find_refusal(bare: MuxPlan, source: InputContainer, stream: Stream) -> str | None:
    """Why the container doesn't take a stream; None: it does."""
    if isinstance(stream, AttachmentStream) and bare.muxer != "matroska":
        return f"{bare.muxer} has no attachments"
    if isinstance(stream, DataStream) and stream.name is None:
        return "what it holds isn't known"
    plan = replace(bare, streams=(stream.index,))
    try:
        with _open_target(io.BytesIO(), plan, source) as (target, _, _):
            target.start_encoding()
    except (av.FFmpegError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return None


def _compare_trial(
    plan: MuxPlan, source: InputContainer, facts: FilmFacts, sample: CodedSegment
) -> Iterator[Loss]:
    """What a container of headers alone doesn't hold of the source's metadata."""
    file = io.BytesIO()
    try:
        with _open_target(file, plan, source) as (target, video, _):
            target.start_encoding()
            target.mux(_first_packet(sample, facts, video))
    except (av.FFmpegError, ValueError) as error:
        text = getattr(error, "strerror", None) or error
        raise PictureError(f"{plan.muxer} doesn't take the video: {text}; use .mkv") from error
    file.seek(0)
    with av.open(file, "r", **TEXT_OPTIONS) as trial:
        yield from _compare_metadata(source, trial, plan)
        if next(trial.decode(video=0)).rotation != facts.rotation:
            yield Loss("rotation", f"that frames are turned can't be said for {plan.muxer}")
        new = trial.streams.video[0]
        if (to_fraction(new.sample_aspect_ratio) or Fraction(1)) != facts.aspect:
            shape = f"pixels of {facts.aspect.numerator}:{facts.aspect.denominator}"
            yield Loss("aspect", f"{shape} can't be said for {new.name} in {plan.muxer}")


def _compare_metadata(
    source: InputContainer, trial: InputContainer, plan: MuxPlan
) -> Iterator[Loss]:
    held = {key.lower() for key in trial.metadata}
    lost = [key for key in source.metadata if key.lower() not in held | CONTAINER_KEYS]
    if lost:
        yield Loss("metadata", f"{plan.muxer} has no place for {', '.join(sorted(lost))}")
    if plan.span is None and len(source.chapters()) > len(trial.chapters()):
        yield Loss("chapters", f"{plan.muxer} has no chapters")


def _first_packet(sample: CodedSegment, facts: FilmFacts, video: Stream) -> Packet:
    packet: Packet = Packet(sample.packets[0].data)
    packet.pts = packet.dts = 0
    packet.is_keyframe, packet.time_base, packet.stream = True, facts.time_base, video
    return packet


def _make_template(facts: FilmFacts, settings: EncoderSettings, sample: CodedSegment) -> bytes:
    """A film of the first frame, in memory: reading it gives the stream's description, with colours
    and shape of pixels; the matrix that turns frames upright is put into its bytes."""
    file = io.BytesIO()
    muxer = {"prores_ks": "mov", "ffv1": "matroska"}.get(settings.encoder, "mp4")
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(settings.encoder, settings.rate, dict(settings.options))
        describe_video(stream.codec_context, settings)
        container.mux(_first_packet(sample, facts, stream))
    data = bytearray(file.getvalue())
    if facts.display_matrix and muxer != "matroska":
        _put_matrix(data, facts.display_matrix)
    return bytes(data)


def _put_matrix(data: bytearray, matrix: Sequence[int]) -> None:
    """Into the track header of an MP4 (ISO/IEC 14496-12, 8.3.2), where it is as FFmpeg has it."""
    at = data.index(b"tkhd")
    struct.pack_into(">9i", data, at + (56 if data[at + 4] else 44), *matrix)


@contextmanager
def _open_target(
    file: BinaryIO, plan: MuxPlan, source: InputContainer
) -> Iterator[tuple[OutputContainer, Stream, dict[int, Stream]]]:
    """A container to write: itself, its video, its other streams by their number in the source."""
    template = av.open(io.BytesIO(plan.template), "r")
    target = av.open(
        file,
        "w",
        format=plan.muxer,
        container_options=dict(MUXER_OPTIONS.get(plan.muxer, {})),
        **TEXT_OPTIONS,
        buffer_size=WRITE_BYTES,
    )
    target.flags |= Flags.bitexact.value  # Matroska would get numbers by chance
    with template, target:
        video = _add_video(target, template.streams.video[0], plan, source.streams[plan.video])
        others = {n: _add_copy(target, source.streams[n]) for n in plan.streams}
        own = {k: v for k, v in source.metadata.items() if k.lower() not in CONTAINER_KEYS}
        target.metadata.update(own)
        if plan.span is None and source.chapters():
            target.set_chapters(source.chapters())
        yield target, video, others


def _add_video(
    target: OutputContainer, template: VideoStream, plan: MuxPlan, old: Stream
) -> Stream:
    video = target.add_stream_from_template(template, opaque=True)
    video.codec_context.extradata = plan.header or None  # not in the form that MP4 stores
    if template.name == "hevc":
        video.codec_context.codec_tag = "hvc1"  # what Apple's players take
    elif template.name == "prores" and plan.muxer == "mov":
        video.codec_context.codec_tag = template.codec_context.codec_tag  # it has the profile
    video.time_base = old.time_base
    video.disposition = old.disposition
    video.metadata.clear()
    video.metadata.update(
        {k: v for k, v in old.metadata.items() if not k.lower().startswith(STALE_KEYS)}
    )
    return video


def _add_copy(target: OutputContainer, stream: Stream) -> Stream:
    copy = target.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


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
        _open_target(file, plan, source) as (target, video, others),
    ):
        target.start_encoding()
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
            packet = _make_packet(coded, order, number, shift)
            packet.time_base, packet.stream = facts.time_base, video
            number += 1
            yield packet


def _make_packet(coded: CodedPacket, order: _Order, number: int, shift: int) -> Packet:
    packet: Packet = Packet(coded.data)
    packet.pts, packet.dts = coded.time - shift, order.decoding[number] - shift
    packet.duration = order.durations[coded.time]
    packet.is_keyframe = coded.is_key
    if coded.alpha:
        side = PacketSideData(BLOCK_ADDITIONAL, len(coded.alpha))
        side.update(coded.alpha)
        packet.set_sidedata(side)
    return packet


def _copy_packets(
    plan: MuxPlan, source: InputContainer, others: dict[int, Stream]
) -> Iterator[Packet]:
    """Those of the other streams, in the order of the file."""
    kept = [
        source.streams[n] for n in others if not isinstance(source.streams[n], AttachmentStream)
    ]
    if not kept:
        return
    if plan.span is not None:
        source.seek(int(plan.span.start * av.time_base))
    for packet in source.demux(kept):
        if packet.size and _cut_packet(packet, plan.span):
            packet.stream = others[packet.stream_index]
            yield packet


def _cut_packet(packet: Packet, span: FilmSpan | None) -> bool:
    """Whether a packet is in the span; it is moved to its place there."""
    base = to_fraction(packet.time_base)
    if span is None or base is None:
        return True
    time = packet.pts if packet.pts is not None else packet.dts
    if time is None or not span.start <= time * base < span.end:
        return False
    shift = round(span.start / base)
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
