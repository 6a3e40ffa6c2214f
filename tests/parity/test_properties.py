"""Tiles, repetition and batches, on networks true to themselves and on some that are not."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from networks import BoxBlur, NearestNeighbour
from subpixel.parity.cases import Case
from subpixel.parity.compare import ParityReport
from subpixel.parity.properties import batch_equals_single, same_twice, tiles_equal_whole
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec

SPEC = ModelSpec("blur", 2, "rgb", "rgb", halo=3)
CASE = Case(3, 9, 7, "noise")


@pytest.mark.parametrize("halo", [0, 3, 20])
@pytest.mark.parametrize("multiple", [1, 4])
def test_tiles_equal_the_whole_where_the_halo_is_right(halo: int, multiple: int) -> None:
    spec = replace(SPEC, halo=halo, size_multiple=multiple)
    found = tiles_equal_whole(BoxBlur(2, halo), spec)
    assert isinstance(found, ParityReport)
    assert found, found.worst
    assert all(result.case.height % multiple == 0 for result in found.results)


@pytest.mark.parametrize("halo", [0, 2])
def test_a_halo_too_small_shows(halo: int) -> None:
    assert not tiles_equal_whole(BoxBlur(2, 3), replace(SPEC, halo=halo))


def test_a_large_halo_is_seen_on_strips_in_both_directions() -> None:
    @dataclass(frozen=True)
    class FarDown:
        """Nearest neighbour of the mean with the row ``reach`` further down, or the last one."""

        reach: int
        axis: int

        def __call__(self, pixels: Pixels, /) -> Pixels:
            length = pixels.shape[self.axis]
            rows = np.minimum(np.arange(length) + self.reach, length - 1)
            return NearestNeighbour(2)((pixels + np.take(pixels, rows, self.axis)) / 2)

    for axis in (2, 3):
        right = tiles_equal_whole(FarDown(150, axis), replace(SPEC, halo=150))
        assert isinstance(right, ParityReport)
        assert right, right.worst
        assert len(right.results) == 2
        assert not tiles_equal_whole(FarDown(150, axis), replace(SPEC, halo=120))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (replace(SPEC, halo=None), "whole picture"),
        (replace(SPEC, fixed_size=(8, 9)), "8 × 9 pixels alone"),
        (replace(SPEC, fixed_batch=2), "a batch of 2 alone"),
        (replace(SPEC, halo=200, square=True), "squares alone"),
    ],
)
def test_where_tiles_cant_be(spec: ModelSpec, reason: str) -> None:
    found = tiles_equal_whole(BoxBlur(2, 3), spec)
    assert isinstance(found, str)
    assert reason in found


def test_a_batch_is_its_pictures() -> None:
    def mixing(pixels: Pixels, /) -> Pixels:
        return NearestNeighbour(2)(pixels + pixels.mean(axis=0, keepdims=True))

    assert batch_equals_single(BoxBlur(2, 3), SPEC, CASE)
    assert not batch_equals_single(mixing, SPEC, CASE)
    assert not batch_equals_single(mixing, replace(SPEC, precision="int8"), CASE)
    fixed = batch_equals_single(mixing, replace(SPEC, fixed_batch=1), CASE)
    assert fixed == "the file takes a batch of 1 alone"


def test_one_bit_between_two_runs_shows() -> None:
    runs: list[float] = []

    def drifting(pixels: Pixels, /) -> Pixels:
        result = NearestNeighbour(2)(pixels)
        runs.append(0.5 if not runs else float(np.nextafter(np.float32(0.5), np.float32(1))))
        result[0, 0, 0, 0] = runs[-1]
        return result

    assert same_twice(NearestNeighbour(2), SPEC, CASE)
    assert not same_twice(drifting, SPEC, CASE)
