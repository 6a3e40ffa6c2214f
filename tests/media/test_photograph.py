"""The bundled photograph, and how it goes on beyond its edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subpixel.media.photograph import mirror_positions, photograph


def test_it_is_read_once_and_can_not_be_changed() -> None:
    assert photograph() is photograph()
    assert photograph().dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        photograph()[0, 0, 0] = 0


@given(st.integers(-500, 500), st.integers(1, 300), st.integers(1, 60))
def test_positions_are_those_of_symmetric_padding(start: int, count: int, size: int) -> None:
    """NumPy's own, around the side as often as it takes."""
    around = abs(start) + count
    padded = np.pad(np.arange(size), around, mode="symmetric")
    assert np.array_equal(mirror_positions(start, count, size), padded[around + start :][:count])
