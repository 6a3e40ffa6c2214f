"""The networks between ``balanced`` and ``denoise``, which was fine-tuned from it.

On the straight line between their weights lies a family of networks (deep network interpolation,
Wang et al., CVPR 2019, arXiv 1811.10515): the further along, the more JPEG damage is removed, and
the softer a clean picture becomes.
"""

from dataclasses import dataclass
from pathlib import Path

from subpixel.arguments import expect_number
from subpixel.zoo.manifest import AUTO, DEFAULT_NETWORK, DENOISE, DRAWING


@dataclass(frozen=True)
class FamilyPoint:
    """One network of the family."""

    strength: float
    """0 (``balanced``) … 1 (``denoise``)."""
    name: str
    """Of its spec; with ``-int8`` a bundled network's."""


POINTS = (
    FamilyPoint(0.0, DEFAULT_NETWORK),
    FamilyPoint(0.25, f"{DENOISE}-25"),
    FamilyPoint(0.5, f"{DENOISE}-50"),
    FamilyPoint(0.75, f"{DENOISE}-75"),
    FamilyPoint(1.0, DENOISE),
)
"""By strength. The float32 weights of those in between are mixed when they are opened."""


DRAWING_STRENGTH = 0.5
"""Rims along edges of flat areas are a third of what `balanced` makes, as few as at 1
(``benchmarks/flat_edges.py``)."""


def nearest_point(strength: float) -> FamilyPoint:
    """The point nearest to ``strength``, the weaker of two; raises :class:`UsageError` for a
    strength that isn't 0 … 1."""
    expect_number("the strength", strength, 0, 1)
    return min(POINTS, key=lambda point: abs(point.strength - strength))


def find_mixture(name: str) -> FamilyPoint | None:
    """The point of this name between the two ends, or for drawings; None for any other network."""
    if name == DRAWING:
        return nearest_point(DRAWING_STRENGTH)
    return next((point for point in POINTS[1:-1] if point.name == name), None)


def first_network(model: str | Path, strength: float | None) -> str | Path:
    """The network that 8-bit pictures go through at first: ``model``, or a point of the family."""
    if strength is not None:
        return nearest_point(strength).name
    mixture = find_mixture(str(model))
    if mixture is not None:
        return mixture.name
    return DEFAULT_NETWORK if model == AUTO else model


def tuned_network(model: str | Path) -> str | Path:
    """The one whose tuning holds for ``model``: its own, or for a mixture the default's."""
    return model if find_mixture(str(model)) is None else DEFAULT_NETWORK
