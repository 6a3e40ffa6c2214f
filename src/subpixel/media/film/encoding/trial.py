"""A film in memory, before the work: what its container takes, and what is lost on the way."""

import errno
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import BinaryIO

import av
from av import VideoFrame
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, DataStream, Stream
from av.video.stream import VideoStream

from subpixel.errors import PictureError, one_line
from subpixel.media.film.encoding.codecs import CODECS
from subpixel.media.film.encoding.covers import (
    CoverPicture,
    explain_cover,
    is_attached,
    read_cover,
)
from subpixel.media.film.encoding.encoder import CodedSegment, EncoderSettings
from subpixel.media.film.encoding.stream_tags import (
    compare_stream,
    describe_stream,
    find_codec_name,
)
from subpixel.media.film.encoding.target import (
    CONTAINER_KEYS,
    FilmSpan,
    MuxPlan,
    cut_chapters,
    make_first_packet,
    make_template,
    mux_covers,
    open_target,
)
from subpixel.media.film.facts import FilmFacts
from subpixel.media.film.kinds import FILM_KINDS
from subpixel.media.film.survey.container import TEXT_OPTIONS, is_cover, open_container, to_fraction
from subpixel.media.picture import Loss

TRIAL_PACKETS = 8
"""Of sound that go through a trial: E-AC-3 isn't described by one alone. Of other streams, 1."""


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
    template = make_template(facts, settings, sample)
    has_alpha = bool(sample.packets[0].alpha)
    bare = MuxPlan(muxer, video, template, sample.header, has_alpha, span=span)
    with open_container(facts.file) as source:
        _expect_place(bare, source, facts, settings, sample)
        others = [stream for stream in source.streams if _is_content(stream, video)]
        packets = _read_first_packets(source, others)
        plan, refusals = bare, dict[int, str]()
        for stream in sorted(others, key=is_attached):
            taken = _try_stream(bare, source, facts, stream, packets[stream.index])
            if isinstance(taken, str):
                refusals[stream.index] = taken
            else:
                plan = replace(
                    plan, streams=plan.streams + taken.streams, covers=plan.covers + taken.covers
                )
        losses = [
            Loss(_kind_of(source.streams[n]), _explain_refusal(source.streams[n], muxer, refusal))
            for n, refusal in sorted(refusals.items())
        ]
        losses += _compare_trial(plan, source, facts, sample, packets)
    return replace(plan, losses=tuple(losses))


def _is_content(stream: Stream, video: int | None) -> bool:
    """Whether a stream is one to copy: not the video, nor a track in which MP4 keeps the chapters,
    or the timecode of the video."""
    name = stream.name if isinstance(stream, DataStream) else None
    is_own = name == "bin_data" or "timecode" in stream.metadata  # MP4 makes them again
    return stream.index != video and not (isinstance(stream, DataStream) and is_own)


def _kind_of(stream: Stream) -> str:
    if is_attached(stream) and isinstance(stream, VideoStream):
        return "cover"
    return "subtitles" if stream.type == "subtitle" else str(stream.type)


def _explain_refusal(stream: Stream, muxer: str, refusal: str) -> str:
    hint = "" if muxer == "matroska" else "; .mkv holds most"
    return f"{describe_stream(stream)} is left out: {refusal}{hint}"


def _expect_place(
    bare: MuxPlan,
    source: InputContainer,
    facts: FilmFacts,
    settings: EncoderSettings,
    sample: CodedSegment,
) -> None:
    """Raise :class:`PictureError`, which names those that do, where a container doesn't take the
    video."""
    refusal = _try_video(bare, source, facts, sample)
    if refusal is None:
        return
    others = [
        kind.suffixes[0]
        for kind in FILM_KINDS
        if kind.muxer is not None
        and _try_video(replace(bare, muxer=kind.muxer), source, facts, sample) is None
    ]
    codec = next(own.name for own in CODECS if own.encoder == settings.encoder)
    hint = f"write it as {' or '.join(others)}, or use" if others else "use"
    raise PictureError(
        f"{bare.muxer} doesn't take {codec} video: {refusal}; {hint} another --video-codec"
    )


