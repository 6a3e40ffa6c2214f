"""Frames into packets: the settings of an encoder, and one segment of a film through it."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av import VideoFrame
from av.codec.context import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from subpixel.errors import PictureError, ProviderError, UsageError
from subpixel.media.film.conversion import encode_planes
from subpixel.media.film.encoding.codecs import VideoCodec
from subpixel.media.film.facts import (
    BT709,
    ContentLight,
    FilmColour,
    FilmFacts,
    MasteringDisplay,
    SampleLayout,
)
from subpixel.media.film.planes import (
    FULL_RANGE_FORMAT,
    format_name,
    make_frame,
    repack,
    sample_layout,
)
from subpixel.media.picture import Loss

MAX_THREADS = 16
"""Of an encoder."""

MIN_TREE_PIXELS, TREE_COLUMNS = 1 << 14, 8 * 16
"""Of smaller frames, and those of a width that isn't whole in such steps, x264's macroblock tree
makes other packets each time: it reads beyond them what happens to be in memory."""

TRIAL_SIDE = 64
"""Of frames, in pixels, for which an encoder is opened to see which formats it takes."""

CHROMATICITY_UNITS, LUMINANCE_UNITS = 50_000, 10_000
"""In which H.264 and H.265 count CIE x and y, and candela per square metre."""


@dataclass(frozen=True)
class EncoderSettings:
    """All that an encoder's packets depend on, beside the frames."""

    encoder: str
    options: tuple[tuple[str, str], ...]
    pixel_format: str
    layout: SampleLayout
    colour: FilmColour
    width: int
    height: int
    time_base: Fraction
    """Seconds of one tick of the encoder's clock."""
    rate: Fraction
    counts_frames: bool
    """Whether each frame is one tick, as at a steady rate: some encoders write their clock into
    the film as its rate."""
    aspect: Fraction
    threads: int


@dataclass(frozen=True, eq=False)
class CodedPacket:
    """What an encoder gave for one frame."""

    time: int
    """When it is shown, in ticks."""
    is_key: bool
    data: bytes
    alpha: bytes = b""
    """Transparency beside the data (VP9)."""


@dataclass(frozen=True, eq=False)
class CodedSegment:
    """Packets in the order of decoding, none of which refers to another segment's."""

    header: bytes
    """What a decoder needs before the first of them; the same for all segments of a film."""
    packets: Sequence[CodedPacket]


def plan_encoder(
    codec: VideoCodec,
    facts: FilmFacts,
    height: int,
    width: int,
    *,
    crf: int | None = None,
    preset: str | None = None,
) -> tuple[EncoderSettings, tuple[Loss, ...]]:
    """How a film like this is encoded at another size, and what the codec can't hold.

    Raises :class:`UsageError` for a value that the codec hasn't, and :class:`ProviderError` for an
    encoder that can't be had here.
    """
    if max(width, height) < codec.min_side:
        raise UsageError(
            f"{codec.name} takes no films of {width} x {height} pixels, but of {codec.min_side} on "
            "the longer side; use --video-codec h264 or ffv1"
        )
    options = {**dict(codec.options), **codec.set_quality(crf), **codec.set_preset(preset)}
    pixel_format, layout = _choose_format(codec, facts.layout)
    colour = facts.colour
    if layout.family != "rgb" and facts.layout.family == "rgb":
        colour = replace(colour, matrix=BT709, full_range=False, siting="left")
    if layout.family != "rgb":
        colour = _restrict_colour(codec, colour)
    if codec.encoder == "libx264" and not _has_steady_tree(width, height):
        options["x264-params"] = "mbtree=0"
    for name, value in _describe_hdr(codec, facts).items():
        options[name] = ":".join(filter(None, (options.get(name), value)))
    options["chroma_sample_location"] = colour.siting
    settings = EncoderSettings(
        codec.encoder,
        tuple(sorted(options.items())),
        pixel_format,
        layout,
        colour,
        width,
        height,
        facts.time_base if facts.is_variable else 1 / facts.rate,
        facts.rate,
        not facts.is_variable,
        facts.aspect,
        _count_threads(codec),
    )
    return settings, tuple(_list_codec_losses(codec, facts, layout))


def _restrict_colour(codec: VideoCodec, colour: FilmColour) -> FilmColour:
    """As a codec can say it: samples are computed from RGB for it, so nothing is lost."""
    full = colour.full_range and codec.has_full_range
    siting = colour.siting if colour.siting in codec.sitings else "left"
    return replace(colour, full_range=full, siting=siting)


