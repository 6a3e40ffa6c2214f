"""Looking into a film before the work: its streams, its facts, whether it is whole."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av import VideoFrame
from av.sidedata.sidedata import Type as SideData

from subpixel.media.film.facts import (
    UNSPECIFIED,
    ColourTags,
    ContentLight,
    FilmFacts,
    MasteringDisplay,
    is_steady,
    settle_colour,
)
from subpixel.media.film.planes import sample_layout
from subpixel.media.film.survey.container import explain_opening, find_video, open_container
from subpixel.media.film.survey.look import FilmLook, look_into, read_frame_tags
from subpixel.media.film.survey.timing import FilmTiming, decode_times, time_packets
from subpixel.media.film.survey.wholeness import expect_whole
from subpixel.media.picture import Loss


@dataclass(frozen=True)
class FilmSurvey:
    """What a film is, and what of it its enlarged film can't have whatever it is written as."""

    facts: FilmFacts
    stream: int
    """The number of the video stream that is enlarged."""
    losses: tuple[Loss, ...] = ()


def survey_film(file: Path) -> FilmSurvey:
    """Look at ``file``: its first frames are decoded, all of its packets are counted.

    Raises :class:`PictureError` for what is no film, has no video, is cut off, or has pixels that
    aren't read.
    """
    with explain_opening(file):
        expect_whole(file)
    with open_container(file) as container:
        stream = find_video(file, container)
        look = look_into(file, container, stream)
    with open_container(file) as container:
        timing = time_packets(file, container, look)
    if timing.is_unclear:
        with open_container(file) as container:
            timing = decode_times(container, look, timing)
    losses = (*_list_side_losses(look), *timing.list_losses())
    return FilmSurvey(_make_facts(file, look, timing), look.stream, losses)


def _make_facts(file: Path, look: FilmLook, timing: FilmTiming) -> FilmFacts:
    frame = look.frames[0]
    name = frame.format.name
    layout = sample_layout(name)
    tags = _merge_tags(look)
    step = round(1 / (look.rate * look.time_base))
    tells_fields = any(frame.interlaced_frame for frame in look.frames)
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
        interlaced=look.field_order > 1 or tells_fields,
        tells_fields=tells_fields,
        mastering=_read_mastering(frame),
        light=_read_light(frame),
    )


def _merge_tags(look: FilmLook) -> ColourTags:
    """What the first frame says, else the stream."""
    own, stream = read_frame_tags(look.frames[0]), look.tags
    return ColourTags(
        _first_stated(own.matrix, stream.matrix),
        _first_stated(own.primaries, stream.primaries),
        _first_stated(own.transfer, stream.transfer),
        stream.full_range if own.full_range is None else own.full_range,
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


def _list_side_losses(look: FilmLook) -> tuple[Loss, ...]:
    return tuple(
        Loss(*loss)
        for kind, loss in _SIDE_LOSSES.items()
        if any(frame.side_data.get(kind) is not None for frame in look.frames)
    )
