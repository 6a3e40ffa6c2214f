"""Steps of the output: none changes it less, none with room for flat areas costs much more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.graph.int8.calibrate import BINS, Histogram
from subpixel.graph.int8.kernels import WHOLE
from subpixel.graph.int8.output_grid import (
    MAX_PRICE,
    WHITE,
    OutputGrid,
    choose_output_grid,
    list_output_grids,
)
from subpixel.graph.int8.qdq import QuantGrid

EMPTY = Histogram(np.zeros(2 * BINS + 1, np.int64))
HALF_BIN = 0.5 / BINS * (1 + 1e-9)
SHARES = range(1, 128)


def outputs(spread: float, seed: int) -> tuple[np.ndarray, tuple[float, float]]:
    """And their ends."""
    seen = np.clip(np.random.default_rng(seed).laplace(0, spread, 4000), -1, 1)
    return seen, (min(0.0, float(seen.min())), max(0.0, float(seen.max())))


def error(seen: np.ndarray, bounds: tuple[float, float], share: int) -> float:
    """The mean square by which 8 bits in steps of so many 114ths of a code value change them."""
    low, high = bounds
    step = share / WHOLE / WHITE
    zero = round(-low * min(share / WHOLE / (high - low), 1) / step)
    codes = np.clip(np.rint(seen / step) + zero, 0, 255)
    return float(np.mean(((codes - zero) * step - seen) ** 2))


@given(st.floats(0.005, 0.2), st.integers(0, 2**32 - 1))
def test_no_other_step_changes_the_outputs_less(spread: float, seed: int) -> None:
    seen, bounds = outputs(spread, seed)
    found = choose_output_grid(list_output_grids(bounds, EMPTY.add(seen), residual=True))
    assert found.grid.step == found.share / WHOLE
    best = min(error(seen, bounds, other) for other in SHARES)
    assert np.sqrt(error(seen, bounds, found.share)) <= np.sqrt(best) + 2 * HALF_BIN


@given(st.floats(0.005, 0.2), st.integers(0, 2**32 - 1))
def test_room_costs_at_most_its_price(spread: float, seed: int) -> None:
    seen, bounds = outputs(spread, seed)
    grids = list_output_grids(bounds, EMPTY.add(seen), residual=True)
    room = max(grid.room for grid in grids)
    found = choose_output_grid(grids, room)
    assert found.room == room
    best = min(error(seen, bounds, other) for other in SHARES)
    most = np.sqrt(MAX_PRICE) * (np.sqrt(best) + HALF_BIN) + HALF_BIN
    assert np.sqrt(error(seen, bounds, found.share)) <= most


def test_clipping_is_no_price_for_room() -> None:
    """Outputs up to 200 code values on either side, as noise has them: fine steps with much room
    would clip most of them."""
    seen = np.linspace(-200, 200, 4001) / WHITE
    grids = list_output_grids((seen[0], seen[-1]), EMPTY.add(seen), residual=True)
    assert min(grid.share for grid in grids) > 0.8 * max(SHARES)


@pytest.mark.parametrize("share", SHARES)
def test_the_room_is_where_rounding_keeps_the_level(share: int) -> None:
    output = OutputGrid(QuantGrid(share / WHOLE), share)
    for off, stays in ((output.room - 1e-6, True), (output.room + 1e-6, False)):
        shown = round(off / output.grid.step) * output.grid.step
        assert (shown < 0.5 and round(shown) == 0) == stays


def test_steps_just_below_a_half_have_the_most_room() -> None:
    """One step up or down still rounds to the level."""
    grids = [OutputGrid(QuantGrid(share / WHOLE), share) for share in SHARES]
    assert max(grids, key=lambda grid: grid.room).share == 56
    assert max(grid.room for grid in grids) == 84 / 114


def test_luma_itself_has_the_picture_s_steps() -> None:
    (only,) = list_output_grids((0.0, 1.0), EMPTY, residual=False)
    assert (only.grid, only.share) == (QuantGrid(1.0), WHOLE)