def _try_video(
    bare: MuxPlan, source: InputContainer, facts: FilmFacts, sample: CodedSegment
) -> str | None:
    """Why a container doesn't take the video; None: its frame comes back."""
    file = io.BytesIO()
    try:
        with open_target(file, bare, source) as (target, video, _):
            target.start_encoding()
            target.mux(make_first_packet(sample, facts, video))
        file.seek(0)
        with av.open(file, "r", **TEXT_OPTIONS) as trial:
            frame = next(trial.decode(video=0), None)
    except (av.FFmpegError, ValueError) as error:
        return _text_of(error)
    return None if frame is not None else "its frame doesn't come back"


def _text_of(error: Exception) -> str:
    is_unknown = getattr(error, "errno", None) == errno.ENOSYS
    if isinstance(error, ValueError) or is_unknown:  # PyAV's of a codec, FFmpeg's of its tag
        return "FFmpeg has no place for it there"
    return str(getattr(error, "strerror", None) or one_line(error))


def _read_first_packets(
    source: InputContainer, streams: Sequence[Stream]
) -> Mapping[int, list[Packet]]:
    """Some of each stream, by its number."""
    packets: dict[int, list[Packet]] = {stream.index: [] for stream in streams}
    wanted = {
        s.index: TRIAL_PACKETS if s.type == "audio" else 1 for s in streams if not is_attached(s)
    }
    kept = [stream for stream in streams if stream.index in wanted]
    for packet in source.demux(kept) if kept else ():
        if packet.size and len(packets[packet.stream_index]) < wanted[packet.stream_index]:
            packets[packet.stream_index].append(packet)
            if all(len(packets[number]) >= count for number, count in wanted.items()):
                break
    return packets


def _try_stream(
    bare: MuxPlan,
    source: InputContainer,
    facts: FilmFacts,
    stream: Stream,
    packets: Sequence[Packet],
) -> MuxPlan | str:
    """A plan with that stream alone, or why the container doesn't take it."""
    covers: tuple[CoverPicture, ...] = ()
    if isinstance(stream, AttachmentStream) and bare.muxer != "matroska":
        return f"{bare.muxer} has no attachments"
    if isinstance(stream, DataStream) and stream.name is None:
        return "what it holds isn't known"
    if isinstance(stream, VideoStream) and is_cover(stream):
        refusal = explain_cover(stream, bare.muxer)
        if refusal is not None:
            return refusal
        cover = read_cover(facts.file, stream.index)
        if cover is None:
            return "it is empty"
        covers = (cover,)
    plan = replace(bare, streams=(stream.index,), covers=covers)
    try:
        with open_target(io.BytesIO(), plan, source) as (target, _, others):
            target.start_encoding()
            _mux_trial(target, plan, others, {stream.index: packets})
    except (av.FFmpegError, ValueError) as error:
        return _text_of(error)
    return plan


def _mux_trial(
    target: OutputContainer,
    plan: MuxPlan,
    others: Mapping[int, Stream],
    packets: Mapping[int, Sequence[Packet]],
) -> None:
    mux_covers(target, plan, others)
    for number, own in packets.items():
        if number in others:
            start = next((packet.dts for packet in own if packet.dts is not None), 0)
            for packet in own:
                target.mux(_repeat_packet(packet, start, others[number]))


def _repeat_packet(packet: Packet, start: int, stream: Stream) -> Packet:
    """The same for another container, earlier by ``start``."""
    again: Packet = Packet(bytes(packet))
    again.pts = None if packet.pts is None else packet.pts - start
    again.dts = None if packet.dts is None else packet.dts - start
    again.duration, again.is_keyframe = packet.duration, packet.is_keyframe
    again.time_base, again.stream = packet.time_base, stream
    for side in packet.iter_sidedata():
        again.set_sidedata(side)
    return again


