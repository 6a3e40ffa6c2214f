"""The 8-bit grid of the network's output: fine steps that clip its rare ends, or coarse ones that
don't, and the room that rounding to them leaves for errors in flat areas."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from subpixel.graph.int8.calibrate import Histogram
from subpixel.graph.int8.kernels import WHOLE
from subpixel.graph.int8.qdq import QuantGrid

PICTURE_GRID = QuantGrid(1.0)
"""A picture's code values."""
WHITE = 255
MAX_SHARE = 127
"""The largest step, in 114ths of a code value: it is a weight of 8 bits."""
MAX_PRICE = 2.0
"""How many times the least rounding error a grid may have for its room."""


@dataclass(frozen=True)
class OutputGrid:
    """In code values."""

    grid: QuantGrid
    share: int
    """Its step, in 114ths."""
    error: float = 0.0
    """The mean square by which outputs change when they are rounded to it; they are in 0 … 1."""

    @property
    def room(self) -> float:
        """By how many code values the output may be off before it is rounded, so that the level to
        which it is added before the next rounding stays."""
        step = self.grid.step
        whole = int(np.ceil(0.5 / step)) - 1  # steps that don't reach half a code value
        return (whole + 0.5) * step


def list_output_grids(
    bounds: tuple[float, float], seen: Histogram, *, residual: bool
) -> Sequence[OutputGrid]:
    """Those that change the outputs that were ``seen``, within ``bounds``, the least or not much
    more.

    Without ``residual`` the output is luma in code values: 8 bits clip it, as the float32 network
    does.
    """
    if not residual:
        return [OutputGrid(PICTURE_GRID, WHOLE)]
    grids = [_cover(bounds, seen, share) for share in range(1, MAX_SHARE + 1)]
    most = MAX_PRICE * min(grid.error for grid in grids)
    return [grid for grid in grids if grid.error <= most]


def choose_output_grid(grids: Sequence[OutputGrid], room: float = 0.0) -> OutputGrid:
    """The one of the least error, of those of ``grids`` with so much ``room``."""
    return min((grid for grid in grids if grid.room >= room), key=lambda grid: grid.error)


def _cover(bounds: tuple[float, float], seen: Histogram, share: int) -> OutputGrid:
    """The part of ``bounds`` that 8 bits cover in steps of ``share`` 114ths of a code value."""
    low, high = bounds
    step = share / WHOLE
    within = min(step / max(high - low, 1e-6), 1.0)
    grid = QuantGrid(step, round(-low * within * WHITE / step))
    return OutputGrid(grid, share, seen.rounding_error(replace(grid, step=step / WHITE)))
