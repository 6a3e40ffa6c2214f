"""Looking into a film before the work: its streams, its facts, whether it is whole."""

import re
import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
from av import VideoFrame
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.video.stream import VideoStream

from subpixel.errors import PictureError, one_line
from subpixel.media.film.avi import count_avi_frames
from subpixel.media.film.facts import (
    SITINGS,
    UNSPECIFIED,
    ColourTags,
    ContentLight,
    FilmFacts,
    MasteringDisplay,
    is_steady,
    settle_colour,
)
from subpixel.media.film.planes import FULL_RANGE_FORMAT, sample_layout
from subpixel.media.film.wholeness import expect_whole
from subpixel.media.picture import Loss
from subpixel.system.files.inputs import FileBytes, open_input

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,mxf,yuv4mpegpipe,nut,gif,"
    "apng,h264,hevc,mpegvideo,ivf,dv"
)
"""What is opened as a film: no playlist, which would name files of its own."""

FILM_READ_BYTES = 1 << 18
"""That are asked of the file at a time."""

LOOKS = 12
"""Frames that are decoded to see whether a film is interlaced."""

TEXT_OPTIONS: dict[str, str] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.partition(".")[0]) < 19 else {}
)
"""What has PyAV take texts that are no UTF-8; from 19 on it does by itself."""

UNTIMED = frozenset({"avi"})
"""Containers without times of showing; those that FFmpeg makes up for them may be out of order."""

MAX_REPEAT_BYTES = 19
"""Of an MPEG-4 packet that isn't coded: FFmpeg takes none of more for one."""

SHORT_SECONDS = 1.0
"""By so much a file's streams may end before the length that its header says."""

_LOG_LOCK = threading.Lock()


@dataclass(frozen=True)
class FilmSurvey:
    """What a film is, and what of it its enlarged film can't have whatever it is written as."""

    facts: FilmFacts
    stream: int
    """The number of the video stream that is enlarged."""
    losses: tuple[Loss, ...] = ()


@contextmanager
def open_container(file: Path) -> Iterator[InputContainer]:
    """The film, open for reading.

    Raises :class:`PictureError`, with the reason, for what is no film, also while it is read.
    """
    with _explain_opening(file), open_input(file) as stream, explain_reading(file):
        options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
        with av.open(
            stream,
            "r",
            options=options,
            buffer_size=FILM_READ_BYTES,
            **TEXT_OPTIONS,
        ) as container:
            yield container


