"""VDSR: a deep network that predicts the residual of bicubic interpolation."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from subpixel.nets.architectures.architecture import (
    Architecture,
    Checkpoint,
    KeyLayout,
    NetworkSetting,
    colour_of_channels,
    expect_choice,
    fill_module,
    find_layers,
    list_numbered,
)
from subpixel.nets.architectures.variants import RANGE_SETTING, VariantNet
from subpixel.nets.checkpoints.state_dict import Weights
from subpixel.nets.layers.bicubic import on_enlarged
from subpixel.spec import ModelSpec


class VDSR(nn.Module):
    """Kim, Lee and Lee, arXiv 1511.04587: 20 3×3 convolutions, and the input added to the last.

    ``(N, C, H, W)`` in 0 … 1, bicubically enlarged → the same shape.
    """

    def __init__(
        self, channels: int = 1, width: int = 64, depth: int = 20, *, bias: bool = False
    ) -> None:
        super().__init__()
        self.activation: nn.Module = nn.ReLU()
        self.residual = True
        planes = [channels, *[width] * (depth - 1), channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
            for inputs, outputs in pairwise(planes)
        )

    def forward(self, picture: Tensor) -> Tensor:
        *hidden, last = self.layers
        features = picture
        for layer in hidden:
            features = self.activation(layer(features))
        restored: Tensor = last(features)
        return restored + picture if self.residual else restored


def _vdsr_lornatang(weights: Weights) -> list[str]:
    return ["conv1.0", *list_numbered(weights, "trunk.{}.conv"), "conv2"]


def _vdsr_twtygqyy(weights: Weights) -> list[str]:
    return ["input", *list_numbered(weights, "residual_layer.{}.conv"), "output"]


def _vdsr_chain(weights: Weights) -> list[str]:
    return list_numbered(weights, "features.{}", step=2)


def _vdsr_own(weights: Weights) -> list[str]:
    return list_numbered(weights, "layers.{}")


VDSR_LAYOUTS = (
    KeyLayout(  # Lornatang/VDSR-PyTorch
        frozenset({"conv1.0.weight", "trunk.0.conv.weight", "conv2.weight"}), _vdsr_lornatang
    ),
    KeyLayout(  # twtygqyy/pytorch-vdsr, its released weights
        frozenset({"input.weight", "residual_layer.0.conv.weight", "output.weight"}), _vdsr_twtygqyy
    ),
    KeyLayout(  # twtygqyy/pytorch-vdsr, earlier: 20 convolutions in a row, ReLU between them
        frozenset({"features.0.weight", "features.2.weight", "features.38.weight"}), _vdsr_chain
    ),
    KeyLayout(  # this module's own
        frozenset({"layers.0.weight", "layers.1.weight", "layers.19.weight"}), _vdsr_own
    ),
)


def _load_vdsr(weights: Weights, scale: int | None) -> Checkpoint:
    """The network itself, which restores; or, with a scale, including the upscaling.

    The weights don't reveal the scale: the paper trains one network for all scales.
    """
    layers = find_layers(weights, VDSR_LAYOUTS)
    first = layers[0]
    with torch.device("meta"):  # shapes only: no random numbers, and no size can fill the memory
        module = VDSR(first.inputs, first.outputs, len(layers), bias=first.bias)
    fill_module(module, weights, layers)
    colour = colour_of_channels(first.inputs)
    settings = (NetworkSetting("residual", ("yes", "no"), _set_vdsr_residual), RANGE_SETTING)
    return on_enlarged(module, ModelSpec("VDSR", 1, colour, colour, "VDSR"), scale, settings)


def _set_vdsr_residual(module: nn.Module, value: str) -> nn.Module:
    inner = module.net if isinstance(module, VariantNet) else module
    assert isinstance(inner, VDSR)
    inner.residual = expect_choice(value, "residual", ("yes", "no")) == "yes"
    return module


VDSR_ARCHITECTURE = Architecture(
    "VDSR", tuple(layout.signature for layout in VDSR_LAYOUTS), _load_vdsr
)
