"""The tutorial's network as it is trained: with residual learning, luma passed through all layers.

Residual learning (Kim et al., arXiv 1511.04587) needs a sum that the tutorial's network doesn't
have. But luma is never below zero, so a ReLU doesn't change it: one channel of each layer can carry
it to the last, which adds it. So the network is trained with a sum and runs without one.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from subpixel.errors import CheckpointError
from subpixel.nets.architectures.plain import initialise
from subpixel.nets.architectures.superresolution import SuperResolutionNet


class PassingNet(nn.Module):
    """A SuperResolutionNet whose layers' first channels carry luma; these are not trained.

    ``(N, 1, H, W)`` luma in 0 … 1 → ``(N, 1, H * r, W * r)``, r = ``upscale_factor``; for negative
    luma it differs from :meth:`fold`.
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor
        self.conv1 = nn.Conv2d(1, 63, kernel_size=5, padding=2)
        self.conv2 = nn.Conv2d(63, 63, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(63, 31, kernel_size=3, padding=1)
        self.conv4 = nn.Conv2d(32, upscale_factor**2, kernel_size=3, padding=1)
        initialise(self.conv1, (self.conv2, self.conv3), self.conv4)

    def forward(self, luma: Tensor) -> Tensor:
        features = functional.relu(self.conv1(luma))
        features = functional.relu(self.conv2(features))
        features = functional.relu(self.conv3(features))
        lacking = self.conv4(torch.cat([luma, features], dim=1))
        return functional.pixel_shuffle(lacking + luma, self.upscale_factor)

    def fold(self) -> SuperResolutionNet:
        """The equivalent network in the tutorial's form."""
        net = SuperResolutionNet(self.upscale_factor)
        with torch.no_grad():
            for convolution in (net.conv1, net.conv2, net.conv3):
                _carry_luma(convolution)
            for place, own in zip(_free_parameters(net), self.parameters(), strict=True):
                place.copy_(own)
            net.conv4.weight[:, 0, 1, 1] += 1
        return net

    @classmethod
    def of(cls, net: SuperResolutionNet) -> "PassingNet":
        """The inverse of :meth:`fold`; raises :class:`CheckpointError` for any other network."""
        passing = cls(net.upscale_factor)
        with torch.no_grad():
            for own, place in zip(passing.parameters(), _free_parameters(net), strict=True):
                own.copy_(place)
            passing.conv4.weight[:, 0, 1, 1] -= 1
        pairs = zip(passing.fold().parameters(), net.parameters(), strict=True)
        if not all(torch.allclose(*pair) for pair in pairs):
            raise CheckpointError(
                "this SuperResolutionNet's first channels don't carry luma, as in networks that "
                "subpixel trained; train without a warm start"
            )
        return passing


def _free_parameters(net: SuperResolutionNet) -> Iterator[Tensor]:
    """The parts of ``net`` that are a PassingNet's parameters, in order: all but the filters that
    pass luma through and, in the inner layers, the weights that would read luma."""
    for convolution, inputs in ((net.conv1, 0), (net.conv2, 1), (net.conv3, 1)):
        weight, bias = convolution.parameters()
        yield from (weight[1:, inputs:], bias[1:])
    yield from net.conv4.parameters()


def _carry_luma(convolution: nn.Conv2d) -> None:
    """Set the first filter to copy the first channel, and everything else to zero."""
    middle = convolution.kernel_size[0] // 2
    for parameter in convolution.parameters():
        parameter.zero_()
    convolution.weight[0, 0, middle, middle] = 1
