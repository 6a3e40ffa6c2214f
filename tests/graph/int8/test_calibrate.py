"""What is measured on pictures: histograms and the error of rounding to a grid."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from subpixel.graph.int8.calibrate import BINS, Histogram
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
