"""The container that is written: the new video, and a place for each stream that is copied."""

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.container.core import Flags
from av.packet import Packet, PacketSideData
from av.stream import Stream
from av.video.stream import VideoStream

from subpixel.media.film.encoding.covers import ATTACHED_MUXER, CoverPicture
from subpixel.media.film.encoding.encoder import (
    CodedPacket,
    CodedSegment,
    EncoderSettings,
    describe_video,
)
from subpixel.media.film.encoding.stream_tags import VIDEO_KEYS, translate_tags
from subpixel.media.film.facts import FilmFacts
from subpixel.media.film.survey.container import TEXT_OPTIONS
from subpixel.media.picture import Loss

if TYPE_CHECKING:  # PyAV has the type in its stubs alone
    from av.container.core import Chapter

WRITE_BYTES = 1 << 20
"""That are given to the file at a time."""

BLOCK_ADDITIONAL = 15
"""FFmpeg's number of the side data ``matroska_block_additional``: VP9's transparency."""

USUAL_LAYOUTS = {"1 channels": "mono", "2 channels": "stereo"}
"""What is heard where a stream says no more than how many channels it has."""

CONTAINER_KEYS = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
"""Keys of metadata that a container has of itself."""

APPLE_PREFIX = "com.apple.quicktime."
"""Of the keys of a camera's metadata, which have a place of their own in a film (QuickTime File
Format, "Metadata Item Keys"); FFmpeg writes all metadata there then, and none as atoms."""

APPLE_KEYS = ("title", "artist", "album", "comment", "copyright", "description", "genre")
"""What players look for under Apple's names where it is no atom."""


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
    has_alpha: bool = False
    """Whether its packets have transparency beside them (VP9)."""
    streams: tuple[int, ...] = ()
    """The numbers of the streams that are copied, files that are attached last."""
    covers: tuple[CoverPicture, ...] = ()
    """Those of them that are pictures."""
    losses: tuple[Loss, ...] = ()
    """What of the source the container can't hold."""
    span: FilmSpan | None = None
    """None: all of it."""


def make_template(facts: FilmFacts, settings: EncoderSettings, sample: CodedSegment) -> bytes:
    """A film of the first frame, in memory: reading it gives the stream's description, with colours
    and shape of pixels; the matrix that turns frames upright is put into its bytes."""
    file = io.BytesIO()
    muxer = {"prores_ks": "mov"}.get(settings.encoder, "mp4")
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(settings.encoder, settings.rate, dict(settings.options))
        describe_video(stream.codec_context, settings)
        container.mux(make_first_packet(sample, facts, stream))
    data = bytearray(file.getvalue())
    if facts.display_matrix:
        _put_matrix(data, facts.display_matrix)
    return bytes(data)


def make_first_packet(sample: CodedSegment, facts: FilmFacts, video: Stream) -> Packet:
    """That of a film of one frame."""
    packet = make_packet(sample.packets[0])
    packet.pts = packet.dts = 0
    packet.duration = max(1, facts.last_duration)  # else MP4 shows no frame of such a film
    packet.time_base, packet.stream = facts.time_base, video
    return packet


def make_packet(coded: CodedPacket) -> Packet:
    """Without its times."""
    packet: Packet = Packet(coded.data)
    packet.is_keyframe = coded.is_key
    if coded.alpha:
        side = PacketSideData(BLOCK_ADDITIONAL, len(coded.alpha))
        side.update(coded.alpha)
        packet.set_sidedata(side)
    return packet


def _put_matrix(data: bytearray, matrix: Sequence[int]) -> None:
    """Into the track header of an MP4 (ISO/IEC 14496-12, 8.3.2), where it is as FFmpeg has it."""
    at = data.index(b"tkhd")
    struct.pack_into(">9i", data, at + (56 if data[at + 4] else 44), *matrix)


@contextmanager
def open_target(
    file: BinaryIO, plan: MuxPlan, source: InputContainer
) -> Iterator[tuple[OutputContainer, Stream, dict[int, Stream]]]:
    """A container to write: itself, its video, its other streams by their number in the source."""
    template = av.open(io.BytesIO(plan.template), "r")
    target = av.open(
        file,
        "w",
        format=plan.muxer,
        container_options=_choose_muxer_options(plan.muxer, source),
        **TEXT_OPTIONS,
        buffer_size=WRITE_BYTES,
    )
    target.flags |= Flags.bitexact.value  # Matroska would get numbers by chance
    with template, target:
        video = _add_video(target, template.streams.video[0], plan, source.streams[plan.video])
        covers = {cover.number: cover for cover in plan.covers}
        others = {
            n: _add_cover(target, source.streams[n], covers[n], plan.muxer)
            if n in covers
            else _add_copy(target, source.streams[n], plan.muxer)
            for n in plan.streams
        }
        target.metadata.update(_settle_metadata(plan.muxer, source))
        chapters = cut_chapters(source.chapters(), plan.span)
        if chapters:
            target.set_chapters(chapters)
        yield target, video, others


