"""Frames of PyAV as planes, and planes as frames."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from subpixel.errors import PictureError
from subpixel.media.film.conversion import FramePlanes, sample_dtype
from subpixel.media.film.facts import Family, SampleLayout

_PLANAR = re.compile(
    r"(?:yuv(?P<yuva>a?)(?P<full>j?)(?P<chroma>410|411|420|422|440|444)p|gray|gbr(?P<gbra>a?)p)"
    r"(?P<bits>9|10|12|14|16)?(?:le)?"
)

_CHROMA: Mapping[str, tuple[int, int]] = {
    "410": (4, 4),
    "411": (4, 1),
    "420": (2, 2),
    "422": (2, 1),
    "440": (1, 2),
    "444": (1, 1),
}
"""Columns and rows of luma for one of chroma."""

_REPACKED: Mapping[str, str] = {
    **dict.fromkeys(("nv12", "nv21"), "yuv420p"),
    **dict.fromkeys(("yuyv422", "uyvy422", "yvyu422", "nv16"), "yuv422p"),
    **dict.fromkeys(("nv24", "nv42"), "yuv444p"),
    **dict.fromkeys(("p010le", "p010be"), "yuv420p10le"),
    **dict.fromkeys(("p210le", "y210le"), "yuv422p10le"),
    **dict.fromkeys(("rgb24", "bgr24", "rgb0", "bgr0", "0rgb", "0bgr"), "gbrp"),
    **dict.fromkeys(("rgba", "bgra", "argb", "abgr", "pal8"), "gbrap"),
    **dict.fromkeys(("rgb48le", "rgb48be", "bgr48le", "bgr48be"), "gbrp16le"),
    **dict.fromkeys(("rgba64le", "rgba64be", "bgra64le", "bgra64be"), "gbrap16le"),
}
"""The planar format that holds the same samples, by the name of one that isn't planar."""

FULL_RANGE_FORMAT = re.compile(r"yuva?j\d{3}p")
"""Formats of old that say full range by their name."""


def sample_layout(name: str) -> SampleLayout:
    """How the samples lie in FFmpeg's pixel format ``name``.

    Raises :class:`PictureError` for one that isn't read.
    """
    match = _PLANAR.fullmatch(planar_name(name))
    if match is None:
        raise PictureError(f"its pixels are stored as {name}, which isn't read; convert it first")
    across, down = _CHROMA[match["chroma"]] if match["chroma"] else (1, 1)
    family: Family = "yuv" if match["chroma"] else "grey" if match[0].startswith("gray") else "rgb"
    alpha = bool(match["yuva"] or match["gbra"])
    return SampleLayout(family, int(match["bits"] or 8), across, down, alpha)


def planar_name(name: str) -> str:
    """The planar format, in this machine's order of bytes, that holds what ``name`` does."""
    if name in _REPACKED:
        return _REPACKED[name]
    return f"{name[:-2]}le" if name.endswith("be") else name


def format_name(layout: SampleLayout) -> str:
    """FFmpeg's name of the pixel format with that layout."""
    depth = "" if layout.bits == 8 else f"{layout.bits}le"
    alpha = "a" if layout.alpha else ""
    if layout.family == "yuv":
        chroma = next(k for k, v in _CHROMA.items() if v == (layout.across, layout.down))
        return f"yuv{alpha}{chroma}p{depth}"
    return f"gbr{alpha}p{depth}" if layout.family == "rgb" else f"gray{depth}"


def repack(frame: VideoFrame, name: str) -> VideoFrame:
    """The same samples in the pixel format ``name``.

    With several threads libswscale 9.5 now and then leaves rows of chroma at their middle value:
    5 of 20,000 frames from p010le.
    """
    return frame.reformat(format=name, threads=1)


def read_planes(frame: VideoFrame, layout: SampleLayout) -> FramePlanes:
    """The planes of ``frame`` in the order of :data:`~subpixel.media.film.conversion.FramePlanes`:
    views of it, or of a copy in another order of bytes.

    Raises :class:`PictureError` where the frame has another layout.
    """
    name = planar_name(frame.format.name)
    if sample_layout(name) != layout:
        raise PictureError(
            f"its pixels change from one layout to another, {name}; convert it first"
        )
    if name != frame.format.name:
        frame = repack(frame, name)
    planes = [_read_plane(frame, number, layout) for number in range(layout.planes)]
    if layout.family == "rgb":  # green, blue, red
        planes[:3] = planes[2], planes[0], planes[1]
    return planes


def _read_plane(frame: VideoFrame, number: int, layout: SampleLayout) -> NDArray[Any]:
    plane, dtype = frame.planes[number], sample_dtype(layout)
    samples = np.frombuffer(plane, dtype).reshape(plane.height, -1)
    return samples[:, : plane.width]


def make_frame(planes: FramePlanes, layout: SampleLayout) -> VideoFrame:
    """A frame of these planes, copied."""
    height, width = planes[0].shape
    frame = VideoFrame(width, height, format_name(layout))
    ordered = [planes[1], planes[2], planes[0], *planes[3:]] if layout.family == "rgb" else planes
    for plane, samples in zip(frame.planes, ordered, strict=True):
        room = np.zeros((plane.height, plane.line_size // samples.itemsize), samples.dtype)
        room[:, : plane.width] = samples
        plane.update(room)
    return frame
