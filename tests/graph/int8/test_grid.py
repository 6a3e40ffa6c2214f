import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from subpixel.graph.int8.grid import FilterWeights, diffuse_rounding, grid_step

WEIGHTS = arrays(
    np.float64,
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.sampled_from([1, 3]), st.integers(1, 3)),
    elements=st.floats(-1, 1, width=32),
)


@given(WEIGHTS)
def test_no_pair_of_products_leaves_16_bits(weights: FilterWeights) -> None:
    """As AVX2's ``vpmaddubsw`` adds them up, of the largest code values, in both layouts."""
    whole = diffuse_rounding(weights, grid_step(weights)).astype(np.int64)
    for order in (whole, whole.transpose(0, 2, 3, 1)):
        rows = order.reshape(len(order), -1)
        pairs = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(len(rows), -1, 2)
        for codes in ([255, 255], [255, 0], [0, 255]):
            assert np.abs(pairs @ codes).max() <= np.iinfo(np.int16).max


@given(WEIGHTS)
def test_rounding_keeps_what_a_filter_does_to_even_areas(weights: FilterWeights) -> None:
    step = grid_step(weights)
    whole = diffuse_rounding(weights, step)
    exact = (weights / step[:, None, None, None]).reshape(len(weights), -1)
    assert np.abs(whole.reshape(len(whole), -1).sum(axis=1) - exact.sum(axis=1)).max() <= 0.5001
    assert np.abs(whole.reshape(len(whole), -1) - exact).max() <= 1.0001


def test_one_large_weight_takes_all_of_the_8_bits() -> None:
    weights = np.zeros((1, 2, 3, 3))
    weights[0, 0, 1, 1] = 0.5
    assert diffuse_rounding(weights, grid_step(weights)).max() in (126, 127)