@contextmanager
def _explain_opening(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PictureError(f"{file} can't be read: {error.strerror or one_line(error)}") from error


@contextmanager
def explain_reading(file: Path) -> Iterator[None]:
    """Errors of FFmpeg inside as :class:`PictureError`."""
    try:
        yield
    except av.FFmpegError as error:
        raise PictureError(
            f"{file} can't be read as a film: {error.strerror}; it is damaged, cut off, or of "
            "another kind"
        ) from error


def survey_film(file: Path) -> FilmSurvey:
    """Look at ``file``: its first frames are decoded, all of its packets are counted.

    Raises :class:`PictureError` for what is no film, has no video, is cut off, or has pixels that
    aren't read.
    """
    with _explain_opening(file):
        expect_whole(file)
    with open_container(file) as container:
        stream = find_video(file, container)
        look = _look(file, container, stream)
    with open_container(file) as container:
        timing = _time_packets(file, container, look)
    if timing.is_unclear:
        with open_container(file) as container:
            timing = _decode_times(container, look, timing)
    return FilmSurvey(_make_facts(file, look, timing), look.stream, _list_side_losses(look))


def find_video(file: Path, container: InputContainer) -> VideoStream:
    """The stream that is enlarged: the best that is no cover picture."""
    streams = [stream for stream in container.streams.video if not is_cover(stream)]
    if not streams:
        raise PictureError(f"{file} has no video that could be enlarged")
    best = container.streams.best("video")
    return next((s for s in streams if best is not None and s.index == best.index), streams[0])


def is_cover(stream: VideoStream) -> bool:
    """Whether a video stream is one picture that stands for the film."""
    return bool(stream.disposition & Disposition.attached_pic)


@dataclass(frozen=True)
class _FilmLook:
    """What the header of a film's video and its first frames say."""

    stream: int
    codec: str
    frames: tuple[VideoFrame, ...]
    siting: str | None
    time_base: Fraction
    rate: Fraction
    aspect: Fraction
    field_order: int
    tags: ColourTags
    """Of the stream; the frames may say more."""


def _look(file: Path, container: InputContainer, stream: VideoStream) -> _FilmLook:
    frames: list[VideoFrame] = []
    siting, context = _read_siting(container, stream), stream.codec_context
    for frame in decode_video(container, stream):
        frames.append(frame)
        if len(frames) == LOOKS:
            break
    if not frames:
        raise PictureError(f"{file} has a video stream, and no frame of it can be decoded")
    return _FilmLook(
        stream.index,
        context.name,
        tuple(frames),
        siting,
        to_fraction(stream.time_base) or Fraction(1, 1000),
        to_fraction(stream.guessed_rate) or to_fraction(stream.average_rate) or Fraction(25),
        to_fraction(stream.sample_aspect_ratio) or Fraction(1),
        context.field_order,
        _tags_of(
            context.colorspace, context.color_primaries, context.color_trc, context.color_range
        ),
    )


ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""What reads the transparency beside a codec's packets, which FFmpeg's own decoders leave."""


def decode_video(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The frames of a stream from where the container is."""
    packets = (packet for packet in container.demux(stream) if not _is_empty(packet))
    name = ALPHA_DECODERS.get(stream.codec_context.name)
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    if name is None or tags.get("alpha_mode") != "1" or name not in av.codecs_available:
        for packet in packets:
            yield from packet.decode()
        return
    decoder = av.CodecContext.create(name, "r")
    for packet in packets:
        yield from decoder.decode(packet if packet.size else None)


def _is_empty(packet: Packet) -> bool:
    """Whether a packet says no more than that the frame before it stays (Theora I, 7.11); what
    ends a stream has no time."""
    return not packet.size and packet.dts is not None


def to_fraction(ratio: object) -> Fraction | None:
    """PyAV's ratios: None, or with a denominator or numerator of 0, are none."""
    if ratio is None:
        return None
    over, under = int(getattr(ratio, "numerator", 0)), int(getattr(ratio, "denominator", 0))
    return Fraction(over, under) if over and under else None


def _tags_of(matrix: int, primaries: int, transfer: int, width: int) -> ColourTags:
    return ColourTags(
        int(matrix), int(primaries), int(transfer), {1: False, 2: True}.get(int(width))
    )


def _read_siting(container: InputContainer, stream: VideoStream) -> str | None:
    """Where chroma lies, which PyAV has no name for: FFmpeg's description of the file says it."""
    with _LOG_LOCK:
        av.logging.set_libav_level(av.logging.VERBOSE)
        av.logging.set_level(av.logging.VERBOSE)
        try:
            text = container.dumps_format()
        finally:
            av.logging.set_level(None)
            av.logging.set_libav_level(av.logging.INFO)
    line = re.search(rf"Stream #0:{stream.index}\b.*Video: (.*)", text)
    words = set(re.split(r"[^a-z]+", line[1])) if line else set()
    return next((name for name in SITINGS if name in words), None)


class _Packet(NamedTuple):
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
class _Timing:
    """When the frames of a stream are shown, in ticks."""

    times: tuple[int, ...]
    keys: tuple[int, ...]
    last_duration: int
    are_counted: bool = False
    """Whether packets have no times of their own; ``times`` are of decoding, or of the rate."""
    is_unclear: bool = False
    """Whether packets have no time, or that of another, or perhaps no frame: decoding tells."""


def _time_packets(file: Path, container: InputContainer, look: _FilmLook) -> _Timing:
    """By the video's packets; raises :class:`PictureError` for a film that is cut off."""
    packets, end = _list_packets(file, container, look)
    _expect_all_packets(file, container, look, len(packets), end)
    with_frames = [packet for packet in packets if packet.has_frame]
    timed = {packet.time: packet for packet in with_frames if packet.time is not None}
    if container.format.name in UNTIMED or not timed:
        timing = _count_times(with_frames, look, container.streams[look.stream].frames)
    elif _are_out_of_order(look.frames):
        timing = _Timing(tuple(sorted(timed)), (), timed[max(timed)].duration, are_counted=True)
    else:
        timing = _read_times(timed, packets)
    is_unclear = not timing.are_counted and len(timed) < len(with_frames)
    return replace(timing, is_unclear=is_unclear or any(p.may_repeat for p in with_frames))


def _list_packets(
    file: Path, container: InputContainer, look: _FilmLook
) -> tuple[list[_Packet], float]:
    """Those of the video, and when the last of any stream ends, in seconds."""
    packets, end = list[_Packet](), 0.0
    for packet in container.demux():
        if not packet.size and not _is_empty(packet):
            continue
        if packet.is_corrupt:
            raise PictureError(f"{file} is cut off or damaged: a packet of it is not whole")
        end = max(end, _end_of(packet))
        if packet.stream_index == look.stream:
            packets.append(_read_packet(packet, look.codec))
    return packets, end


def _read_packet(packet: Packet, codec: str) -> _Packet:
    return _Packet(
        packet.dts,
        packet.pts,
        packet.duration or 0,
        packet.is_keyframe,
        packet.is_discard,
        _is_empty(packet),
        codec == "mpeg4" and packet.size <= MAX_REPEAT_BYTES,
    )


def _read_times(timed: dict[int, _Packet], packets: list[_Packet]) -> _Timing:
    """Those that the packets say; empty ones have the last frame stay."""
    last = max(timed)
    stops = (p.time + p.duration for p in packets if p.is_empty and p.time is not None)
    duration = max(timed[last].duration, max(stops, default=last) - last)
    keys = tuple(sorted(time for time, packet in timed.items() if packet.is_key))
    return _Timing(tuple(sorted(timed)), keys, duration)


def _decode_times(container: InputContainer, look: _FilmLook, timing: _Timing) -> _Timing:
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


def _count_times(packets: list[_Packet], look: _FilmLook, promise: int) -> _Timing:
    """Times of frames that have none: AVI says those of decoding, of which the first frame shown
    has the first, and bare streams say nothing. The last frame is shown to the end of the
    ``promise``, the ticks that the header counts."""
    stated = sorted({packet.order for packet in packets if packet.order is not None})
    step = 1 / (look.rate * look.time_base)
    if len(stated) < len(packets):
        stated = [round(step * place) for place in range(len(packets))]
    rest = promise - max(stated, default=0)
    return _Timing(tuple(stated), (), max(round(step), rest), are_counted=True)


def _end_of(packet: Packet) -> float:
    """In seconds."""
    base = to_fraction(packet.time_base)
    time = packet.pts if packet.pts is not None else packet.dts
    return float((time + (packet.duration or 0)) * base) if base and time is not None else 0.0


def _expect_all_packets(
    file: Path, container: InputContainer, look: _FilmLook, count: int, end: float
) -> None:
    promise = container.streams[look.stream].frames
    if promise > count and container.format.name in UNTIMED:
        count = count_avi_frames(FileBytes(file), look.stream)
        end = max(end, float(count * look.time_base))
    if promise > count:
        raise PictureError(f"{file} is cut off: of {promise:,} frames {count:,} are there")
    length = (container.duration or 0) / av.time_base
    start = (container.start_time or 0) / av.time_base
    is_stated = {"mov", "matroska", "avi"} & set(container.format.name.split(","))
    if is_stated and end < start + length - SHORT_SECONDS:
        raise PictureError(
            f"{file} is cut off: of {length:.1f} seconds {end - start:.1f} are there"
        )


def _make_facts(file: Path, look: _FilmLook, timing: _Timing) -> FilmFacts:
    frame = look.frames[0]
    name = frame.format.name
    layout = sample_layout(name)
    tags = _merge_tags(look, name)
    step = round(1 / (look.rate * look.time_base))
    return FilmFacts(
        file=file,
        width=frame.width,
        height=frame.height,
        layout=layout,
        colour=settle_colour(tags, layout, frame.height),
        time_base=look.time_base,
        rate=look.rate,
        is_variable=not is_steady(timing.times, look.rate, look.time_base),
        times=timing.times,
        are_times_counted=timing.are_counted,
        last_duration=timing.last_duration or step,
        aspect=look.aspect,
        display_matrix=_read_display_matrix(frame),
        rotation=frame.rotation,
        keys=timing.keys,
        interlaced=look.field_order > 1 or any(f.interlaced_frame for f in look.frames),
        mastering=_read_mastering(frame),
        light=_read_light(frame),
    )


def _merge_tags(look: _FilmLook, name: str) -> ColourTags:
    """What the first frame says, else the stream, else the name of the pixel format."""
    frame, stream = look.frames[0], look.tags
    own = _tags_of(frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
    full = own.full_range if own.full_range is not None else stream.full_range
    if FULL_RANGE_FORMAT.fullmatch(name):
        full = True
    return ColourTags(
        _first_stated(own.matrix, stream.matrix),
        _first_stated(own.primaries, stream.primaries),
        _first_stated(own.transfer, stream.transfer),
        full,
        look.siting,
    )


def _first_stated(own: int, other: int) -> int:
    return other if own == UNSPECIFIED else own


def _side_data(frame: VideoFrame, kind: SideData) -> bytes | None:
    part = frame.side_data.get(kind)
    return None if part is None else bytes(part)


def _read_display_matrix(frame: VideoFrame) -> tuple[int, ...]:
    data = _side_data(frame, SideData.DISPLAYMATRIX)
    return struct.unpack("=9i", data) if data and len(data) == 36 else ()


def _read_mastering(frame: VideoFrame) -> MasteringDisplay | None:
    """``AVMasteringDisplayMetadata`` of libavutil: ten ratios, and whether two groups are there."""
    data = _side_data(frame, SideData.MASTERING_DISPLAY_METADATA)
    if data is None or len(data) < 88:
        return None
    *numbers, has_primaries, has_luminance = struct.unpack_from("=22i", data)
    if not (has_primaries and has_luminance and all(numbers[1::2])):
        return None
    ratios = [Fraction(n, d) for n, d in zip(numbers[::2], numbers[1::2], strict=True)]
    red, green, blue, white = ((ratios[i], ratios[i + 1]) for i in range(0, 8, 2))
    return MasteringDisplay(red, green, blue, white, ratios[9], ratios[8])


def _read_light(frame: VideoFrame) -> ContentLight | None:
    data = _side_data(frame, SideData.CONTENT_LIGHT_LEVEL)
    return ContentLight(*struct.unpack_from("=2I", data)) if data and len(data) >= 8 else None


_SIDE_LOSSES = {
    SideData.DOVI_METADATA: ("Dolby Vision", "its metadata fits the small film alone"),
    SideData.DYNAMIC_HDR_PLUS: ("HDR10+", "its metadata, frame by frame, is left out"),
    SideData.A53_CC: ("closed captions", "those inside the video are left out"),
    SideData.STEREO3D: ("stereo", "that two views are packed into a frame isn't said any more"),
    SideData.SPHERICAL: ("sphere", "that the film is of all round isn't said any more"),
    SideData.S12M_TIMECODE: ("timecode", "that inside the video is left out"),
}


def _list_side_losses(look: _FilmLook) -> tuple[Loss, ...]:
    return tuple(
        Loss(*loss)
        for kind, loss in _SIDE_LOSSES.items()
        if any(frame.side_data.get(kind) is not None for frame in look.frames)
    )