def _compare_trial(
    plan: MuxPlan,
    source: InputContainer,
    facts: FilmFacts,
    sample: CodedSegment,
    packets: Mapping[int, Sequence[Packet]],
) -> Iterator[Loss]:
    """What a container of first packets alone doesn't hold of the source."""
    file = io.BytesIO()
    try:
        with open_target(file, plan, source) as (target, video, others):
            target.start_encoding()
            target.mux(make_first_packet(sample, facts, video))
            _mux_trial(target, plan, others, packets)
    except (av.FFmpegError, ValueError) as error:
        text = f"{plan.muxer} doesn't take all streams of {facts.file} together: {_text_of(error)}"
        raise PictureError(f"{text}; use .mkv") from error
    file.seek(0)
    with av.open(file, "r", **TEXT_OPTIONS) as trial:
        yield from _compare_metadata(source, trial, plan)
        yield from _compare_streams(source, trial, plan, packets)
        yield from _compare_video(next(trial.decode(video=0)), trial.streams.video[0], plan, facts)
    file.seek(0)
    if plan.has_alpha and not _has_alpha_beside(file):
        yield Loss("alpha", f"{plan.muxer} has no place for VP9's transparency; .webm has")


def _has_alpha_beside(file: BinaryIO) -> bool:
    with av.open(file, "r", **TEXT_OPTIONS) as trial:
        return bool(next(trial.demux(video=0)).has_sidedata("matroska_block_additional"))


def _compare_metadata(
    source: InputContainer, trial: InputContainer, plan: MuxPlan
) -> Iterator[Loss]:
    held = {key.lower() for key in trial.metadata}
    lost = [key for key in source.metadata if key.lower() not in held | CONTAINER_KEYS]
    if lost:
        yield Loss("metadata", f"{plan.muxer} has no place for {', '.join(sorted(lost))}")
    if len(cut_chapters(source.chapters(), plan.span)) > len(trial.chapters()):
        yield Loss("chapters", f"{plan.muxer} has no chapters")


def _compare_streams(
    source: InputContainer,
    trial: InputContainer,
    plan: MuxPlan,
    packets: Mapping[int, Sequence[Packet]],
) -> Iterator[Loss]:
    """The streams of a trial stand in the order of the plan; MP4 makes no tracks of empty ones."""
    news = (stream for stream in trial.streams if _is_content(stream, None))
    for number in (plan.video, *plan.streams):
        old = source.streams[number]
        is_empty = number != plan.video and not is_attached(old) and not packets[number]
        if is_empty and plan.muxer in ("mp4", "mov"):
            yield Loss(_kind_of(old), f"{describe_stream(old)} is left out: it is empty")
            continue
        new = next(news, None)
        if new is None or (number != plan.video and not _is_same_kind(old, new)):
            yield Loss(_kind_of(old), f"{describe_stream(old)} doesn't come back of {plan.muxer}")
        else:
            yield from compare_stream(old, new, plan.muxer)


def _is_same_kind(old: Stream, new: Stream) -> bool:
    """Codecs' names may differ: MP4 has one number for MPEG audio of layers 1 to 3."""
    is_known = bool(find_codec_name(new)) or not find_codec_name(old)
    return _kind_of(old) == _kind_of(new) and is_known


def _compare_video(
    frame: VideoFrame, new: VideoStream, plan: MuxPlan, facts: FilmFacts
) -> Iterator[Loss]:
    if frame.rotation != facts.rotation:
        yield Loss("rotation", f"that frames are turned can't be said for {plan.muxer}")
    if (to_fraction(new.sample_aspect_ratio) or Fraction(1)) != facts.aspect:
        shape = f"pixels of {facts.aspect.numerator}:{facts.aspect.denominator}"
        yield Loss("aspect", f"{shape} can't be said for {new.name} in {plan.muxer}")
