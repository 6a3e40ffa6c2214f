"""Small networks in other than the default settings: activation, residual, output, range."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from subpixel.nets.architectures.architecture import NetworkSetting, expect_choice

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
"""By the names of PyTorch's functions."""

RANGES: Mapping[str, float] = {"1": 1.0, "255": 255.0}
"""The maximum pixel values that networks are trained on."""


class VariantNet(nn.Module):
    """``net`` for pixels in 0 … ``top``, its result through a sigmoid or added to its input.

    ``(N, C, H, W)`` in 0 … 1 → the result of ``net``, converted to the same range.
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


def as_variant(module: nn.Module) -> VariantNet:
    """``module`` wrapped as a variant, unless it is one already."""
    return module if isinstance(module, VariantNet) else VariantNet(module).eval()


def strip_variant(module: nn.Module) -> nn.Module:
    """``module`` without a wrapper that does nothing."""
    if isinstance(module, VariantNet) and (module.top, module.sigmoid, module.residual) == (
        1,
        0,
        0,
    ):
        return module.net
    return module


def activation_setting(usual: str) -> NetworkSetting:
    """The setting of the activation, for a network that has it as its ``activation``."""

    def apply(module: nn.Module, value: str) -> nn.Module:
        kind = ACTIVATIONS[expect_choice(value, "activation", ACTIVATIONS)]
        inner = module.net if isinstance(module, VariantNet) else module
        inner.activation = kind()
        return module

    rest = [name for name in ACTIVATIONS if name != usual]
    return NetworkSetting("activation", (usual, *rest), apply)


def _set_variant_range(module: nn.Module, value: str) -> nn.Module:
    around = as_variant(module)
    around.top = RANGES[expect_choice(value, "range", RANGES)]
    return strip_variant(around)


def _set_output(module: nn.Module, value: str) -> nn.Module:
    around = as_variant(module)
    around.sigmoid = expect_choice(value, "output", ("linear", "sigmoid")) == "sigmoid"
    return strip_variant(around)


def _set_residual(module: nn.Module, value: str) -> nn.Module:
    around = as_variant(module)
    around.residual = expect_choice(value, "residual", ("no", "yes")) == "yes"
    return strip_variant(around)


RANGE_SETTING = NetworkSetting("range", tuple(RANGES), _set_variant_range)
"""The range of the network's input and output."""

OUTPUT_SETTING = NetworkSetting("output", ("linear", "sigmoid"), _set_output)
"""The function applied to the result."""

RESIDUAL_SETTING = NetworkSetting("residual", ("no", "yes"), _set_residual)
"""Whether the picture is added to the result."""
