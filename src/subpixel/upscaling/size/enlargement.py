"""How a picture gets its size: which networks it passes in turn, and the filter after them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from subpixel.imaging.resample import LANCZOS
from subpixel.media.picture import Header
from subpixel.upscaling.rows.resampler import Part, Resampler, Window
from subpixel.upscaling.rows.stage import RowStage
from subpixel.upscaling.size.target_size import (
    Extent,
    TargetSize,
    choose_scales,
    extent_for,
    factor_of,
    seen_size,
)


@dataclass(frozen=True)
class Enlargement:
    """How one picture gets its target size: networks in turn, then a filter down to the size.

    The filter is Lanczos' (three lobes), antialiased, on code values: what the networks draw is
    kept best by it (``benchmarks/target_size.py``).
    """

    scales: tuple[int, ...]
    """Of the networks, in their order; empty: the picture becomes no larger."""
    extent: Extent
    note: str | None
    """What a user may not expect, in a line: that no network was needed."""

    def header(self, header: Header) -> Header:
        """What comes out of a picture of ``header``."""
        count, _, _, channels = header.shape
        extent = self.extent
        return replace(header, shape=(count, extent.kept_height, extent.kept_width, channels))

    def stages(self, header: Header, window: Window | None) -> tuple[RowStage, ...]:
        """What follows the networks, which got a ``window`` of a picture of ``header`` (None: all
        of it); nothing where the result has the size."""
        extent, scale = self.extent, math.prod(self.scales)
        whole = (extent.height, extent.width)
        larger = (header.height * scale, header.width * scale)
        if whole == (extent.kept_height, extent.kept_width) == larger:
            return ()
        kept = Window(extent.top, extent.left, extent.kept_height, extent.kept_width)
        part = Part(*larger, window.top * scale, window.left * scale) if window else None
        return (Resampler(*whole, LANCZOS, kept, part),)


def enlarge_by(header: Header, scale: int) -> Enlargement:
    """Through one network of this ``scale``, and no filter."""
    height, width = header.height * scale, header.width * scale
    return Enlargement((scale,), Extent(height, width, 0, 0, height, width), None)


def plan_enlargement(header: Header, size: TargetSize, available: Sequence[int]) -> Enlargement:
    """The networks, among those of the ``available`` scales, for a picture of this ``header``.

    Raises :class:`~subpixel.errors.UsageError` for a size that is too large, and where no network
    enlarges.
    """
    extent = extent_for(size, header)
    factor = factor_of(extent, header)
    return Enlargement(choose_scales(available, factor), extent, _explain(header, extent))


def explain_fixed_scale(name: str, scale: int, factor: Fraction) -> str | None:
    """How a network of one ``scale`` comes to another factor, in a line; None where it can't, or
    where no network is used."""
    if scale <= 1 or factor <= 1:
        return None
    turns = len(choose_scales([scale], factor))
    runs = "once" if turns == 1 else f"{turns} times in turn"
    return (
        f"{name} enlarges {scale} times: it runs {runs}, to {scale**turns} times the size, and a "
        f"filter brings that down to {float(factor):g} times"
    )


def _explain(header: Header, extent: Extent) -> str | None:
    """Why no network is used, where none is."""
    if factor_of(extent, header) > 1:
        return None
    (height, width), new = seen_size(header), Enlargement((), extent, None).header(header)
    new_height, new_width = seen_size(new)
    if (new_height, new_width) == (height, width):
        return f"it has {width} x {height} pixels already: no network is used"
    return f"{width} x {height} pixels become fewer, {new_width} x {new_height}: no network is used"
