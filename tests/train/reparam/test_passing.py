"""Trained with a sum, run without: the two forms compute the same."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rounding import dot_bound
from subpixel.errors import CheckpointError
from subpixel.nets.architectures.superresolution import SuperResolutionNet
from subpixel.train.reparam.passing import PassingNet


def seeded(scale: int) -> PassingNet:
    torch.manual_seed(scale)
    net = PassingNet(scale)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return net.requires_grad_(False)


@given(st.integers(2, 4), st.integers(1, 20), st.integers(1, 20))
@settings(max_examples=10)
def test_folded_it_computes_the_same(scale: int, height: int, width: int) -> None:
    net, luma = seeded(scale), torch.rand(2, 1, height, width, dtype=torch.float64)
    folded = net.fold()
    assert type(folded) is SuperResolutionNet
    # in float64 what is left is that 1 was added to float32 weights: to one weight for each pixel
    within = dot_bound(1, 2)
    assert torch.allclose(folded.double()(luma), net.double()(luma), rtol=0, atol=within)


def test_untrained_it_is_near_to_plain_enlargement() -> None:
    torch.manual_seed(0)
    luma = torch.rand(1, 1, 16, 16)
    enlarged = PassingNet(3)(luma)
    plain = luma.repeat_interleave(3, 2).repeat_interleave(3, 3)
    assert (enlarged - plain).abs().mean() < 0.3 * luma.std()


def test_what_was_folded_can_be_trained_on() -> None:
    net = seeded(3)
    again = PassingNet.of(net.fold())
    for key, value in net.state_dict().items():
        assert torch.allclose(again.state_dict()[key], value, atol=1e-6), key


def test_a_network_that_was_not_folded_is_refused() -> None:
    with pytest.raises(CheckpointError, match="don't carry luma"):
        PassingNet.of(SuperResolutionNet(3))
