"""What the header of a film's video and its first frames say."""

import re
import threading
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
from av import VideoFrame
from av.container import InputContainer
from av.video.stream import VideoStream

from subpixel.errors import PictureError
from subpixel.media.film.facts import SITINGS, ColourTags
from subpixel.media.film.planes import FULL_RANGE_FORMAT
from subpixel.media.film.survey.container import decode_video, to_fraction

LOOKS = 12
"""Frames that are decoded to see whether a film is interlaced."""

_LOG_LOCK = threading.Lock()


@dataclass(frozen=True)
class FilmLook:
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


def look_into(file: Path, container: InputContainer, stream: VideoStream) -> FilmLook:
    """Decode the first frames; raises :class:`PictureError` where there is none."""
    frames: list[VideoFrame] = []
    siting, context = _read_siting(container, stream), stream.codec_context
    for frame in decode_video(container, stream):
        if frames or not frame.is_corrupt:
            frames.append(frame)
        if len(frames) == LOOKS:
            break
    if not frames:
        raise PictureError(f"{file} has a video stream, and no frame of it can be decoded")
    return FilmLook(
        stream.index,
        context.name,
        tuple(frames),
        siting,
        to_fraction(stream.time_base) or Fraction(1, 1000),
        to_fraction(stream.guessed_rate) or to_fraction(stream.average_rate) or Fraction(25),
        to_fraction(stream.sample_aspect_ratio) or Fraction(1),
        context.field_order,
        read_tags(
            context.colorspace, context.color_primaries, context.color_trc, context.color_range
        ),
    )


def read_tags(matrix: int, primaries: int, transfer: int, width: int) -> ColourTags:
    """FFmpeg's numbers, which are those of H.273; of the range 1 is limited and 2 full."""
    return ColourTags(
        int(matrix), int(primaries), int(transfer), {1: False, 2: True}.get(int(width))
    )


def read_frame_tags(frame: VideoFrame) -> ColourTags:
    """What a frame says of itself."""
    tags = read_tags(frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
    is_full = FULL_RANGE_FORMAT.fullmatch(frame.format.name)
    return replace(tags, full_range=True) if is_full else tags


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
