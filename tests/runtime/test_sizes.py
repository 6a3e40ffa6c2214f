import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks import NearestNeighbour
from subpixel.errors import NetworkError
from subpixel.runtime.op import Pixels
from subpixel.runtime.sizes import MINIMA, MULTIPLES, with_sizes
from subpixel.spec import ModelSpec

SPEC = ModelSpec("picky", 2, "luma", "luma")


class Picky:
    """Enlarges twofold, and takes certain sizes alone."""

    def __init__(self, multiple: int, minimum: int) -> None:
        self.multiple, self.minimum = multiple, minimum

    def __call__(self, pixels: Pixels, /) -> Pixels:
        sides = pixels.shape[2:]
        if any(side % self.multiple or side < self.minimum for side in sides):
            raise ValueError(f"not {sides}")
        return NearestNeighbour(2)(pixels)


@given(st.sampled_from(MULTIPLES), st.sampled_from([m for m in MINIMA if m <= 48]))
def test_what_a_network_refuses_is_found(multiple: int, minimum: int) -> None:
    found = with_sizes(Picky(multiple, minimum), SPEC)
    assert found.size_multiple == multiple
    # multiples of the multiple that are large enough are all that matters
    assert -(-found.size_minimum // multiple) == -(-minimum // multiple)


def test_what_the_facts_ask_for_is_the_least() -> None:
    spec = ModelSpec("picky", 2, "luma", "luma", size_multiple=8, size_minimum=16)
    assert with_sizes(NearestNeighbour(2), spec) == spec


def test_a_network_of_another_scale_is_none() -> None:
    with pytest.raises(NetworkError, match=r"does not enlarge by 2: it turns .* into \(1, 1, 147"):
        with_sizes(NearestNeighbour(3), SPEC)


def test_an_empty_answer_is_a_fault() -> None:
    with pytest.raises(NetworkError):
        with_sizes(lambda pixels: np.zeros((0,), np.float32), SPEC)
