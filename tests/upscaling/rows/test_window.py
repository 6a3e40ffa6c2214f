from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.upscaling.rows.window import RowWindow, regroup

heights = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def cut(samples: np.ndarray, parts: list[int]) -> Iterator[np.ndarray]:
    return iter(np.split(samples, np.cumsum(parts)[:-1]))


@pytest.mark.slow
@given(heights, st.data())
def test_any_rows_that_go_down(parts: list[int], data: st.DataObject) -> None:
    samples = np.arange(2 * sum(parts)).reshape(-1, 2, 1)
    window, start = RowWindow(cut(samples, parts)), 0
    while start < len(samples):
        stop = data.draw(st.integers(start + 1, len(samples)))
        assert np.array_equal(window(start, stop), samples[start:stop])
        start = data.draw(st.integers(start, stop))
        if stop == len(samples):
            break


def test_rows_that_are_over_are_let_go() -> None:
    """Held at most: what the last call asked for, and the chunks that it shares."""
    alive = 0

    class Chunk(np.ndarray):
        def __del__(self) -> None:
            nonlocal alive
            alive -= self.base is None

    def chunks() -> Iterator[np.ndarray]:
        nonlocal alive
        for _ in range(100):
            alive += 1
            yield Chunk((4, 2, 1))

    window = RowWindow(chunks())
    for top in range(0, 396, 2):
        window(top, top + 6)
        assert alive <= 4


@given(heights, st.integers(1, 12))
def test_regrouped_rows_are_the_same_rows(parts: list[int], rows: int) -> None:
    samples = np.arange(sum(parts)).reshape(-1, 1, 1)
    groups = list(regroup(cut(samples, parts), rows))
    assert np.array_equal(np.concatenate(groups), samples)
    assert all(len(group) == rows for group in groups[:-1])
