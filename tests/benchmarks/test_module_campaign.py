"""A fixed part of the attack on the export: ``python benchmarks/module_campaign.py`` is the whole.

What is published of a network whose code branches is right on every picture that the file says it
takes; where that can't be had, nothing is published.
"""

import functools

import numpy as np
import pytest
import torch
from faults.modules import WRITERS, Small, write
from module_campaign import Row, limits, published, sights, told, worst

from subpixel.nets.torch_op import TorchOp
from subpixel.runtime.op import Pixels
from subpixel.spec import ModelSpec

SEED = 1
KINDS = list(WRITERS)
QUICK = ("if bright", "if plain", "position of the size")
SPEC = ModelSpec("small", 1, "rgb", "rgb", purpose="restoration")


@functools.cache
def exported(index: int) -> Row:
    return published(write(SEED, index), index, "trace", isolated=False)


def expect_right(row: Row) -> None:
    assert row.escaped is None, told(row)


@pytest.mark.parametrize("kind", QUICK)
def test_what_is_published_is_right(kind: str) -> None:
    expect_right(exported(KINDS.index(kind)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in QUICK])
def test_what_is_published_of_every_kind_is_right(kind: str) -> None:
    expect_right(exported(KINDS.index(kind)))


def test_a_network_that_takes_no_branch_is_published() -> None:
    """Else nothing would ever be wrong."""
    assert exported(KINDS.index("position of the size")).published


# --- the judge


@pytest.mark.slow
def test_a_wrong_file_is_seen() -> None:
    torch.manual_seed(0)
    module = Small().eval().requires_grad_(False)
    right = TorchOp(module)

    def wrong_beyond_300(pixels: Pixels, /) -> Pixels:
        result = right(pixels)
        return result if pixels.shape[3] <= 300 else result + np.float32(0.1)

    assert worst(module, right, SPEC)[1] == 0
    sight, codes = worst(module, wrong_beyond_300, SPEC)
    assert codes > 1
    assert sight.width > 300


def test_pictures_are_those_that_the_file_takes() -> None:
    free = list(sights(SPEC))
    assert {sight.batch for sight in free} == {1, 2, 5}
    assert max(sight.width for sight in free) == 512


@pytest.mark.parametrize(
    "spec",
    [
        ModelSpec("n", 1, "rgb", "rgb", size_maximum=299),
        ModelSpec("n", 1, "rgb", "rgb", size_maximum=299, size_multiple=8),
        ModelSpec("n", 1, "rgb", "rgb", size_minimum=50, size_multiple=8),
        ModelSpec("n", 1, "rgb", "rgb", fixed_size=(128, 96)),
        ModelSpec("n", 1, "rgb", "rgb", fixed_batch=4),
        ModelSpec("n", 1, "rgb", "rgb", square=True),
    ],
)
def test_no_picture_is_beyond_the_facts(spec: ModelSpec) -> None:
    for sight in sights(spec):
        sides = (sight.height, sight.width)
        assert max(sides) <= (spec.size_maximum or 512)
        assert min(sides) >= spec.size_minimum
        assert not any(side % spec.size_multiple for side in sides)
        assert spec.fixed_size in (None, sides)
        assert spec.fixed_batch in (None, sight.batch)
        assert not spec.square or sight.height == sight.width


def test_what_the_facts_rule_out_is_told() -> None:
    assert limits(SPEC) == ""
    spec = ModelSpec("n", 1, "rgb", "rgb", size_maximum=299, fixed_batch=1)
    assert limits(spec) == "; sides up to 299; batches of 1"


def test_the_greatest_size_is_among_them() -> None:
    spec = ModelSpec("n", 1, "rgb", "rgb", size_maximum=299)
    assert (299, 299) in {(sight.height, sight.width) for sight in sights(spec)}
