import torch
from torch import nn

from subpixel.nets.architectures.plain import PlainNet
from subpixel.train.reparam.collapsible import (
    collapse_convolutions,
    collapse_state,
    widen_convolutions,
)
from subpixel.train.reparam.edge import EdgeConv2d


def test_an_edge_block_begins_as_its_convolution_and_collapses() -> None:
    torch.manual_seed(0)
    net, low = PlainNet(2, 4, 2), torch.rand(1, 1, 9, 10)
    before = net(low).detach()
    wide = widen_convolutions(net, EdgeConv2d)
    torch.testing.assert_close(wide(low), before)
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    narrow = collapse_convolutions(wide)
    torch.testing.assert_close(narrow(low), wide(low), rtol=1e-4, atol=1e-5)
    assert set(collapse_state(wide)) == set(narrow.state_dict())
    assert not any(isinstance(module, EdgeConv2d) for module in narrow.modules())


def test_edge_filters_are_branches_of_convolutions() -> None:
    """Computed as in training of the paper: a 1×1 mixture, then a fixed filter of each channel."""
    torch.manual_seed(0)
    block, features = EdgeConv2d(3, 5, 3).double(), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        block.strengths.normal_()
        expected = nn.functional.conv2d(features, block.weight, block.bias, padding=1)
        for mixture, strength, kernel in zip(
            block.mixtures, block.strengths, block.get_buffer("filters"), strict=True
        ):
            mixed = nn.functional.conv2d(features, mixture[..., None, None])
            filters = strength[:, None, None, None] * kernel
            expected += nn.functional.conv2d(mixed, filters, padding=1, groups=5)
        torch.testing.assert_close(block(features), expected)
