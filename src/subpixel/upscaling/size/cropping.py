"""The part of a picture that a cut-out of the larger one is made of."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from subpixel.media.picture import Header, Source
from subpixel.runtime.op import Samples
from subpixel.spec import ModelSpec
from subpixel.upscaling.rows.resampler import Window
from subpixel.upscaling.rows.window import split_frames
from subpixel.upscaling.size.target_size import Extent

FILTER_ROOM = 4
"""Samples on either side that the filter looks at, times as many as it shrinks by: Lanczos' three,
and one for rounding."""


@dataclass(frozen=True, eq=False)
class CroppedSource:
    """A :class:`~subpixel.media.picture.Source` of a ``window`` of another's frames."""

    source: Source
    window: Window

    @property
    def header(self) -> Header:
        """The window's size."""
        return crop_header(self.source.header, self.window)

    @property
    def memory(self) -> int:
        """The same: all of it is decoded."""
        return self.source.memory

    def chunks(self) -> Iterator[Samples]:
        """The window's rows. All of the source is read, so what is damaged is told."""
        top, bottom = self.window.top, self.window.top + self.window.height
        columns = slice(self.window.left, self.window.left + self.window.width)
        for frame in split_frames(self.source.chunks(), self.source.header.height):
            at = 0
            for rows in frame:
                part = rows[max(top - at, 0) : max(bottom - at, 0), columns]
                at += len(rows)
                if len(part):
                    yield part


def crop_header(header: Header, window: Window) -> Header:
    """The header of a ``window``."""
    count, _, _, channels = header.shape
    return replace(header, shape=(count, window.height, window.width, channels))


def find_window(header: Header, extent: Extent, networks: Sequence[ModelSpec]) -> Window | None:
    """What of a picture must go through ``networks`` in turn for the part of ``extent`` that is
    kept to come out as it does of the whole; None: all of it.

    All of it where a network looks at the whole or cares for sizes, and of pictures with alpha,
    where hidden colour comes from anywhere.
    """
    if header.has_alpha or not all(map(_is_local, networks)):
        return None
    seen, scale = Fraction(0), 1
    for spec in networks:
        seen += Fraction(spec.halo or 0, scale)
        scale *= spec.scale
    rows = _span(extent.top, extent.kept_height, extent.height, header.height, seen, scale)
    columns = _span(extent.left, extent.kept_width, extent.width, header.width, seen, scale)
    if len(rows) == header.height and len(columns) == header.width:
        return None
    return Window(rows.start, columns.start, len(rows), len(columns))


def _is_local(spec: ModelSpec) -> bool:
    return (
        spec.halo is not None
        and max(spec.size_multiple, spec.size_minimum) == 1
        and not spec.square
        and spec.fixed_size is None
    )


def _span(start: int, kept: int, target: int, size: int, seen: Fraction, scale: int) -> range:
    """The inputs along an axis of ``size``, of which ``kept`` from ``start`` on are made after it
    became ``scale`` times as large and then ``target``."""
    step = Fraction(size, target)
    margin = seen + Fraction(FILTER_ROOM, scale) * max(Fraction(1), step * scale)
    first, last = math.floor(start * step - margin), math.ceil((start + kept) * step + margin)
    return range(max(0, first), min(size, last))
