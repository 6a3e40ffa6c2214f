"""The response of a network to uniform grey, which reveals what its weights don't."""

import torch
from torch import nn

SIDE, MARGIN = 48, 16
"""The side of the grey picture, and the margin of it that is ignored, in input pixels."""


def grey_levels(module: nn.Module, channels: int, scale: int, greys: list[float]) -> list[float]:
    """The mean level, away from the edges, of the results of ``module`` for uniform grey
    pictures."""
    inside = slice(MARGIN * scale, -MARGIN * scale)
    pictures = torch.tensor(greys).reshape(-1, 1, 1, 1).expand(-1, channels, SIDE, SIDE)
    with torch.no_grad():
        result = module(pictures)[..., inside, inside]
    return [float(level) for level in result.mean(dim=(1, 2, 3))]
