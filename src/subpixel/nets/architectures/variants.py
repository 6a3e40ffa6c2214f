"""Small networks in other than the usual settings: activations, a sum around, another range."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from subpixel.nets.architectures.architecture import Setting, chosen_of

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
"""By the names that PyTorch gives them as functions."""

RANGES: Mapping[str, float] = {"1": 1.0, "255": 255.0}
"""Largest values of the pixels that networks are trained on."""


class Varied(nn.Module):
    """``net`` for pixels in 0 … ``top``, its result through a sigmoid or added to its input.

    ``(N, C, H, W)`` in 0 … 1 → what ``net`` makes of it, in the same range.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.top = 1.0
        self.sigmoid = False
        self.residual = False

    def forward(self, picture: Tensor) -> Tensor:
        inner = picture * self.top
        result: Tensor = self.net(inner)
        if self.sigmoid:
            result = torch.sigmoid(result)
        if self.residual:
            result = result + inner
        return result / self.top


def varied(module: nn.Module) -> Varied:
    """``module`` as one that can be varied; one that already is, as it is."""
    return module if isinstance(module, Varied) else Varied(module).eval()


def plainest(module: nn.Module) -> nn.Module:
    """``module`` without what does nothing around it."""
    if isinstance(module, Varied) and (module.top, module.sigmoid, module.residual) == (1, 0, 0):
        return module.net
    return module


def activation_setting(usual: str) -> Setting:
    """What is between the layers, for a network that keeps it as its ``activation``."""

    def apply(module: nn.Module, value: str) -> nn.Module:
        kind = ACTIVATIONS[chosen_of(value, "activation", ACTIVATIONS)]
        inner = module.net if isinstance(module, Varied) else module
        inner.activation = kind()
        return module

    rest = [name for name in ACTIVATIONS if name != usual]
    return Setting("activation", (usual, *rest), apply)


def _in_range(module: nn.Module, value: str) -> nn.Module:
    around = varied(module)
    around.top = RANGES[chosen_of(value, "range", RANGES)]
    return plainest(around)


def _ending_in(module: nn.Module, value: str) -> nn.Module:
    around = varied(module)
    around.sigmoid = chosen_of(value, "output", ("linear", "sigmoid")) == "sigmoid"
    return plainest(around)


def _with_residual(module: nn.Module, value: str) -> nn.Module:
    around = varied(module)
    around.residual = chosen_of(value, "residual", ("no", "yes")) == "yes"
    return plainest(around)


RANGE = Setting("range", tuple(RANGES), _in_range)
"""The range of the pixels that the network takes and gives."""

OUTPUT = Setting("output", ("linear", "sigmoid"), _ending_in)
"""What the result goes through."""

RESIDUAL = Setting("residual", ("no", "yes"), _with_residual)
"""Whether the picture is added to the result."""
