"""The limit holds before memory is taken, and only for tensors made from nothing."""

import pytest
import torch
from torch import nn

from subpixel.errors import CheckpointError
from subpixel.nets.spandrel.allocation import AllocationLimit


def test_what_fits_is_built_as_ever() -> None:
    torch.manual_seed(0)
    expected = nn.Linear(100, 100)
    torch.manual_seed(0)
    with AllocationLimit(50_000) as limit:
        found = nn.Linear(100, 100)
    assert torch.equal(found.weight, expected.weight)
    assert limit.allocated == 4 * (100 * 100 + 100)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(1 << 21, 1 << 21),  # 16 TiB
        lambda: torch.zeros(1 << 42),
        lambda: torch.arange(1 << 42),
        lambda: [torch.rand(1000) for _ in range(100)],
    ],
)
def test_one_too_many_is_refused(make: object) -> None:
    with AllocationLimit(100_000), pytest.raises(CheckpointError, match="requires a network of"):
        make()  # type: ignore[operator]


def test_the_limit_ends_with_its_context() -> None:
    with AllocationLimit(0):
        pass
    assert torch.zeros(1000).numel() == 1000
