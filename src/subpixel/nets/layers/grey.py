"""How a network answers to plain grey: what its weights alone don't say can be seen there."""

import torch
from torch import nn

SIDE, MARGIN = 48, 16
"""The grey picture's side, and how much of it is left out of account, in input pixels."""


def grey_levels(module: nn.Module, channels: int, scale: int, greys: list[float]) -> list[float]:
    """The mean level, away from the edges, of what ``module`` makes of pictures of plain grey."""
    inside = slice(MARGIN * scale, -MARGIN * scale)
    pictures = torch.tensor(greys).reshape(-1, 1, 1, 1).expand(-1, channels, SIDE, SIDE)
    with torch.no_grad():
        result = module(pictures)[..., inside, inside]
    return [float(level) for level in result.mean(dim=(1, 2, 3))]
