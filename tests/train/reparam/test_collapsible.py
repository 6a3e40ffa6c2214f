import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from same_function import assert_same_function, moved_weights_bound
from subpixel.nets.architectures.plain import PlainNet
from subpixel.nets.architectures.superresolution import SuperResolutionNet
from subpixel.train.reparam.collapsible import (
    CollapsibleConv2d,
    collapse_convolutions,
    collapse_state,
    widen_convolutions,
)


def trained(layer: CollapsibleConv2d) -> CollapsibleConv2d:
    """With a pair that is no longer zero."""
    nn.init.normal_(layer.squeeze, std=0.05)
    return layer


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3, 5]), st.integers(0, 2**16))
def test_it_computes_what_its_convolutions_do_one_after_the_other(
    inputs: int, outputs: int, kernel: int, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = trained(CollapsibleConv2d(inputs, outputs, kernel, expansion=32)).double()
    features, padding = torch.rand(2, inputs, 9, 7, dtype=torch.float64), kernel // 2
    wide = functional.conv2d(features, layer.expand, padding=padding)
    beside = functional.conv2d(wide, layer.squeeze[..., None, None])
    expected = functional.conv2d(features, layer.weight, layer.bias, padding=padding) + beside
    torch.testing.assert_close(layer(features), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(layer.plain()(features), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "network", [PlainNet(3), SuperResolutionNet(3)], ids=["plain", "reference"]
)
def test_what_is_exported_equals_what_was_trained(network: nn.Module) -> None:
    torch.manual_seed(0)
    begun = copy.deepcopy(network)
    wide = widen_convolutions(network)
    for layer in wide.modules():
        if isinstance(layer, CollapsibleConv2d):
            trained(layer)
    narrow = collapse_convolutions(wide)
    assert [type(m) for m in narrow.modules()] == [type(m) for m in begun.modules()]
    pixels = torch.rand(2, 1, 33, 40)
    # both kernels of a pair are multiplied, in sums of float32, and rounded
    assert_same_function(narrow, wide, pixels, moved_weights_bound(narrow, pixels))
    state = collapse_state(wide)
    assert state.keys() == narrow.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in narrow.state_dict().items())


def test_a_widened_network_begins_as_it_was() -> None:
    net, pixels = SuperResolutionNet(2), torch.rand(1, 1, 9, 8)
    before = net(pixels)
    torch.testing.assert_close(widen_convolutions(net)(pixels), before)


def test_it_begins_as_a_plain_convolution() -> None:
    layer = CollapsibleConv2d(3, 4, 3)
    assert torch.equal(layer.collapse_weight(), layer.weight)


@pytest.mark.parametrize("mixed", [False, True])
def test_every_factor_learns(mixed: bool) -> None:
    layer = trained(CollapsibleConv2d(2, 3, 3, expansion=8))
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        layer(torch.rand(1, 2, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())
    assert layer.collapse_weight().dtype == torch.float32
