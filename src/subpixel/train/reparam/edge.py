"""Convolutions that are trained with edge filters beside them, and run without.

The edge-oriented blocks of Zhang et al. (ACM Multimedia 2021): beside the kernel and a pair of
convolutions stand fixed Sobel and Laplace filters, each behind a trained 1×1 mixture of the inputs.
"""

import torch
from torch import Tensor, nn

from subpixel.train.reparam.collapsible import CollapsibleConv2d

_SOBEL = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))
_LAPLACE = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


class EdgeConv2d(CollapsibleConv2d):
    """A collapsible convolution of a narrower pair, and three edge filters.

    ``mixtures`` are ``(3, outputs, inputs)``, ``strengths``, zero at first, ``(3, outputs)``.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, expansion=2 * max(inputs, outputs))
        self.mixtures = nn.Parameter(torch.empty(3, outputs, inputs))
        self.strengths = nn.Parameter(torch.zeros(3, outputs))
        nn.init.kaiming_normal_(self.mixtures)
        self.register_buffer("filters", _edge_filters(kernel), persistent=False)

    def collapse_weight(self) -> Tensor:
        with torch.autocast(self.weight.device.type, enabled=False):
            edges = torch.einsum(
                "fo,foi,fkl->oikl", self.strengths, self.mixtures, self.get_buffer("filters")
            )
            return super().collapse_weight() + edges


def _edge_filters(kernel: int) -> Tensor:
    """Sobel's two and Laplace's, in the middle of ``kernel`` by ``kernel``."""
    sobel = torch.tensor(_SOBEL)
    filters = torch.stack([sobel, sobel.T, torch.tensor(_LAPLACE)])
    border = (kernel - 3) // 2
    return nn.functional.pad(filters, (border,) * 4)
