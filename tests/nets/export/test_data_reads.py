"""Code that decides by what a picture shows is found out; code that decides by sizes is not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from subpixel.nets.export.data_reads import find_data_read

PICTURE = torch.rand(1, 3, 12, 9, generator=torch.Generator().manual_seed(0))


class Calls(nn.Module):
    def __init__(self, function: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)
        self.gain = nn.Parameter(torch.tensor(2.0))
        self.function = function

    def forward(self, picture: Tensor) -> Tensor:
        return self.function(self, picture)


READS: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "mean": lambda net, x: x * 2 if x.mean() > 0.5 else x,
    "mean of features": lambda net, x: x * 2 if net.layer(x).abs().mean() > 0.5 else x,
    "item": lambda net, x: x * x.max().item(),
    "grey": lambda net, x: x if torch.equal(x[:, 0], x[:, 1]) else x * 2,
    "index": lambda net, x: [x, x * 2][x[0, 0].round().max().long()],
    "after a change in place": lambda net, x: x * int(torch.zeros(1).add_(x.mean())),
}

NO_READS: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "sizes": lambda net, x: x * 2 if x.shape[2] % 8 else x,
    "parameters": lambda net, x: x * net.gain.item(),
    "where": lambda net, x: torch.where(x.mean() > 0.5, x * 2, x),
    "a sum of weights": lambda net, x: net.layer(x) if net.layer.weight.sum() > 0 else -x,
}


@pytest.mark.parametrize("function", READS.values(), ids=list(READS))
def test_reads_of_the_picture_are_found(function: Callable[[nn.Module, Tensor], Tensor]) -> None:
    place = find_data_read(Calls(function), PICTURE)
    assert place is not None
    assert place.startswith("test_data_reads.py, line ")


@pytest.mark.parametrize("function", NO_READS.values(), ids=list(NO_READS))
def test_other_decisions_are_no_reads(function: Callable[[nn.Module, Tensor], Tensor]) -> None:
    assert find_data_read(Calls(function), PICTURE) is None


def test_the_picture_itself_is_left_alone() -> None:
    picture = PICTURE.clone()
    find_data_read(Calls(lambda net, x: x.mul_(2)), picture)
    assert torch.equal(picture, PICTURE)