def _has_apple_keys(muxer: str, source: InputContainer) -> bool:
    return muxer in ("mp4", "mov") and any(key.startswith(APPLE_PREFIX) for key in source.metadata)


def _choose_muxer_options(muxer: str, source: InputContainer) -> dict[str, str]:
    if muxer not in ("mp4", "mov"):
        return {}
    own = "+use_metadata_tags" if _has_apple_keys(muxer, source) else ""
    return {"movflags": f"+write_colr{own}"}


def _settle_metadata(muxer: str, source: InputContainer) -> dict[str, str]:
    own = {k: v for k, v in source.metadata.items() if k.lower() not in CONTAINER_KEYS}
    if not _has_apple_keys(muxer, source):
        return own
    return {**{APPLE_PREFIX + key: own[key] for key in APPLE_KEYS if key in own}, **own}


def cut_chapters(chapters: "Sequence[Chapter]", span: FilmSpan | None) -> "list[Chapter]":
    """Those of a part of a film, at their times there."""
    return [cut for chapter in chapters if (cut := _cut_chapter(chapter, span)) is not None]


def _cut_chapter(chapter: "Chapter", span: FilmSpan | None) -> "Chapter | None":
    base = chapter["time_base"]
    if span is None or not base:
        return chapter
    base = Fraction(base.numerator, base.denominator)
    start = max(span.start, chapter["start"] * base) - span.start
    end = min(span.end, chapter["end"] * base) - span.start
    if start >= end:
        return None
    return {**chapter, "start": round(start / base), "end": round(end / base)}


def _add_video(
    target: OutputContainer, template: VideoStream, plan: MuxPlan, old: Stream
) -> Stream:
    video = target.add_stream_from_template(template, opaque=True)
    video.codec_context.extradata = plan.header or None  # not in the form that MP4 stores
    if template.name == "hevc":
        video.codec_context.codec_tag = "hvc1"  # what Apple's players take
    elif template.name == "prores" and plan.muxer == "mov":
        video.codec_context.codec_tag = template.codec_context.codec_tag  # it has the profile
    video.codec_context.sample_aspect_ratio = template.sample_aspect_ratio or Fraction(1)
    video.time_base = old.time_base
    video.disposition = old.disposition
    video.metadata.clear()
    tags = translate_tags(old.metadata, plan.muxer)
    video.metadata.update({k: v for k, v in tags.items() if not k.lower().startswith(VIDEO_KEYS)})
    if plan.has_alpha:
        video.metadata["alpha_mode"] = "1"
    return video


def _add_copy(target: OutputContainer, stream: Stream, muxer: str) -> Stream:
    try:
        copy = target.add_stream_from_template(stream, opaque=True)
    except ValueError:
        if muxer != "matroska":  # QuickTime writes some so that they sound otherwise
            raise
        copy = _add_described(target, stream)
    if muxer == "mp4" and isinstance(copy, AudioStream):
        _name_channels(copy)
    copy.metadata.clear()
    copy.metadata.update(translate_tags(stream.metadata, muxer))
    copy.disposition = stream.disposition
    return copy


def _name_channels(copy: AudioStream) -> None:
    """MP4 has no place for PCM whose channels nobody has named, as in AVI."""
    name = copy.codec_context.layout.name
    if name in USUAL_LAYOUTS:
        copy.codec_context.layout = USUAL_LAYOUTS[name]


def _add_described(target: OutputContainer, stream: Stream) -> Stream:
    """A copy of a stream that PyAV doesn't take for its codec, as the sound of WMV in Matroska: a
    filter that does nothing describes it; the muxer itself says whether it has a place."""
    copy = target.add_data_stream()
    copy.time_base = stream.time_base
    BitStreamFilterContext("null", in_stream=stream, out_stream=copy)
    return copy


def _add_cover(target: OutputContainer, stream: Stream, cover: CoverPicture, muxer: str) -> Stream:
    if muxer != ATTACHED_MUXER:
        return _add_copy(target, stream, muxer)
    copy = target.add_attachment(cover.name, cover.mimetype, cover.data)
    copy.metadata.update({**translate_tags(stream.metadata, muxer), **copy.metadata})
    return copy


def mux_covers(target: OutputContainer, plan: MuxPlan, others: Mapping[int, Stream]) -> None:
    """Write the covers that are streams; those that are attached are in the header."""
    if plan.muxer != ATTACHED_MUXER:
        for cover in plan.covers:
            target.mux(cover.make_packet(others[cover.number]))
