import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.parity.cases import Case
from subpixel.parity.matrix.difference import WINDOW_SIDE, difference

CASE = Case(2, 4, 4, "noise")


@given(
    st.tuples(st.integers(1, 400), st.integers(1, 400)),
    st.integers(0, 399),
    st.integers(0, 399),
    st.sampled_from((1, 3)),
    st.floats(1e-7, 1.0),
)
def test_the_spot_holds_the_largest_difference(
    size: tuple[int, int], row: int, column: int, channels: int, by: float
) -> None:
    height, width = size
    row, column = row % height, column % width
    reference = np.zeros((2, channels, height, width), np.float32)
    candidate = reference.copy()
    candidate[1, channels - 1, row, column] = by
    shown = difference(CASE, reference, candidate)
    assert shown is not None
    assert shown.reference.shape == (min(height, WINDOW_SIDE), min(width, WINDOW_SIDE), 3)
    lit = shown.amplified[row - shown.top, column - shown.left, channels - 1]
    assert lit > 128 + 60  # at least half of what there is above mid-grey
    assert np.log2(shown.amplification).is_integer()
    assert by * shown.amplification <= 0.5 + 1e-6
    assert (shown.amplified[..., channels - 1] != 128).sum() == 1


def test_darker_is_darker() -> None:
    black, white = (np.full((1, 1, 2, 2), value, np.float32) for value in (0.0, 1.0))
    shown = difference(CASE, white, black)
    assert shown is not None
    assert shown.amplification == 0.5
    assert shown.amplified.max() == 0
    assert (shown.reference.min(), shown.candidate.max()) == (255, 0)


@pytest.mark.parametrize(
    "candidate",
    [
        np.zeros((1, 1, 2, 2), np.float32),
        np.zeros((1, 1, 2, 3), np.float32),
        np.full((1, 1, 2, 2), np.nan, np.float32),
        np.full((1, 1, 2, 2), np.inf, np.float32),
    ],
)
def test_nothing_to_see(candidate: np.ndarray) -> None:
    assert difference(CASE, np.zeros((1, 1, 2, 2), np.float32), candidate) is None