def _has_steady_tree(width: int, height: int) -> bool:
    """A frame's width counts in whole blocks of 16 columns."""
    return width * height >= MIN_TREE_PIXELS and -(-width // 16) * 16 % TREE_COLUMNS == 0


def _count_threads(codec: VideoCodec) -> int:
    """Fixed, as some encoders' packets depend on it. x265's are frames, which cost quality."""
    cores = os.cpu_count() or 1
    return min(4, 1 + cores // 8) if codec.encoder == "libx265" else min(MAX_THREADS, cores)


def _choose_format(codec: VideoCodec, layout: SampleLayout) -> tuple[str, SampleLayout]:
    """Of the pixel formats that an encoder takes, the one that holds most of ``layout``."""
    if codec.encoder not in av.codecs_available:
        raise ProviderError(
            f"the encoder {codec.encoder} is not in the FFmpeg that is installed here; use another "
            "--video-codec"
        )
    forms = av.Codec(codec.encoder, "w").video_formats or ()
    pairs = [(form.name, own) for form in forms if (own := _find_own_layout(form.name)) is not None]
    wanted = layout
    if layout.family != "yuv" and not codec.is_lossless:
        wanted = SampleLayout("yuv", layout.bits, 2, 2, layout.alpha)
    pairs = [pair for pair in pairs if codec.has_alpha or not pair[1].alpha]
    pairs.sort(key=lambda pair: _rank_format(pair[0], pair[1], wanted), reverse=True)
    return next(pair for pair in pairs if not pair[1].alpha or _takes_format(codec, pair[0]))


def _takes_format(codec: VideoCodec, pixel_format: str) -> bool:
    """Whether an encoder can be opened for a format that it names: libvpx can't for transparency
    in 4:4:4."""
    context = av.CodecContext.create(codec.encoder, "w")
    assert isinstance(context, VideoCodecContext)
    context.width = context.height = TRIAL_SIDE
    context.pix_fmt, context.time_base = pixel_format, Fraction(1, 25)
    try:
        context.open()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _find_own_layout(name: str) -> SampleLayout | None:
    """None for a format that isn't written here."""
    try:
        return None if FULL_RANGE_FORMAT.match(name) else sample_layout(name)
    except PictureError:
        return None


def _rank_format(name: str, layout: SampleLayout, wanted: SampleLayout) -> tuple[int, ...]:
    """The larger, the more of what is wanted a layout holds, and the less besides."""
    excess = (wanted.across - layout.across) + (wanted.down - layout.down)
    return (
        layout.alpha >= wanted.alpha,
        layout.family == wanted.family,
        layout.bits >= wanted.bits,
        layout.across <= wanted.across and layout.down <= wanted.down,
        -abs(layout.bits - wanted.bits),
        -abs(excess),
        layout.alpha == wanted.alpha,
        name == format_name(layout),
    )


def _list_codec_losses(codec: VideoCodec, facts: FilmFacts, layout: SampleLayout) -> Iterator[Loss]:
    before = facts.layout
    if layout.bits < before.bits:
        yield Loss("bit depth", f"{codec.name} has {layout.bits} bits here, the film {before.bits}")
    if before.alpha and not layout.alpha:
        yield Loss(
            "alpha", f"{codec.name} has no transparency; use prores (MOV) or ffv1 (Matroska)"
        )
    if before.family != "grey" and (layout.across > before.across or layout.down > before.down):
        why = "is what plays everywhere" if before.family == "rgb" else f"is all {codec.name} has"
        yield Loss("chroma", f"{before.chroma} becomes {layout.chroma}, which {why}")
    if (facts.mastering or facts.light) and not _describe_hdr(codec, facts):
        yield Loss("HDR10", f"{codec.name} doesn't hold mastering display and light level here")


def _describe_hdr(codec: VideoCodec, facts: FilmFacts) -> dict[str, str]:
    """The option that has the encoder write mastering display and light level."""
    if codec.encoder == "libx265":
        parts = _format_hdr(facts, "master-display", "max-cll")
        return {"x265-params": ":".join(parts)} if parts else {}
    if codec.encoder == "libx264":
        parts = _format_hdr(facts, "mastering-display", "cll")
        return {"x264-params": ":".join(parts)} if parts else {}
    if codec.encoder == "libsvtav1":
        parts = [
            *([f"mastering-display={_format_real(facts.mastering)}"] if facts.mastering else []),
            *([f"content-light={_format_light(facts.light)}"] if facts.light else []),
        ]
        return {"svtav1-params": ":".join(parts)} if parts else {}
    return {}


def _format_hdr(facts: FilmFacts, mastering: str, light: str) -> list[str]:
    parts = [f"{mastering}={_format_whole(facts.mastering)}"] if facts.mastering else []
    return [*parts, *([f"{light}={_format_light(facts.light)}"] if facts.light else [])]


def _format_light(light: ContentLight) -> str:
    return f"{light.max_content},{light.max_frame_average}"


def _format_whole(display: MasteringDisplay) -> str:
    """In the units of H.265."""
    points = (display.green, display.blue, display.red, display.white)
    pairs = [f"({_whole_units(x)},{_whole_units(y)})" for x, y in points]
    most = round(display.max_luminance * LUMINANCE_UNITS)
    least = round(display.min_luminance * LUMINANCE_UNITS)
    names = zip(("G", "B", "R", "WP"), pairs, strict=True)
    return "".join(name + pair for name, pair in names) + f"L({most},{least})"


def _whole_units(ratio: Fraction) -> int:
    return round(ratio * CHROMATICITY_UNITS)


def _format_real(display: MasteringDisplay) -> str:
    """As real numbers."""
    points = (display.green, display.blue, display.red, display.white)
    pairs = [f"({float(x):.5f},{float(y):.5f})" for x, y in points]
    limits = f"L({float(display.max_luminance):.4f},{float(display.min_luminance):.4f})"
    names = zip(("G", "B", "R", "WP"), pairs, strict=True)
    return "".join(name + pair for name, pair in names) + limits


def encode_segment(
    settings: EncoderSettings, frames: Iterable[tuple[int, NDArray[Any]]]
) -> CodedSegment:
    """Frames with their times, in ticks, ascending: ``(H, W, C)`` in the full range of their dtype.

    The first is a key frame, and no packet refers to another segment. Raises :class:`ProviderError`
    where the encoder can't be opened, and :class:`PictureError` where it fails.
    """
    context = open_encoder(settings)
    packets: list[CodedPacket] = []
    times: dict[int, int] = {}
    try:
        for number, (time, frame) in enumerate(frames):
            clock = number if settings.counts_frames else time
            times[clock] = time
            coded = context.encode(_code_frame(settings, clock, frame))
            packets += [_take_packet(packet, times) for packet in coded]
        packets += [_take_packet(packet, times) for packet in context.encode(None)]
    except av.FFmpegError as error:
        raise PictureError(f"the encoder {settings.encoder} failed: {error.strerror}") from error
    return CodedSegment(context.extradata or b"", packets)


def open_encoder(settings: EncoderSettings) -> VideoCodecContext:
    """The encoder, ready for a first frame; raises :class:`ProviderError` where it can't be had,
    and :class:`UsageError` for an option that it doesn't know."""
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 would write its settings to stderr
    context = av.CodecContext.create(settings.encoder, "w")
    assert isinstance(context, VideoCodecContext)
    describe_video(context, settings)
    context.framerate = settings.rate
    context.flags |= Flags.global_header | Flags.closed_gop
    context.thread_count, context.thread_type = settings.threads, "AUTO"
    context.options = dict(settings.options)
    try:
        context.open()
    except (av.FFmpegError, ValueError) as error:
        text = error.strerror if isinstance(error, av.FFmpegError) else str(error)
        raise ProviderError(
            f"the encoder {settings.encoder} can't be opened for {settings.width} x "
            f"{settings.height} pixels here: {text}; use another --video-codec"
        ) from error
    if context.options:
        raise UsageError(
            f"the encoder {settings.encoder} doesn't know {', '.join(context.options)}"
        )
    return context


def describe_video(context: VideoCodecContext, settings: EncoderSettings) -> None:
    """Size, pixels, clock and colours, for an encoder or a stream."""
    context.width, context.height = settings.width, settings.height
    context.pix_fmt, context.time_base = settings.pixel_format, settings.time_base
    context.sample_aspect_ratio = settings.aspect
    _tag_colours(context, settings.colour)


def _tag_colours(video: VideoCodecContext | VideoFrame, colour: FilmColour) -> None:
    video.colorspace, video.color_range = colour.matrix, 1 + colour.full_range
    video.color_primaries, video.color_trc = colour.primaries, colour.transfer


def _code_frame(settings: EncoderSettings, time: int, frame: NDArray[Any]) -> VideoFrame:
    layout, colour = settings.layout, settings.colour
    planes = encode_planes(_match_channels(frame, layout), layout, colour)
    coded = make_frame(planes, layout)
    coded.pts, coded.time_base = time, settings.time_base
    _tag_colours(coded, colour)
    if coded.format.name != settings.pixel_format:
        coded = repack(coded, settings.pixel_format)
    return coded


def _match_channels(frame: NDArray[Any], layout: SampleLayout) -> NDArray[Any]:
    """With grey repeated, alpha added or left out, as the layout has it."""
    channels = frame.shape[2]
    colours = 1 if layout.family == "grey" else 3
    alpha = [channels - 1] if channels in (2, 4) else []
    taken = [0] * colours if channels < 3 else list(range(colours))
    if layout.alpha and not alpha:
        white = np.full_like(frame[..., :1], np.iinfo(frame.dtype).max)
        return np.concatenate([frame[..., taken], white], axis=-1)
    order = taken + (alpha if layout.alpha else [])
    return frame if order == list(range(channels)) else frame[..., order]


def _take_packet(packet: Packet, times: Mapping[int, int]) -> CodedPacket:
    """``times`` has the film's time by the encoder's clock."""
    if packet.pts not in times:
        raise PictureError("the encoder gave a packet of another time; use another --video-codec")
    alpha = b""
    if packet.has_sidedata("matroska_block_additional"):
        alpha = bytes(packet.get_sidedata("matroska_block_additional"))
    return CodedPacket(times[packet.pts], packet.is_keyframe, bytes(packet), alpha)
