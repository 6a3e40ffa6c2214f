"""PlainNet: a plain chain of convolutions, which processors run fastest."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from subpixel.nets.architectures.architecture import KeyLayout, chain_architecture, list_numbered

FIRST_KERNEL = 5
"""The kernel of the first layer: with one input channel, a large kernel costs next to nothing."""


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


class PlainNet(nn.Module):
    """A chain of convolutions at low resolution, then sub-pixel convolution.

    ``(N, 1, H, W)`` luma in 0 … 1 → ``(N, 1, H * scale, W * scale)``. It has only two skip
    connections, as in SESR (Bhardwaj et al., arXiv 2103.09404): the first features are added before
    the last layer, and the picture to each of the ``scale²`` sub-pixels. The halo is ``depth + 3``
    pixels.
    """

    def __init__(self, scale: int, channels: int = 16, depth: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.first = _convolution(1, channels, FIRST_KERNEL)
        middle = [_convolution(channels, channels, 3) for _ in range(depth)]
        self.middle = nn.ModuleList(middle)
        self.last = _convolution(channels, scale * scale, 3)
        if not self.first.weight.is_meta:
            initialise(self.first, middle, self.last)

    def forward(self, luma: Tensor) -> Tensor:
        shallow = deep = functional.relu(self.first(luma))
        for convolution in self.middle:
            deep = functional.relu(convolution(deep))
        return functional.pixel_shuffle(self.last(deep + shallow) + luma, self.scale)


def initialise(first: nn.Conv2d, middle: Sequence[nn.Conv2d], last: nn.Conv2d) -> None:
    """Initialise layers near the identity, and a small last one: training starts near
    nearest-neighbour upscaling."""
    for convolution in (first, *middle, last):
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        if convolution.bias is not None:
            nn.init.zeros_(convolution.bias)
    with torch.no_grad():
        for convolution in middle:
            convolution.weight.mul_(0.3).add_(nn.init.dirac_(convolution.weight.clone()))
        last.weight.mul_(0.1)


PLAIN_LAYOUT = KeyLayout(
    frozenset({"first.weight", "middle.0.weight", "last.weight"}),
    lambda weights: ["first", *list_numbered(weights, "middle.{}"), "last"],
)


PLAIN_ARCHITECTURE = chain_architecture("PlainNet", PLAIN_LAYOUT, PlainNet)
