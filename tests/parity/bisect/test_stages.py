"""Stages turned off one by one, on networks of three lines."""

from collections.abc import Callable

import numpy as np
import pytest

from networks import NearestNeighbour
from subpixel.errors import NetworkError
from subpixel.parity.bisect.blame import Stage, Without, first_cure
from subpixel.runtime.op import NetOp, Pixels

RIGHT = NearestNeighbour(2)
WRONG = NearestNeighbour(3)
PICTURE = np.zeros((1, 1, 4, 4), np.float32)


def is_right(op: NetOp) -> bool:
    return op(PICTURE).shape == RIGHT(PICTURE).shape


def impossible() -> NetOp:
    raise NetworkError("this variant can't be had")


def failing(pixels: Pixels, /) -> Pixels:
    raise NetworkError(f"the network fails on {pixels.shape}")


STAGES: tuple[Stage, ...] = ("optimiser", "execution provider", "precision")


@pytest.mark.parametrize("culprit", STAGES)
def test_the_stage_without_which_it_is_right(culprit: Stage) -> None:
    variants = [Without(s, lambda s=s: RIGHT if s == culprit else WRONG) for s in STAGES]
    assert first_cure(variants, is_right) == culprit


@pytest.mark.parametrize("other", [lambda: WRONG, impossible, lambda: failing])
def test_none_of_them(other: Callable[[], NetOp]) -> None:
    assert first_cure([Without(stage, other) for stage in STAGES], is_right) is None


def test_the_first_of_several_is_named() -> None:
    variants = [Without("optimiser", impossible), *(Without(s, lambda: RIGHT) for s in STAGES[1:])]
    assert first_cure(variants, is_right) == "execution provider"
