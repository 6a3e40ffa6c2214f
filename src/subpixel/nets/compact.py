"""The compact luma network that subpixel trains and bundles."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from subpixel.nets.architecture import Layout, chain, numbered


class CompactNet(nn.Module):
    """Narrow residual 3x3 convolutions at low resolution, then sub-pixel convolution.

    ``(N, 1, H, W)`` luma in 0 … 1 → ``(N, 1, H * scale, W * scale)``. The network learns what
    is missing from nearest-neighbour enlargement: the input is added to each of the ``scale²``
    sub-pixel channels before they are interleaved (the sub-pixel convolution of Shi et al.,
    arXiv 1609.05158). Every layer is local: the halo is ``depth + 2`` pixels.
    """

    def __init__(self, scale: int, channels: int = 16, depth: int = 9) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(1, channels, 3, padding=1)
        body = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth)]
        self.body = nn.ModuleList(body)
        self.tail = nn.Conv2d(channels, scale * scale, 3, padding=1)
        if not self.tail.weight.is_meta:  # drawing shapes alone would still take seconds
            self._initialise(body)

    def forward(self, luma: Tensor) -> Tensor:
        shallow = deep = functional.relu(self.head(luma))
        for convolution in self.body:
            deep = deep + functional.relu(convolution(deep))
        return functional.pixel_shuffle(self.tail(deep + shallow) + luma, self.scale)

    def _initialise(self, body: Sequence[nn.Conv2d]) -> None:
        """He initialisation, with a small last layer: training starts at the plain enlargement."""
        for convolution in (self.head, *body):
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            if convolution.bias is not None:
                nn.init.zeros_(convolution.bias)
        with torch.no_grad():
            for convolution in body:
                convolution.weight.mul_(0.3)
            self.tail.weight.mul_(0.1)


LAYOUT = Layout(
    frozenset({"head.weight", "body.0.weight", "tail.weight"}),
    lambda weights: ["head", *numbered(weights, "body.{}"), "tail"],
)


ARCHITECTURE = chain("CompactNet", LAYOUT, CompactNet)
