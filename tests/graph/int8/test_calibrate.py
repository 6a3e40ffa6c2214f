"""What is measured on pictures: histograms and the error of rounding to a grid."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from subpixel.graph.int8.calibrate import BINS, Histogram
from subpixel.graph.int8.integer import WHITE, WHOLE, _residual_grid
from subpixel.graph.int8.qdq import QuantGrid

EMPTY = Histogram(np.zeros(2 * BINS + 1, np.int64))
HALF_BIN = 0.5 / BINS * (1 + 1e-9)


@given(
    values=st.lists(st.floats(-1, 1), min_size=1, max_size=200),
    step=st.floats(1e-3, 1e-2),
    zero=st.integers(0, 255),
)
def test_the_error_is_that_of_the_values(values: list[float], step: float, zero: int) -> None:
    """By bins. How far a value lies from its code changes by no more than the value itself, half a
    bin at the most; and so does the root of the mean square."""
    seen = np.array(values)
    codes = np.clip(np.rint(seen / step) + zero, 0, 255)
    exact = np.sqrt(np.mean(((codes - zero) * step - seen) ** 2))
    found = np.sqrt(EMPTY.add(seen[:100]).add(seen[100:]).rounding_error(QuantGrid(step, zero)))
    assert abs(found - exact) <= HALF_BIN


@given(st.floats(0.005, 0.2), st.integers(0, 2**32 - 1))
def test_no_other_step_changes_the_outputs_less(spread: float, seed: int) -> None:
    seen = np.clip(np.random.default_rng(seed).laplace(0, spread, 4000), -1, 1)
    low, high = min(0.0, float(seen.min())), max(0.0, float(seen.max()))
    grid, share = _residual_grid((low, high), EMPTY.add(seen), residual=True)
    assert grid.step == share / WHOLE

    def error(steps: int) -> float:
        step = steps / WHOLE / WHITE
        within = min(steps / WHOLE / (high - low), 1)
        zero = round(-low * within / step)
        codes = np.clip(np.rint(seen / step) + zero, 0, 255)
        return float(np.mean(((codes - zero) * step - seen) ** 2))

    best = min(error(other) for other in range(1, 128))
    assert np.sqrt(error(share)) <= np.sqrt(best) + 2 * HALF_BIN
