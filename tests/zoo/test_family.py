"""The points between `balanced` and `denoise`."""

import pytest

from subpixel.errors import UsageError
from subpixel.zoo.family import (
    POINTS,
    find_mixture,
    first_network,
    nearest_point,
    tuned_network,
)
from subpixel.zoo.manifest import DEFAULT_NETWORK, DENOISE, find_bundled


def test_the_line_has_both_networks_at_its_ends() -> None:
    strengths = [point.strength for point in POINTS]
    assert strengths == sorted(strengths)
    assert (POINTS[0].strength, POINTS[0].name) == (0, DEFAULT_NETWORK)
    assert (POINTS[-1].strength, POINTS[-1].name) == (1, DENOISE)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_point_has_its_file_in_8_bit_integers(scale: int) -> None:
    for point in POINTS:
        assert find_bundled(f"{point.name}-int8", scale).path.is_file()


@pytest.mark.parametrize(
    ("strength", "point"), [(0, 0), (0.1, 0), (0.13, 0.25), (0.6, 0.5), (0.9, 1), (1, 1)]
)
def test_the_nearest_point(strength: float, point: float) -> None:
    assert nearest_point(strength).strength == point


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("inf"), float("nan")])
def test_other_strengths_are_refused(strength: float) -> None:
    with pytest.raises(UsageError, match="0 to 1"):
        nearest_point(strength)


def test_whose_tuning_holds() -> None:
    assert find_mixture("balanced") is find_mixture("fast") is None
    assert first_network("auto", None) == first_network("auto", 0.0) == "balanced"
    assert tuned_network(first_network("auto", 0.5)) == "balanced"
    assert tuned_network(first_network("auto", 1.0)) == "denoise"
    assert tuned_network(first_network("fast", None)) == "fast"
